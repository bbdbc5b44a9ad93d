"""What was acknowledged is there: however the server ends, or the database, and however many write at once.

A killed process loses what it has not handed to the kernel; that it is on the disk too is what SQLite's FULL and
PostgreSQL's synchronous_commit are for (tests/cds_service/storage/test_sqlite_engine.py).
`--kill-rounds 50` is the full measure: 50 kills on SQLite, 20 on PostgreSQL.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import NamedTuple
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK, ISSUED_CARD, SERVICE_CALL_COUNT
from tests.charts import SERVICE, hook_call, post
from tests.databases import LiveDatabase, PostgresqlServer
from tests.killable_server import Client, KillableServer, feedback_from, killable_server
from tests.server_process import ask

pytestmark = pytest.mark.slow

CLIENTS = 6
LONGEST_S = 0.6  # from the first answer of a server to its end
SEED = 20_261_122
FULL_MEASURE = 10
LONGEST_UNRECORDED_S = 2.0  # 50 ms, and what a machine with much else to do adds
POWER_CUTS = 3
RECOVERS_S = 60
PROCESSES = 4
TURNS = 250


def found(live: LiveDatabase) -> Counter[str]:
    """How often each card has feedback in the database."""
    return Counter(row["card_uuid"] for row in live.rows(FEEDBACK))


class Tally(NamedTuple):
    """Entries acknowledged and stored; kills with feedback under way; cards shown and lost; age of the oldest lost."""

    acknowledged: int
    stored: int
    under_way: int
    shown: int
    lost: int
    oldest_s: float


def kill_again_and_again(live: LiveDatabase, folder: Path, rounds: int, seed: int) -> Tally:
    """Kill the server as often, and count what was acknowledged, shown and lost."""
    lost: dict[str, float] = {}
    dice = random.Random(seed)  # noqa: S311 - so that a run can be had again
    clients = [Client(f"{seed}/{number}", entries=1 + number % 3) for number in range(CLIENTS)]
    server = KillableServer(live.url, folder)
    under_way = 0
    try:
        for _ in range(rounds):
            server.start()
            check(live, clients)
            with feedback_from(clients, server.port):
                time.sleep(dice.uniform(0, LONGEST_S))
                killed_at = time.monotonic()
                server.kill()
            under_way += any(one.unanswered for one in clients)
            lost |= {card: killed_at - at for card, at in unrecorded(live, clients).items() if card not in lost}
        server.start()
        check(live, clients)
        for one in clients:  # and what was not acknowledged is sent again, as a client would
            one.give_feedback(server.port, Event(), most=len(one.acknowledged) // one.entries + 2)
        check(live, clients)
        assert not any(one.unanswered for one in clients)
        server.stop()
    finally:
        server.kill()
    return Tally(
        sum(len(one.acknowledged) for one in clients),
        sum(found(live).values()),
        under_way,
        sum(len(one.shown) for one in clients),
        len(lost),
        max(lost.values(), default=0.0),
    )


def unrecorded(live: LiveDatabase, clients: list[Client]) -> dict[str, float]:
    """When each card was shown that is not in the ledger."""
    recorded = {row["card_uuid"] for row in live.rows(ISSUED_CARD)}
    return {card: at for one in clients for card, at in one.shown.items() if card not in recorded}


def check(live: LiveDatabase, clients: list[Client]) -> None:
    """Every acknowledged entry is there, once."""
    stored = found(live)
    acknowledged = [card for one in clients for card in one.acknowledged]
    missing = [card for card in acknowledged if card not in stored]
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged entries are lost"
    assert max(stored.values(), default=1) == 1


def test_what_was_acknowledged_survives_a_kill_of_the_server(
    database: LiveDatabase, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the full measure two servers with a database each are killed side by side, so that it takes minutes only."""
    rounds: int = request.config.getoption("--kill-rounds")
    rounds = rounds if database.is_sqlite else max(3, rounds * 2 // 5)
    lanes = [database] if rounds < FULL_MEASURE else [database, request.getfixturevalue("second_database")]
    with ThreadPoolExecutor(len(lanes)) as threads:
        shares = [rounds // len(lanes) + (number < rounds % len(lanes)) for number in range(len(lanes))]
        running = [
            threads.submit(kill_again_and_again, live, tmp_path, share, SEED + number)
            for number, (live, share) in enumerate(zip(lanes, shares, strict=True))
        ]
        tallies = [one.result() for one in running]
    acknowledged, stored, under_way, shown, lost = (sum(tally[place] for tally in tallies) for place in range(5))
    oldest_s = max(tally.oldest_s for tally in tallies)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    with capsys.disabled():
        print(  # noqa: T201 - how much a green test has seen
            f"\n{kind}: the server killed {rounds} times (seed {SEED}), {under_way} times with feedback under way; "
            f"{acknowledged:,} entries acknowledged, {stored:,} found, none lost, none twice; {shown:,} cards shown, "
            f"{lost} of them lost, the oldest {oldest_s * 1000:.0f} ms before its kill"
        )
    assert acknowledged >= rounds
    assert oldest_s < LONGEST_UNRECORDED_S


@pytest.fixture
def second_database(database: LiveDatabase, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveDatabase]:
    """Another of the same kind."""
    if database.is_sqlite:
        path = tmp_path / "second.sqlite"
        shutil.copyfile(request.getfixturevalue("empty_ledger"), path)
        live = LiveDatabase(f"sqlite:///{path}")
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        live = LiveDatabase(server.url(server.create()))
    yield live
    live.close()


def test_what_was_acknowledged_survives_a_power_cut_of_postgresql(
    fragile_postgresql: PostgresqlServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of its processes are killed under feedback; ours goes on answering, and finds it again by itself."""
    dice = random.Random(SEED)  # noqa: S311 - so that a run can be had again
    live = LiveDatabase(fragile_postgresql.url(fragile_postgresql.create()))
    clients = [Client(f"power/{number}") for number in range(CLIENTS)]
    with killable_server(live.url, tmp_path) as server:
        for number in range(POWER_CUTS):
            before = sum(len(one.acknowledged) for one in clients)
            with feedback_from(clients, server.port):
                time.sleep(dice.uniform(0.1, LONGEST_S))
                fragile_postgresql.kill()
                status, answer = ask(server.port, "POST", SERVICE, hook_call(hookInstance=str(UUID(int=number))))
                assert (status, len(json.loads(answer)["cards"])) == (200, 1)
                fragile_postgresql.start()
                live.close()
                until = time.monotonic() + RECOVERS_S
                while not enough(clients, before) and time.monotonic() < until:
                    time.sleep(0.05)
            assert enough(clients, before), "feedback is not stored again"
            check(live, clients)
        server.stop()
    lost = unrecorded(live, clients)
    live.close()
    refused = sum((Counter(one.refused) for one in clients), Counter())
    acknowledged = sum(len(one.acknowledged) for one in clients)
    with capsys.disabled():
        print(f"\nPostgreSQL itself killed {POWER_CUTS} times: {acknowledged:,} entries acknowledged, none lost")  # noqa: T201
    assert set(refused) == {503}
    assert lost == {}  # cards wait for the database


def enough(clients: list[Client], before: int) -> bool:
    """Whether each of them, on the whole, has had feedback stored again."""
    return sum(len(one.acknowledged) for one in clients) > before + 20 * len(clients)


def write_much(url: str, number: int) -> Counter[str]:
    """What one process of four does: 250 calls with cards and 250 batches of feedback, each again until it is taken.

    Each batch is about the card of the call, and about one that all four processes have feedback on.
    """
    client = create_app(Settings(database_url=url, threads=4)).test_client()
    told: Counter[str] = Counter()
    with capture_logs() as events:
        for turn in range(TURNS):
            call = hook_call(hookInstance=str(UUID(int=number * TURNS + turn)))
            (card,) = post(client, call).get_json()["cards"]
            taken = {"outcome": "accepted", "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
            entries = [{"card": card["uuid"]} | taken, {"card": str(UUID(int=turn)), "outcome": "overridden"}]
            batch = {"feedback": [one | {"outcomeTimestamp": "2026-11-22T15:31:47Z"} for one in entries]}
            while (status := client.post(f"{SERVICE}/feedback", json=batch).status_code) != 200:
                told[f"feedback {status}"] += 1
        client.application.extensions["housekeeping"].end()
        for event in events:
            if event["event"] == "cds_hooks.ledger.unrecorded":
                told[f"unrecorded: {event['error.type']}"] += event["cds_hooks.calls"]
    client.application.extensions["database"].close()
    return told


def test_four_processes_that_write_at_once_lose_nothing_and_store_nothing_twice(database: LiveDatabase) -> None:
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        running = [processes.submit(write_much, database.url, number) for number in range(PROCESSES)]
        told = sum((one.result() for one in running), Counter())
    calls = PROCESSES * TURNS
    unrecorded = sum(times for what, times in told.items() if what.startswith("unrecorded"))
    assert set(told) <= {"feedback 503"} | {what for what in told if what.startswith("unrecorded")}
    assert sum(told.values()) <= calls // 20  # none, but on a machine that stands still for a second now and then
    assert len(database.rows(ISSUED_CARD)) == calls - unrecorded
    assert len(database.rows(ACCEPTED_SUGGESTION)) == calls
    assert sum(one["foreign_suggestion"] for one in database.rows(ACCEPTED_SUGGESTION)) == unrecorded
    stored = found(database)
    assert set(stored.values()) == {1}
    assert len(stored) == calls + TURNS
    assert sum(one["calls"] for one in database.rows(SERVICE_CALL_COUNT)) == calls
