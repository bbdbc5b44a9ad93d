"""The probes: a process is not restarted for what others lack, and gets calls while it can return cards."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, text
from structlog.testing import capture_logs

from cards.checks.run_all import find_stale, review_due
from cards.topic import Topic
from cds_service.clients.issuer_keys import KeysUnobtainable
from cds_service.operations.health import DatabaseCheck
from cds_service.storage import upgrade as schema_version
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.schema import SCHEMA_VERSION, SEEN_TOKEN
from tests.charts import SERVICE, hook_call
from tests.conftest import NOW
from tests.databases import LiveDatabase, PostgresqlServer
from tests.misbehaving_server import LoopbackServer
from tests.monotonic_clock import MonotonicClock
from tests.registered_service import RegisteredService, client_entry
from tests.token_forge import jwk_of, key_for

SHARED_WORD = "a-metrics-token-of-32-characters-or-more"
REGISTRY = "".join(client_entry(name, jwks_url=f"https://{name}.example.org/jwks.json") for name in ("north", "south"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MonotonicClock:
    one = MonotonicClock()
    monkeypatch.setattr("cds_service.app.DatabaseCheck", partial(DatabaseCheck, monotonic=one))
    monkeypatch.setattr("cds_service.operations.health._WAIT_S", 30)  # by the real clock: no verdict on a busy machine
    return one


def ready(client: FlaskClient) -> tuple[int, str, dict[str, str]]:
    """Status, state and words of the readiness probe."""
    response = client.get("/health/ready")
    told = response.get_json()
    assert list(told) == ["state", "checks"]
    assert list(told["checks"]) == ["database", "content", "keys"]
    return response.status_code, told["state"], told["checks"]


def test_a_process_that_answers_is_live_and_ready(client: FlaskClient) -> None:
    live = client.get("/health/live")
    assert (live.status_code, live.get_json()) == (200, {"state": "live"})
    assert ready(client) == (200, "ready", {"database": "ok", "content": "ok", "keys": "unneeded"})


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_a_probe_is_not_kept_not_logged_and_may_be_a_head(client: FlaskClient, path: str) -> None:
    with capture_logs() as events:
        got, head = client.get(path), client.head(path)
    assert events == []
    assert (got.status_code, head.status_code, head.data) == (200, 200, b"")
    assert got.headers["Cache-Control"] == head.headers["Cache-Control"] == "no-store"
    assert got.headers["Content-Length"] == head.headers["Content-Length"]
    assert client.post(path, json={}).status_code == 405


def test_liveness_touches_nothing(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "ledger.sqlite"
    app = make_app(database_url=f"sqlite:///{nowhere}")
    asked: list[Any] = []
    event.listen(app.extensions["database"].engine, "do_connect", lambda *told: asked.append(told))
    assert app.test_client().get("/health/live").status_code == 200
    assert asked == []


@pytest.mark.slow
def test_an_unavailable_database_degrades_and_cards_still_come(
    fragile_postgresql: PostgresqlServer, make_app: Callable[..., Flask], clock: MonotonicClock
) -> None:
    """ADR 12: whoever took this process out of rotation would take them all, and no clinician would see a card."""
    url = fragile_postgresql.url(fragile_postgresql.create())
    app = make_app(database_url=url)
    client = app.test_client()
    assert ready(client)[:2] == (200, "ready")
    fragile_postgresql.kill()
    clock.advance(2)
    status, state, words = ready(client)
    assert (status, state, words["database"]) == (200, "degraded", "unavailable")
    assert len(client.post(SERVICE, json=hook_call()).get_json()["cards"]) == 1
    fragile_postgresql.start()
    assert app.extensions["writer"].flush(), "the card is not in the ledger"
    clock.advance(2)
    assert ready(client)[:2] == (200, "ready")


def test_a_database_that_says_nothing_keeps_no_probe_waiting(make_app: Callable[..., Flask]) -> None:
    """The probe is answered while the question to the database is still open."""
    silent = LoopbackServer()  # waits for a line of HTTP, which the database client never sends
    try:
        app = make_app(database_url=f"postgresql://cds@127.0.0.1:{silent.port}/cds")
        status, state, words = ready(app.test_client())
        assert "health" in [one.name for one in threading.enumerate()]
        assert (status, state, words["database"]) == (200, "degraded", "unavailable")
    finally:
        silent.close()


def test_a_database_that_can_be_read_and_not_written_to_is_away_until_a_write_succeeds(
    sqlite_database: LiveDatabase,
) -> None:
    database, clock = sqlite_database.open(), MonotonicClock()
    check = DatabaseCheck(database, monotonic=clock)
    words = [check.word()]
    with suppress(DatabaseUnavailable), database.write():
        raise OSError("no space left on device")
    for _ in range(2):  # the read between succeeds, and changes nothing
        clock.advance(1)
        words.append(check.word())
    with database.write() as connection:
        connection.execute(delete(SEEN_TOKEN))
    clock.advance(1)
    words.append(check.word())
    assert words == ["ok", "unavailable", "unavailable", "ok"]


def test_however_many_probe_the_database_is_asked_once_a_second(sqlite_database: LiveDatabase) -> None:
    database, clock = sqlite_database.open(), MonotonicClock()
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    check = DatabaseCheck(database, monotonic=clock)
    for _ in range(50):
        assert check.word() == "ok"
    assert len([one for one in asked if "version_num" in one]) == 1
    clock.advance(1)
    for _ in range(50):
        assert check.word() == "ok"
    assert len([one for one in asked if "version_num" in one]) == 2


@pytest.mark.parametrize(
    ("statement", "word", "state"),
    [
        pytest.param("DROP TABLE alembic_version", "outdated", "unready", id="a database without our tables"),
        pytest.param("DELETE FROM alembic_version", "outdated", "unready", id="tables of no version"),
        pytest.param("UPDATE alembic_version SET version_num = '0000'", "outdated", "unready", id="an older schema"),
        pytest.param("UPDATE alembic_version SET version_num = '9999'", "newer", "degraded", id="a newer schema"),
    ],
)
def test_the_schema_has_to_be_one_that_this_version_can_write_to(
    database: LiveDatabase, make_app: Callable[..., Flask], clock: MonotonicClock, statement: str, word: str, state: str
) -> None:
    """A newer one is what a rolling upgrade leaves for the processes that are still to be replaced."""
    app = make_app(database_url=database.url)
    client = app.test_client()
    assert ready(client)[1] == "ready"
    with database.open().write() as connection:
        connection.execute(text(statement))
    clock.advance(2)
    status, told, words = ready(client)
    assert (status, told, words["database"]) == (503 if state == "unready" else 200, state, word)


def test_the_schema_version_is_that_of_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema_version._MIGRATIONS))
    config.set_main_option("path_separator", "os")
    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    assert revisions[0] == SCHEMA_VERSION
    assert revisions == sorted(revisions, reverse=True)


def test_content_that_is_overdue_for_review_is_told_and_goes_on(make_app: Callable[..., Flask], topic: Topic) -> None:
    """A start refuses it; nobody wants every server to stop at the same midnight."""
    now = [NOW]
    client = make_app(clock=lambda: now[0]).test_client()
    due = review_due(topic)
    assert find_stale(topic, due) == []
    assert find_stale(topic, due + timedelta(days=1)) != []
    for day, word, state in ((due, "ok", "ready"), (due + timedelta(days=1), "overdue", "degraded")):
        now[0] = datetime.combine(day, NOW.timetz()).replace(hour=12)
        status, told, words = ready(client)
        assert (status, told, words["content"]) == (200, state, word)


class Issuers:
    """The network edge of all issuers: each is down until its key set is put here, by its host's first name."""

    def __init__(self) -> None:
        self.up: dict[str, bytes] = {}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        name = url.removeprefix("https://").partition(".")[0]
        self.asked.append(name)
        if name not in self.up:
            raise KeysUnobtainable
        return self.up[name]

    def start(self, name: str) -> None:
        self.up[name] = json.dumps({"keys": [jwk_of(key_for("ES384", name), "ES384", "1")]}).encode()


