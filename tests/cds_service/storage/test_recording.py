"""Cards and feedback between the writer and the ledger: recorded in time, found by each other, or reported as lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from structlog.testing import capture_logs

from cds_service.event_log.events import observe_with
from cds_service.steps import run_steps
from cds_service.storage import sqlite_engine
from cds_service.storage import writer as writer_module
from cds_service.storage.ledger import Ledger
from cds_service.storage.ledger_entries import Caller, FeedbackEntry
from cds_service.storage.schema import CARD_PATIENT, FEEDBACK, ISSUED_CARD, QUIET_CARD
from cds_service.storage.writer import Writer
from tests.cds_service.storage.test_ledger import NORTH, NOW_MS, entry, issued
from tests.cds_service.storage.writer_items import HANGS_S, Tokens
from tests.charts import HOOK_INSTANCE, SERVICE, hook_call, post
from tests.conftest import NOW
from tests.databases import LiveDatabase

SUGGESTED = "11111111-2222-5333-8444-555555555555"


def instance(number: int) -> str:
    return str(UUID(int=number))


def show_cards(app: Flask, *numbers: int) -> list[str]:
    """The cards of calls; each of them gets one."""
    answers = [post(app.test_client(), hook_call(hookInstance=instance(number))) for number in numbers]
    assert {answer.status_code for answer in answers} == {200}
    return [card["uuid"] for answer in answers for card in answer.get_json()["cards"]]


def recorded(database: LiveDatabase) -> set[str]:
    return {row["card_uuid"] for row in database.rows(ISSUED_CARD)}


def give_feedback(app: Flask, *cards: str) -> dict[str, int]:
    entries = [{"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"} for card in cards]
    answer = app.test_client().post(f"{SERVICE}/feedback", json={"feedback": entries})
    assert answer.status_code == 200
    counts: dict[str, int] = answer.get_json()
    return counts


@contextmanager
def locked(database: LiveDatabase) -> Iterator[None]:
    """Another process is in the middle of a transaction."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def make(make_app: Callable[..., Flask], database: LiveDatabase) -> Callable[..., Flask]:
    return lambda **settings: make_app(database_url=database.url, threads=4, **settings)


def test_a_card_is_recorded_soon_after_the_answer(make: Callable[..., Flask], database: LiveDatabase) -> None:
    app = make()
    cards = show_cards(app, 1, 2, 3)
    assert len(cards) == 3
    assert app.extensions["writer"].flush(HANGS_S)
    assert recorded(database) == set(cards)


