"""The writer: many in one transaction, in the order they came, and nobody harmed by another's fault or by a stall."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, event, insert
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from cds_service.event_log.events import observe_with
from cds_service.steps import run_steps
from cds_service.storage import writer as writer_module
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.ledger import Ledger
from cds_service.storage.ledger_entries import Caller, FeedbackEntry
from cds_service.storage.schema import CARD_PATIENT, FEEDBACK, ISSUED_CARD, QUIET_CARD, SEEN_TOKEN
from cds_service.storage.writer import Kind, Writer
from tests.cds_service.storage.test_ledger import NORTH, NOW_MS, entry, issued
from tests.charts import HOOK_INSTANCE, SERVICE, hook_call, post
from tests.conftest import NOW
from tests.databases import LiveDatabase

HANGS_S = 20
SUGGESTED = "11111111-2222-5333-8444-555555555555"


class Tokens:
    """A kind of item that is written as a row of `seen_token`. The first group waits until `go` is set."""

    def __init__(self, *, insist: bool = False) -> None:
        self.go, self.has_begun = Event(), Event()
        self.groups: list[int] = []
        self.lost: list[tuple[str, Sequence[int]]] = []
        self.kind: Kind[int, int] = Kind(
            rank=0, write=self._write, insist=insist, on_lost=lambda *lost: self.lost.append(lost)
        )

    def _write(self, connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        self.has_begun.set()
        assert self.go.wait(HANGS_S)
        self.groups.append(len(numbers))
        rows = [{"token_digest": bytes([number]) * 32 if number else None, "keep_until_s": 0} for number in numbers]
        connection.execute(insert(SEEN_TOKEN), rows)
        return [number * 10 for number in numbers]


def written(database: LiveDatabase) -> list[int]:
    return sorted(row["token_digest"][0] for row in database.rows(SEEN_TOKEN))


@pytest.fixture
def writer(database: LiveDatabase) -> Iterator[Writer]:
    writer = Writer(database.open())
    yield writer
    writer.close()


@pytest.fixture
def tokens(writer: Writer) -> Iterator[Tokens]:
    """The writer has begun to write item 1, and does not go on yet."""
    tokens = Tokens()
    writer.write_soon(tokens.kind, 1)
    assert tokens.has_begun.wait(HANGS_S)
    yield tokens
    tokens.go.set()


def test_all_that_waits_is_written_in_one_transaction(writer: Writer, tokens: Tokens, database: LiveDatabase) -> None:
    commits: list[Any] = []
    event.listen(database.opened[0].engine, "commit", commits.append)
    results = [writer.write(tokens.kind, number) for number in range(2, 22)]
    assert not any(result.done() for result in results)
    tokens.go.set()
    assert [result.result(HANGS_S) for result in results] == [number * 10 for number in range(2, 22)]
    assert tokens.groups == [1, 20]
    assert len(commits) == 2
    assert written(database) == list(range(1, 22))


def test_an_item_that_waited_for_the_last_transaction_does_not_wait_for_more_items(
    writer: Writer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for which items are gathered begins with the oldest of them."""
    gather_s = 100.0 * HANGS_S
    monkeypatch.setattr(writer_module, "_GATHER_S", gather_s)
    writer.write_soon(tokens.kind, 2)
    monkeypatch.setattr(writer_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + gather_s))
    tokens.has_begun.clear()
    tokens.go.set()
    assert tokens.has_begun.wait(HANGS_S)


def test_who_waits_is_told_only_when_it_is_on_the_disk(writer: Writer, tokens: Tokens, database: LiveDatabase) -> None:
    result = writer.write(tokens.kind, 2)
    tokens.go.set()
    result.add_done_callback(lambda _: seen.append(written(database)))
    seen: list[list[int]] = []
    assert result.result(HANGS_S) == 20
    assert writer.flush(HANGS_S)
    assert seen == [[1, 2]]


def test_an_item_whose_statement_fails_is_left_alone_with_its_error(
    writer: Writer, tokens: Tokens, database: LiveDatabase
) -> None:
    numbers = [2, 3, 0, 4, 5]
    results = {number: writer.write(tokens.kind, number) for number in numbers}
    with capture_logs() as log:
        writer.write_soon(tokens.kind, 0)
        tokens.go.set()
        assert writer.flush(HANGS_S)
    assert [results[number].result(0) for number in numbers if number] == [20, 30, 40, 50]
    assert isinstance(results[0].exception(0), IntegrityError)
    assert written(database) == [1, 2, 3, 4, 5]
    assert [event["exception.type"] for event in log if event["event"] == "fault"] == ["IntegrityError"]
    assert tokens.lost == [("IntegrityError", [0])]