@pytest.fixture
def issuers(monkeypatch: pytest.MonkeyPatch) -> Issuers:
    one = Issuers()
    monkeypatch.setattr("cds_service.app.KeyFetcher", lambda _: one)
    return one


@pytest.fixture
def service(issuers: Issuers, tmp_path: Path, empty_ledger: Path) -> Iterator[RegisteredService]:
    """Two clients whose keys are fetched."""
    one = RegisteredService(tmp_path, empty_ledger, registry=REGISTRY, key_sets={}, metrics_token=SHARED_WORD)
    yield one
    one.close()


def warm(service: RegisteredService) -> None:
    """What a serving process does every second, and the end of the fetches it began."""
    with capture_logs():
        service.app.extensions["housekeeping"].run_once()
        for thread in threading.enumerate():
            if thread.name == "issuer-keys":
                thread.join()


@pytest.mark.parametrize(
    ("up", "status", "state", "word", "without"),
    [
        pytest.param([], 503, "unready", "missing", 2, id="no issuer: nobody could be answered"),
        pytest.param(["north"], 200, "degraded", "partial", 1, id="one issuer down: the others are served"),
        pytest.param(["north", "south"], 200, "ready", "ok", 0, id="every issuer"),
    ],
)
def test_keys_are_fetched_beside_the_calls_and_one_issuer_is_enough(
    service: RegisteredService, issuers: Issuers, up: list[str], status: int, state: str, word: str, without: int
) -> None:
    client = service.app.test_client()
    assert ready(client) == (503, "unready", {"database": "ok", "content": "ok", "keys": "missing"})
    assert issuers.asked == []  # a probe fetches nothing
    for name in up:
        issuers.start(name)
    warm(service)
    assert sorted(issuers.asked) == ["north", "south"]
    answered, told, words = ready(client)
    assert (answered, told, words["keys"]) == (status, state, word)
    metrics = client.get("/metrics", headers={"Authorization": f"Bearer {SHARED_WORD}"}).get_data(as_text=True)
    assert f"\ncds_hooks_clients_without_keys {without}.0\n" in metrics


def test_an_issuer_that_goes_down_later_takes_nobody_out_of_rotation(
    service: RegisteredService, issuers: Issuers
) -> None:
    issuers.start("north")
    issuers.start("south")
    warm(service)
    issuers.up.clear()
    warm(service)
    assert ready(service.app.test_client())[:2] == (200, "ready")
    assert sorted(issuers.asked) == ["north", "south"]  # known keys are fetched again when a call needs them


def test_strangers_are_told_words_and_no_names(service: RegisteredService) -> None:
    text_of = service.app.test_client().get("/health/ready").get_data(as_text=True)
    assert not [word for word in ("north", "south", "sqlite", "ledger", "example.org") if word in text_of]
