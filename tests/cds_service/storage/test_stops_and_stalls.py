"""The real server under load: told to stop, killed with tokens in use, with a database that stalls for ten seconds.

`--kill-rounds 50` is the full measure: 50 stops and 50 kills on SQLite, 20 on PostgreSQL.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest

from cds_service.storage.schema import ISSUED_CARD, SEEN_TOKEN
from tests.charts import SERVICE, hook_call
from tests.databases import LiveDatabase, PostgresqlServer
from tests.exposition import samples_in
from tests.killable_server import Client, KillableServer, feedback_from
from tests.registered_service import REGISTRY, key_files
from tests.server_process import ENDS_S, ask
from tests.token_forge import Forge, key_for

pytestmark = pytest.mark.slow

SEED = 20_261_130
CLIENTS = 6
STALL_S = 10.0
MOST_UNAWAITED = 100


@pytest.fixture
def rounds(request: pytest.FixtureRequest, database: LiveDatabase) -> int:
    wanted: int = request.config.getoption("--kill-rounds")
    return wanted if database.is_sqlite else max(3, wanted * 2 // 5)


def say(capsys: pytest.CaptureFixture[str], what: str) -> None:
    """How much a green test has seen."""
    with capsys.disabled():
        print(f"\n{what}")  # noqa: T201


def test_a_server_that_is_told_to_stop_loses_no_card(
    database: LiveDatabase, rounds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(SEED)  # noqa: S311 - so that a run can be had again
    clients = [Client(f"stop/{number}") for number in range(CLIENTS)]
    server = KillableServer(database.url, tmp_path)
    try:
        for _ in range(rounds):
            server.start()
            with feedback_from(clients, server.port):
                time.sleep(dice.uniform(0.05, 0.6))
                server.stop()
    finally:
        server.kill()
    shown = {card for client in clients for card in client.shown}
    recorded = {row["card_uuid"] for row in database.rows(ISSUED_CARD)}
    say(capsys, f"{rounds} stops under load (seed {SEED}): {len(shown):,} cards shown, {len(shown - recorded)} lost")
    assert len(shown) >= rounds
    assert shown <= recorded
    assert "cds_hooks.ledger.unrecorded" not in server.log.read_text("utf-8")


def registry_in(folder: Path) -> dict[str, str]:
    """The settings of a service whose clients have tokens."""
    (folder / "clients.toml").write_text(REGISTRY, "utf-8")
    for name, keys in key_files().items():
        (folder / f"{name}.json").write_text(json.dumps({"keys": keys}), "utf-8")
    return {"CLIENTS_FILE": str(folder / "clients.toml"), "REQUIRE_TOKENS": "yes"}


def bearer(port: int, path: str) -> str:
    """A token that was never used."""
    return Forge(
        time.time(),
        issuer="https://valley.example.org",
        audience=f"http://127.0.0.1:{port}{path}",
        tenant=None,
        kid="ES384",
        algorithm="ES384",
        key=key_for("ES384", "valley-practices"),
    ).bearer()


def discover(connection: HTTPConnection, token: str) -> int:
    connection.request("GET", "/cds-services", headers={"Authorization": token})
    response = connection.getresponse()
    response.read()
    return response.status


def use_tokens(port: int, until: Event, accepted: list[str]) -> None:
    """Use one token after the other, and keep those that were accepted."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ENDS_S)
    with closing(connection):
        while not until.is_set():
            token = bearer(port, "/cds-services")
            try:
                if discover(connection, token) == 200:
                    accepted.append(token)
            except (OSError, HTTPException):
                return


def test_no_token_is_taken_twice_however_often_the_server_is_killed(
    database: LiveDatabase, rounds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(SEED)  # noqa: S311
    server = KillableServer(database.url, tmp_path, **registry_in(tmp_path))
    taken, again = 0, 0
    try:
        for _ in range(rounds):
            accepted: list[str] = []
            until = Event()
            server.start()
            with ThreadPoolExecutor(CLIENTS) as threads:
                running = [threads.submit(use_tokens, server.port, until, accepted) for _ in range(CLIENTS)]
                time.sleep(dice.uniform(0.1, 0.4))
                server.kill()
                until.set()
            assert [client.exception() for client in running] == [None] * CLIENTS
            server.start()
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=ENDS_S)) as connection:
                again += sum(discover(connection, token) == 200 for token in accepted)
            taken += len(accepted)
            server.kill()
    finally:
        server.kill()
    say(capsys, f"{rounds} kills (seed {SEED}): {taken:,} tokens taken, {again} taken again after a restart")
    assert taken >= rounds
    assert again == 0