def test_nothing_is_refused_for_an_item_that_fails(writer: Writer, tokens: Tokens) -> None:
    """It is a fault of ours, and no sign of a database that should be left alone."""
    failed = writer.write(tokens.kind, 0)
    tokens.go.set()
    assert isinstance(failed.exception(HANGS_S), IntegrityError)
    assert writer.write(tokens.kind, 2).result(HANGS_S) == 20


def test_who_waits_for_a_disk_that_does_not_respond_is_refused(
    writer: Writer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, database: LiveDatabase
) -> None:
    """Those in the transaction that is stuck cannot be refused by the database; later ones are refused at once."""
    waiting = writer.write(tokens.kind, 2)
    writer.refuse_overdue()
    assert not waiting.done()
    monkeypatch.setattr(writer_module, "_LONGEST_WAIT_S", 0.0)
    writer.refuse_overdue()
    with pytest.raises(DatabaseUnavailable, match="too long"):
        waiting.result(0)
    with pytest.raises(DatabaseUnavailable, match="others wait"):
        writer.write(tokens.kind, 3).result(0)
    writer.write_soon(tokens.kind, 4)
    tokens.go.set()
    assert writer.flush(HANGS_S)
    assert written(database) == [1, 4]


def test_what_is_refused_as_overdue_and_written_after_all_harms_nobody(
    writer: Writer, database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_LONGEST_WAIT_S", 0.0)
    tokens = Tokens()
    stuck = writer.write(tokens.kind, 1)
    assert tokens.has_begun.wait(HANGS_S)
    writer.refuse_overdue()
    assert isinstance(stuck.exception(0), DatabaseUnavailable)
    tokens.go.set()
    assert writer.flush(HANGS_S)
    assert written(database) == [1]


def test_the_thread_ends_when_there_is_nothing_to_do_and_starts_again(
    writer: Writer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_IDLE_S", 0.01)
    thread = writer._thread
    assert thread
    tokens.go.set()
    thread.join(HANGS_S)
    assert not thread.is_alive()
    assert writer.write(tokens.kind, 2).result(HANGS_S) == 20


def test_a_writer_that_is_closed_has_written_what_waited_and_takes_nothing(
    writer: Writer, tokens: Tokens, database: LiveDatabase
) -> None:
    writer.write_soon(tokens.kind, 2)
    result = writer.write(tokens.kind, 3)
    tokens.go.set()
    writer.close()
    assert result.result(0) == 30
    assert written(database) == [1, 2, 3]
    assert tokens.lost == []
    with pytest.raises(DatabaseUnavailable, match="the process ends"):
        writer.write_soon(tokens.kind, 4)
    with pytest.raises(DatabaseUnavailable, match="the process ends"):
        writer.write(tokens.kind, 4).result(0)


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
    app = make_app(database_url=sqlite_database.url)
    observe_with(counts)
    with locked(sqlite_database):
        cards = show_cards(app, 1, 2)
        with capture_logs() as log:
            app.extensions["housekeeping"].end()
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


def test_those_who_do_not_insist_need_not_wait_for_those_who_do(
    database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database failed a moment ago, a token that came with feedback falls back at once."""
    opened = database.open()
    writer = Writer(opened)
    tokens, feedback = Tokens(), Tokens(insist=True)
    for kind in (tokens, feedback):
        kind.go.set()
    monkeypatch.setattr(opened, "left_alone_s", lambda: 0.0)
    monkeypatch.setattr(writer_module, "_GATHER_S", HANGS_S)
    gate = Tokens()
    writer.write(gate.kind, 1)
    assert gate.has_begun.wait(HANGS_S)
    token, insisting = writer.write(tokens.kind, 2), writer.write(feedback.kind, 3)
    monkeypatch.setattr(opened, "left_alone_s", lambda: 1.0)
    gate.go.set()
    with pytest.raises(DatabaseUnavailable, match="not tried"):
        token.result(HANGS_S)
    assert insisting.result(HANGS_S) == 30
    with pytest.raises(DatabaseUnavailable, match="not tried"):
        writer.write(tokens.kind, 4).result(0)
    writer.close()
    assert written(database) == [1, 3]
