"""The writer: many in one transaction, in the order they came, and nobody harmed by another's fault or by a stall."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from cds_service.storage import writer as writer_module
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.writer import Writer
from tests.cds_service.storage.writer_items import HANGS_S, Tokens, written
from tests.databases import LiveDatabase


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
