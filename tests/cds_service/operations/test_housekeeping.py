"""The background tasks of a process: they continue after an error in one, and run once more at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from cds_service.operations.housekeeping import Housekeeping
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.schema import SEEN_TOKEN, SERVICE_CALL_COUNT
from tests.cds_service.clients.test_token_replay import is_first, seen_tokens_of
from tests.charts import SERVICE, hook_call, order
from tests.conftest import NOW
from tests.databases import LiveDatabase
from tests.killable_server import killable_server
from tests.server_process import ask

HANGS_S = 20
NOW_S = int(NOW.timestamp())
ENDS = """
from cds_service.operations.housekeeping import Housekeeping
Housekeeping([lambda: print("stored")]).start()
"""


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        pytest.param(
            DatabaseUnavailable("DiskFull"),
            {"event": "cds_hooks.housekeeping.failed", "error.type": "DiskFull"},
            id="the database is unavailable",
        ),
        pytest.param(ValueError("Zq7Canary"), {"event": "fault", "exception.type": "ValueError"}, id="a fault of ours"),
    ],
)
def test_a_chore_that_fails_is_logged_and_keeps_no_other_from_its_turn(fault: Exception, told: dict[str, Any]) -> None:
    """And its message, which may hold what was to be stored, is not."""
    done = []

    def fail() -> None:
        raise fault

    with capture_logs() as events:
        Housekeeping([fail, lambda: done.append(1)]).run_once()
    (event,) = events
    assert told.items() <= event.items()
    assert "Zq7Canary" not in str(event)
    assert done == [1]


def test_chores_are_done_again_and_again_until_stopped() -> None:
    thrice = Event()
    turns: list[int] = []

    def chore() -> None:
        turns.append(1)
        if len(turns) < 3:
            raise ValueError
        thrice.set()

    keeping = Housekeeping([chore], every_s=0.001)
    with capture_logs():
        keeping.start()
        assert thrice.wait(HANGS_S)
        keeping.stop()


@pytest.mark.slow
def test_chores_are_done_once_more_when_the_process_ends() -> None:
    """So that the counts of its last half minute are not lost."""
    ended = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert ended.stdout == "stored\n"


def test_tokens_that_have_expired_are_forgotten_and_no_others(database: LiveDatabase) -> None:
    """The replay check needs none of them: their age refuses them (R-6.12)."""
    seen = seen_tokens_of(database.open())
    for jti, keep_until_s in (("old", NOW_S - 1), ("now", NOW_S), ("new", NOW_S + 300)):
        assert is_first(seen, jti, keep_until_s=keep_until_s)
    Housekeeping([seen.prune]).run_once()
    assert sorted(row["keep_until_s"] for row in database.rows(SEEN_TOKEN)) == [NOW_S, NOW_S + 300]


def test_a_token_is_good_once_on_every_worker_and_node(database: LiveDatabase) -> None:
    """On PostgreSQL as on SQLite: a first use is one, a second is none, whichever process sees it."""
    workers = [seen_tokens_of(database.open()) for _ in range(2)]
    first = [is_first(worker, jti) for jti in "ab" for worker in workers]
    assert first == [True, False, True, False]


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_stores_what_it_counted(sqlite_database: LiveDatabase, tmp_path: Path) -> None:
    with killable_server(sqlite_database.url, tmp_path) as server:
        for number in range(4):
            call = hook_call(order({"text": "Chest X-ray"}), hookInstance=str(UUID(int=number)))
            assert ask(server.port, "POST", SERVICE, call) == (200, b'{"cards":[]}')
        server.stop()
    assert sum(row["calls"] for row in sqlite_database.rows(SERVICE_CALL_COUNT)) == 4