@contextmanager
def sqlite_stalls(live: LiveDatabase, _: PostgresqlServer | None) -> Iterator[None]:
    """Another process holds the write lock."""
    with closing(sqlite3.connect(live.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def postgresql_stalls(_: LiveDatabase, server: PostgresqlServer | None) -> Iterator[None]:
    """All processes of the server stand still."""
    assert server
    server.send(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send(signal.SIGCONT)


Stall = Callable[[LiveDatabase, PostgresqlServer | None], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("kind", "stall"),
    [
        pytest.param("sqlite", sqlite_stalls, id="SQLite, locked"),
        pytest.param("postgresql", postgresql_stalls, id="PostgreSQL, all of it stopped"),
    ],
)
def test_answers_go_on_while_the_database_stalls(
    kind: str, stall: Stall, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With tokens, whose replay check asks the database. What the queue has no room for is counted and logged."""
    postgresql: PostgresqlServer | None = None
    if kind == "postgresql":
        postgresql = request.getfixturevalue("fragile_postgresql")
        live = LiveDatabase(postgresql.url(postgresql.create()))
    else:
        live = request.getfixturevalue("sqlite_database")
    settings = registry_in(tmp_path)
    shown: list[str] = []
    slowest_s = 0.0
    until = Event()

    def call_again_and_again(port: int, client: int) -> None:
        nonlocal slowest_s
        with closing(HTTPConnection("127.0.0.1", port, timeout=ENDS_S)) as connection:
            number = 0
            while not until.is_set():
                number += 1
                call = hook_call(hookInstance=str(UUID(int=client << 64 | number)))
                headers = {"Content-Type": "application/json", "Authorization": bearer(port, SERVICE)}
                began_s = time.monotonic()
                connection.request("POST", SERVICE, json.dumps(call), headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
                slowest_s = max(slowest_s, time.monotonic() - began_s)
                assert (response.status, len(answer["cards"])) == (200, 1)
                shown.append(answer["cards"][0]["uuid"])

    server = KillableServer(live.url, tmp_path, workers=1, most_unawaited=MOST_UNAWAITED, **settings)
    try:
        server.start()
        with ThreadPoolExecutor(CLIENTS) as threads:
            running = [threads.submit(call_again_and_again, server.port, number) for number in range(1, CLIENTS + 1)]
            time.sleep(0.5)
            before = len(shown)
            with stall(live, postgresql):
                time.sleep(STALL_S)
                during = len(shown) - before
            time.sleep(1.0)
            until.set()
        assert [client.exception() for client in running] == [None] * CLIENTS
        samples = samples_in(ask(server.port, "GET", "/metrics")[1].decode())
        server.stop()
    finally:
        server.kill()
    dropped = int(samples['cds_hooks_ledger_failures_total{what="call"}'])
    recorded = {row["card_uuid"] for row in live.rows(ISSUED_CARD)}
    tokens = len(live.rows(SEEN_TOKEN))
    live.close()
    say(
        capsys,
        f"{kind} stalled for {STALL_S:g} s: {during:,} calls answered meanwhile, the slowest after {slowest_s:.1f} s; "
        f"{len(shown):,} cards shown in all, {len(recorded):,} recorded, {dropped:,} dropped for a queue of "
        f"{MOST_UNAWAITED}, counted and logged; {tokens:,} tokens in the database",
    )
    assert during > 0
    assert slowest_s < STALL_S  # nobody waited for the end of it
    assert len(recorded) == len(shown) - dropped
    assert server.log.read_text("utf-8").count('"the queue is full"') == dropped
    assert dropped > 0
