"""A database that is unavailable: locked, full, read-only, gone, damaged, silent.

Clinicians get their cards, and no client gets an acknowledgement for feedback that was not stored.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from cds_service.storage.database import Database
from cds_service.storage.schema import FEEDBACK, ISSUED_CARD
from cds_service.storage.writer import Writer
from tests.charts import SERVICE, hook_call, post
from tests.databases import LiveDatabase, PostgresqlServer

HANGS_S = 20  # nothing here takes a quarter of it on a quiet machine
LEFT_ALONE = "not tried: it failed a moment ago"

SQLITE_FILE = "sqlite"
POSTGRESQL = "postgresql"


@dataclass
class Affected:
    """What an outage can get hold of: the database, the application's connections, and the server if there is one."""

    live: LiveDatabase
    client: FlaskClient
    connected: Database
    server: PostgresqlServer | None


@contextmanager
def locked(affected: Affected) -> Iterator[None]:
    """Somebody else is in the middle of a transaction."""
    if affected.live.is_sqlite:
        with closing(sqlite3.connect(affected.live.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        with psycopg.connect(affected.live.url) as other:
            other.execute("LOCK TABLE issued_card, feedback, seen_token IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()


@contextmanager
def full(affected: Affected) -> Iterator[None]:
    """Not a byte is left on the disk of the file."""
    filler = affected.live.path.with_suffix(".filler")
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(b"\0" * 4096)
    yield
    filler.unlink()


@contextmanager
def read_only(affected: Affected) -> Iterator[None]:
    """The file cannot be written to; or PostgreSQL is a standby, after a failover."""
    if affected.live.is_sqlite:
        wanted = ["query_only=on"]
        event.listen(affected.connected.engine, "checkout", lambda one, *_: one.execute(f"PRAGMA {wanted[-1]}"))
        yield
        wanted.append("query_only=off")
    else:
        _set(affected, "default_transaction_read_only = on")
        yield
        _set(affected, "default_transaction_read_only = off")


@contextmanager
def removed(affected: Affected) -> Iterator[None]:
    """The folder of the file is gone, though connections to the file are still open."""
    elsewhere = affected.live.path.parent.with_name("elsewhere")
    affected.live.path.parent.rename(elsewhere)
    yield
    elsewhere.rename(affected.live.path.parent)


@contextmanager
def replaced(affected: Affected) -> Iterator[None]:
    """An empty file has taken its place, though connections to the old one are still open."""
    with _moved_away(affected.live.path):
        yield


@contextmanager
def damaged(affected: Affected) -> Iterator[None]:
    """The file holds something else."""
    with _moved_away(affected.live.path):
        affected.live.path.write_bytes(b"this is no database" * 1000)
        yield


@contextmanager
def _moved_away(path: Path) -> Iterator[None]:
    kept = path.parent / "kept"
    kept.mkdir()
    for one in path.parent.glob(f"{path.name}*"):
        one.rename(kept / one.name)
    yield
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink()
    for one in kept.iterdir():
        one.rename(path.parent / one.name)


@contextmanager
def silent(affected: Affected) -> Iterator[None]:
    """The server takes connections and says nothing."""
    assert affected.server
    affected.server.send(signal.SIGSTOP)
    try:
        yield
    finally:
        affected.server.send(signal.SIGCONT)


@contextmanager
def stopped(affected: Affected) -> Iterator[None]:
    """The server was shut down, and cut its connections."""
    assert affected.server
    affected.server.stop()
    try:
        yield
    finally:
        affected.server.start()


@contextmanager
def no_connection_left(affected: Affected) -> Iterator[None]:
    """Others have all of the server's connections."""
    with ExitStack() as others:
        with psycopg.connect(affected.live.url, autocommit=True) as first:
            _cut_off(first, affected.live)
            with suppress(psycopg.OperationalError):
                while True:
                    others.enter_context(psycopg.connect(affected.live.url))
        others.enter_context(psycopg.connect(affected.live.url))
        yield


@contextmanager
def without_tables(affected: Affected) -> Iterator[None]:
    """Somebody has moved the tables, or a restore has left them out."""
    with psycopg.connect(affected.live.url, autocommit=True) as other:
        other.execute("ALTER SCHEMA public RENAME TO elsewhere")
        other.execute("CREATE SCHEMA public")
        yield
        other.execute("DROP SCHEMA public")
        other.execute("ALTER SCHEMA elsewhere RENAME TO public")


@contextmanager
def without_rights(affected: Affected) -> Iterator[None]:
    """The tables are there, and not for the user that the service has."""
    with psycopg.connect(affected.live.url, autocommit=True) as other:
        other.execute("CREATE ROLE stranger")
        for role in ("stranger", "DEFAULT"):
            other.execute(f"ALTER DATABASE {other.info.dbname} SET role = {role}".encode())
            _cut_off(other, affected.live)
            if role == "stranger":
                yield
        other.execute("DROP ROLE stranger")


def _set(affected: Affected, what: str) -> None:
    """For new connections; those there are, are cut off."""
    with psycopg.connect(affected.live.url, autocommit=True) as other:
        other.execute("SET default_transaction_read_only = off")
        other.execute(f"ALTER DATABASE {other.info.dbname} SET {what}".encode())
        _cut_off(other, affected.live)


def _cut_off(other: psycopg.Connection[Any], live: LiveDatabase) -> None:
    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )
    other.execute(query, [live.url.rpartition("/")[2]])


OUTAGES = [
    pytest.param(SQLITE_FILE, locked, id="SQLite, locked by somebody else"),
    pytest.param(SQLITE_FILE, full, id="SQLite, on a disk that is full"),
    pytest.param(SQLITE_FILE, read_only, id="SQLite, read-only"),
    pytest.param(SQLITE_FILE, removed, id="SQLite, its folder gone"),
    pytest.param(SQLITE_FILE, replaced, id="SQLite, an empty file in its place"),
    pytest.param(SQLITE_FILE, damaged, id="SQLite, damaged"),
    pytest.param(POSTGRESQL, locked, marks=pytest.mark.slow, id="PostgreSQL, locked by somebody else"),
    pytest.param(POSTGRESQL, read_only, marks=pytest.mark.slow, id="PostgreSQL, a read-only standby"),
    pytest.param(POSTGRESQL, silent, marks=pytest.mark.slow, id="PostgreSQL, silent"),
    pytest.param(POSTGRESQL, stopped, marks=pytest.mark.slow, id="PostgreSQL, stopped"),
    pytest.param(POSTGRESQL, no_connection_left, marks=pytest.mark.slow, id="PostgreSQL, without a free connection"),
    pytest.param(POSTGRESQL, without_tables, marks=pytest.mark.slow, id="PostgreSQL, without its tables"),
    pytest.param(POSTGRESQL, without_rights, marks=pytest.mark.slow, id="PostgreSQL, without the right to use them"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not mount or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603 - as written
        pytest.skip("only root can mount a disk that is small enough to be full")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - the folder is ours


@pytest.fixture
def record_before_answer() -> bool:
    return True


@pytest.fixture
def affected(
    request: pytest.FixtureRequest,
    kind: str,
    outage: Any,
    empty_ledger: Path,
    make_app: Callable[..., Flask],
    record_before_answer: bool,
) -> Iterator[Affected]:
    """An application with a database of the kind that is about to go affected."""
    server: PostgresqlServer | None = None
    if kind == POSTGRESQL:
        server = request.getfixturevalue("fragile_postgresql")
        url = server.url(server.create())
    else:
        folder = request.getfixturevalue("small_disk" if outage is full else "tmp_path") / "ledger"
        folder.mkdir()
        shutil.copyfile(empty_ledger, folder / "live.sqlite")
        url = f"sqlite:///{folder / 'live.sqlite'}"
    live = LiveDatabase(url)
    app = make_app(database_url=url, threads=4, record_before_answer=record_before_answer)
    connected: Database = app.extensions["database"]
    yield Affected(live, app.test_client(), connected, server)
    connected.close()
    live.close()


def call(number: int) -> dict[str, Any]:
    return hook_call(hookInstance=str(UUID(int=number)))


def give_feedback(client: FlaskClient, number: int) -> TestResponse:
    entry = {"card": str(UUID(int=number)), "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
    return client.post(f"{SERVICE}/feedback", json={"feedback": [entry]})


def ledger_failure(client: FlaskClient, number: int) -> str | None:
    """Why the cards of a call were not recorded; the call itself has to get them."""
    with capture_logs() as events:
        answer = post(client, call(number))
    assert answer.status_code == 200
    assert len(answer.get_json()["cards"]) == 1
    (failure,) = [one.get("cds_hooks.ledger.failure") for one in events if one["event"] == "cds_hooks.call"]
    return failure


@pytest.mark.parametrize(("kind", "outage"), OUTAGES)
def test_an_outage_costs_no_card_and_no_acknowledged_feedback(
    kind: str, outage: Callable[[Affected], AbstractContextManager[None]], affected: Affected
) -> None:
    client = affected.client
    assert give_feedback(client, 1).status_code == 200
    assert ledger_failure(client, 1) is None
    begun = time.monotonic()
    with outage(affected):
        failures = [ledger_failure(client, number) for number in (2, 3, 4)]
        assert failures[0] not in (None, LEFT_ALONE)
        assert failures[1:] == [LEFT_ALONE, LEFT_ALONE]  # nobody waits again for what just failed
        refused = give_feedback(client, 2)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "10"
        assert refused.get_json()["issue"][0]["code"] == "transient"
    assert time.monotonic() - begun < HANGS_S
    assert give_feedback(client, 3).status_code == 200
    assert ledger_failure(client, 5) is None  # the feedback found it back: hook calls need not wait until they may
    stored = {UUID(one["card_uuid"]).int for one in affected.live.rows(FEEDBACK)}
    assert {1, 3} <= stored
    assert {UUID(one["hook_instance"]).int for one in affected.live.rows(ISSUED_CARD)} >= {1, 5}


@pytest.mark.parametrize("record_before_answer", [pytest.param(False, id="recorded after the answer")])
@pytest.mark.parametrize(("kind", "outage"), OUTAGES)
def test_cards_that_were_shown_in_an_outage_are_recorded_after_it(
    kind: str, outage: Callable[[Affected], AbstractContextManager[None]], affected: Affected
) -> None:
    writer: Writer = affected.client.application.extensions["writer"]
    post(affected.client, call(1))
    assert writer.flush(HANGS_S)
    with outage(affected), capture_logs():
        for number in (2, 3):
            assert len(post(affected.client, call(number)).get_json()["cards"]) == 1
        assert not writer.flush(0.01)
        assert writer.waiting == 2
    with capture_logs():
        assert writer.flush(HANGS_S)
    assert {UUID(row["hook_instance"]).int for row in affected.live.rows(ISSUED_CARD)} == {1, 2, 3}


@pytest.mark.parametrize(
    ("kind", "outage"),
    [
        pytest.param(SQLITE_FILE, locked, id="SQLite, locked by somebody else"),
        pytest.param(POSTGRESQL, silent, marks=pytest.mark.slow, id="PostgreSQL, silent"),
    ],
)
@pytest.mark.slow
def test_many_calls_at_once_wait_about_as_long_as_one(
    kind: str, outage: Callable[[Affected], AbstractContextManager[None]], affected: Affected
) -> None:
    """Connections and turns are waited for at the same time as the database, and nobody waits in a row of waits."""
    ledger_failure(affected.client, 1)
    application = affected.client.application
    begun = time.monotonic()
    with outage(affected), ThreadPoolExecutor(32) as threads:
        calls = [threads.submit(post, application.test_client(), call(number)) for number in range(2, 26)]
        feedback = [threads.submit(give_feedback, application.test_client(), number) for number in range(8)]
        assert {len(one.result().get_json()["cards"]) for one in calls} == {1}
        assert {one.result().status_code for one in feedback} == {503}
    assert time.monotonic() - begun < HANGS_S


def test_a_ledger_without_its_tables_costs_no_card_and_takes_no_feedback(
    database: LiveDatabase, make_app: Callable[..., Flask]
) -> None:
    client = make_app(database_url=database.url, threads=4, record_before_answer=True).test_client()
    with database.open().write() as connection:
        for table in ("accepted_suggestion", "issued_suggestion", "issued_card", "feedback"):
            connection.execute(text(f"DROP TABLE {table}"))
    assert ledger_failure(client, 1) in ("SQLITE_ERROR", "UndefinedTable")
    assert give_feedback(client, 1).status_code == 503