def test_a_site_can_have_cards_recorded_before_the_answer(
    make: Callable[..., Flask], database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_GATHER_S", HANGS_S)  # nothing is written that nobody waits for
    cards = show_cards(make(record_before_answer=True), 1)
    assert recorded(database) == set(cards)


def test_feedback_finds_the_card_that_waits_to_be_recorded(
    make: Callable[..., Flask], database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go through one queue; what is waited for takes with it what waits before it."""
    monkeypatch.setattr(writer_module, "_GATHER_S", HANGS_S)
    app = make()
    cards = show_cards(app, 1, 2)
    assert recorded(database) == set()
    assert give_feedback(app, *cards) == {"stored": 2, "repeated": 0, "unknownCards": 0}
    assert {row["foreign_card"] for row in database.rows(FEEDBACK)} == {False}


def ledgers(database: LiveDatabase) -> list[tuple[Ledger, Writer]]:
    """The ledger of two processes."""
    writers = [Writer(database.open()) for _ in range(2)]
    done = frozenset({("urn:reasons", "done")})
    return [
        (Ledger(opened, writer, lambda: NOW, done), writer)
        for opened, writer in zip(database.opened, writers, strict=True)
    ]


@pytest.mark.parametrize(
    ("is_recorded_in_time", "unknown"),
    [
        pytest.param(True, 0, id="a card that is recorded in the meantime is known"),
        pytest.param(False, 1, id="another is unknown"),
    ],
)
def test_feedback_looks_again_for_a_card_of_another_process(
    is_recorded_in_time: bool, unknown: int, database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_GATHER_S", HANGS_S)
    (first, first_writer), (second, second_writer) = ledgers(database)
    run_steps(first.record(NORTH, "order-sign", HOOK_INSTANCE, [issued(1)], {}, b"\x01" * 32))
    overridden = entry(1, reason_system="urn:reasons", reason_code="done")
    storing = second.store(NORTH, [overridden], comments=False, final_reasons=frozenset({"done"}))
    looked = next(storing)
    assert looked.result(HANGS_S) is None  # type: ignore[union-attr]
    assert database.rows(FEEDBACK) == []
    pause = storing.send(None)
    if is_recorded_in_time:
        assert first_writer.flush(HANGS_S)
    looked_again = storing.send(pause())  # type: ignore[operator]
    with pytest.raises(StopIteration) as stored:
        storing.send(looked_again.result(HANGS_S))  # type: ignore[union-attr]
    assert stored.value.value.unknown == unknown
    assert [row["foreign_card"] for row in database.rows(FEEDBACK)] == [bool(unknown)]
    assert len(database.rows(QUIET_CARD)) == 1 - unknown
    for writer in (first_writer, second_writer):
        writer.close()


def test_an_override_of_a_card_that_waits_starts_its_quiet_period(
    database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patient of the card is recorded with it, and both before the feedback."""
    monkeypatch.setattr(writer_module, "_GATHER_S", HANGS_S)
    (ledger, writer), _ = ledgers(database)
    run_steps(ledger.record(NORTH, "order-sign", HOOK_INSTANCE, [issued(1)], {}, b"\x01" * 32))
    overridden = entry(1, reason_system="urn:reasons", reason_code="done")
    run_steps(ledger.store(NORTH, [overridden], comments=False, final_reasons=frozenset({"done"})))
    assert len(database.rows(CARD_PATIENT)) == 1
    assert [row["since_ms"] for row in database.rows(QUIET_CARD)] == [NOW_MS]
    writer.close()


def test_batches_of_one_transaction_are_told_apart(database: LiveDatabase) -> None:
    """The same entry twice is new once; each client knows its own cards only."""
    (ledger, writer), _ = ledgers(database)
    tokens = Tokens()
    writer.write_soon(tokens.kind, 1)
    assert tokens.has_begun.wait(HANGS_S)
    run_steps(ledger.record(NORTH, "order-sign", HOOK_INSTANCE, [issued(1), issued(2)], {}, None))

    def begin(caller: Caller, *entries: FeedbackEntry) -> Any:
        return next(ledger.store(caller, entries, comments=False, final_reasons=frozenset()))

    batches = [
        begin(NORTH, entry(1)),
        begin(NORTH, entry(2), entry(1)),
        begin(NORTH, entry(1), entry(1, outcome="accepted", accepted_suggestions=(SUGGESTED,))),
        begin(Caller("backs", "other", ""), entry(1)),
    ]
    tokens.go.set()
    stored = [batch.result(HANGS_S) for batch in batches]
    assert [(one.new, one.repeated, one.unknown) for one in stored if one] == [(1, 0, 0), (1, 1, 0), (1, 1, 0)]
    assert stored[3] is None  # not another client's card: it is looked for once more
    assert len(database.rows(FEEDBACK)) == 3
    assert {row["client"] for row in database.rows(FEEDBACK)} == {"general"}
    writer.close()


class Counts:
    """An observer that counts calls which the ledger did not take."""

    def __init__(self) -> None:
        self.unrecorded = 0

    def on_call(self, call: Any, status: int, seconds: float) -> None:
        self.unrecorded += bool(call.unrecorded)

    def on_event(self, event: str, *values: str, number: int = 1) -> None:
        self.unrecorded += number if event == "unrecorded" else 0


@pytest.fixture
def counts() -> Iterator[Counts]:
    counts = Counts()
    yield counts
    observe_with()


def test_a_database_that_stalls_costs_no_answer_and_the_queue_is_bounded(
    make_app: Callable[..., Flask], sqlite_database: LiveDatabase, monkeypatch: pytest.MonkeyPatch, counts: Counts
) -> None:
    """What the queue does not take is logged and counted; the rest is recorded once the database is back."""
    monkeypatch.setattr(writer_module, "_MOST_UNAWAITED", 3)
    app = make_app(database_url=sqlite_database.url)
    observe_with(counts)
    with locked(sqlite_database), capture_logs() as log:
        cards = show_cards(app, 1, 2, 3, 4, 5)
        assert app.extensions["writer"].waiting == 3
    failures = [line.get("cds_hooks.ledger.failure") for line in log if line["event"] == "cds_hooks.call"]
    assert failures == [None, None, None, "the queue is full", "the queue is full"]
    assert counts.unrecorded == 2
    with capture_logs():
        assert app.extensions["writer"].flush(HANGS_S)
    assert recorded(sqlite_database) == set(cards[:3])


def test_a_stop_says_which_cards_it_could_not_record(
    make_app: Callable[..., Flask], sqlite_database: LiveDatabase, monkeypatch: pytest.MonkeyPatch, counts: Counts
) -> None:
    monkeypatch.setattr(writer_module, "_STOP_S", 0.05)
    monkeypatch.setattr(sqlite_engine, "LOCKED_MS", 200)
    app = make_app(database_url=sqlite_database.url)
    observe_with(counts)
    with locked(sqlite_database):
        cards = show_cards(app, 1, 2)
        with capture_logs() as log:
            app.extensions["writer"].close()
        assert app.extensions["writer"].flush(HANGS_S)  # what was reported as lost is not tried again
    (unrecorded,) = [line for line in log if line["event"] == "cds_hooks.ledger.unrecorded"]
    assert unrecorded["error.type"] == "the process ends"
    assert unrecorded["cds_hooks.calls"] == 2
    assert sorted(unrecorded["cds_hooks.card_uuids"]) == sorted(cards)
    assert unrecorded["cds_hooks.clients"] == ["unidentified"]
    assert counts.unrecorded == 2


def test_a_process_that_ends_records_what_waits(
    make_app: Callable[..., Flask], sqlite_database: LiveDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(writer_module, "_GATHER_S", HANGS_S)
    app = make_app(database_url=sqlite_database.url)
    cards = show_cards(app, 1, 2)
    app.extensions["housekeeping"].end()
    assert recorded(sqlite_database) == set(cards)
