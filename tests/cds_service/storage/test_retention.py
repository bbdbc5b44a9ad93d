"""Old rows are removed with their dependent rows while the service runs, and nothing else is."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table

from cds_service.storage import retention
from cds_service.storage.database import Database
from cds_service.storage.retention import parse_days, prune_ledger
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    METADATA,
    QUIET_CARD,
    SEEN_TOKEN,
    SERVICE_CALL_COUNT,
    SILENCED_CARD,
)
from tests.conftest import NOW
from tests.databases import LiveDatabase

DAY_MS = 86_400_000
NOW_MS = int(NOW.timestamp() * 1000)
OF_A_CALL = {"service": "s", "hook": "h", "hook_instance": "i", "client": "c", "indicator": "info"}
OF_A_CALL |= {"content_version": "v", "tenant": ""}


def uuid(number: int) -> str:
    return str(UUID(int=number))


def rows_of_a_card(number: int, days_ago: int) -> dict[Table, dict[str, Any]]:
    """A card of that age, and one row of each kind that goes with it or is as old."""
    at_ms = NOW_MS - days_ago * DAY_MS
    digest = number.to_bytes(32, "big")
    said = {"outcome": "accepted", "foreign_card": False, "foreign_reason": False, "service": "s", "client": "c"}
    said |= {"outcome_at_ms": at_ms, "received_at_ms": NOW_MS}  # however late the feedback came
    return {
        ISSUED_CARD: OF_A_CALL | {"card_uuid": uuid(number), "card_key": "k", "issued_at_ms": at_ms},
        ISSUED_SUGGESTION: {"suggestion_uuid": uuid(number), "card_uuid": uuid(number), "suggestion_key": "k"},
        FEEDBACK: said | {"feedback_digest": digest, "card_uuid": uuid(number)},
        ACCEPTED_SUGGESTION: {
            "feedback_digest": digest,
            "suggestion_uuid": uuid(number),
            "foreign_suggestion": False,
        },
        CARD_PATIENT: {"card_uuid": uuid(number), "patient_hash": digest, "issued_at_ms": at_ms},
        QUIET_CARD: {"patient_hash": digest, "card_key": "k", "since_ms": at_ms},
        SILENCED_CARD: OF_A_CALL
        | {"card_uuid": uuid(number), "card_key": "k", "cause": "max-cards", "silenced_at_ms": at_ms},
        SEEN_TOKEN: {"token_digest": digest, "keep_until_s": (NOW_MS + 1000 - days_ago * DAY_MS) // 1000},
    }


def fill(database: Database, *cards: dict[Table, dict[str, Any]]) -> None:
    with database.write() as connection:
        for table in METADATA.sorted_tables:
            rows = [card[table] for card in cards if table in card]
            if rows:
                connection.execute(table.insert(), rows)


@pytest.mark.parametrize("dry_run", [False, True], ids=["removed", "only counted"])
def test_what_is_older_goes_with_all_that_hangs_on_it(dry_run: bool, database: LiveDatabase) -> None:
    opened = database.open()
    old, young = [rows_of_a_card(number, 401) for number in range(3)], rows_of_a_card(9, 399)
    caller = {"client": "c", "service": "s", "hook": "h", "mode": "visible"}
    calls = {"day": "2020-01-01", **caller, "outcome": "cards", "calls": 1}
    fill(opened, *old, young, {SERVICE_CALL_COUNT: calls})
    counts = prune_ledger(opened, NOW, 400, dry_run=dry_run)
    gone = dict.fromkeys(young, old) | {SEEN_TOKEN: [*old, young]}  # an expired token goes, whatever its age
    assert counts == {table.name: len(cards) for table, cards in gone.items()}
    for table, cards in gone.items():
        kept = [card[table] for card in (*old, young) if dry_run or card not in cards]
        assert keys(table, database.rows(table)) == keys(table, kept)
    assert len(database.rows(SERVICE_CALL_COUNT)) == 1


def keys(table: Table, rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(row[column.name] for column in table.primary_key) for row in rows}


def test_feedback_on_a_card_we_do_not_know_goes_by_when_it_came(database: LiveDatabase) -> None:
    opened = database.open()
    entries = []
    for number, days in ((1, 401), (2, 399)):
        card = rows_of_a_card(number, 0)
        card[FEEDBACK]["received_at_ms"] = NOW_MS - days * DAY_MS
        entries.append({FEEDBACK: card[FEEDBACK], ACCEPTED_SUGGESTION: card[ACCEPTED_SUGGESTION]})
    fill(opened, *entries)
    counts = prune_ledger(opened, NOW, 400, dry_run=False)
    assert {name: count for name, count in counts.items() if count} == {"feedback": 1, "accepted_suggestion": 1}
    assert [row["card_uuid"] for row in database.rows(FEEDBACK)] == [uuid(2)]


@pytest.mark.slow
def test_much_is_removed_in_small_transactions_and_calls_go_on(
    database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 10)
    serving, pruning = database.open(), database.open(statement_ms=0)
    fill(pruning, *(rows_of_a_card(number, 500) for number in range(205)))
    over = Event()
    written = []

    def write() -> None:
        while not over.is_set():
            number = 1_000 + len(written)
            fill(serving, rows_of_a_card(number, 0))
            written.append(number)

    calls = Thread(target=write)
    calls.start()
    counts = prune_ledger(pruning, NOW, 400, dry_run=False)
    over.set()
    calls.join()
    assert counts["issued_card"] == counts["feedback"] == counts["silenced_card"] == 205
    assert len(database.rows(ISSUED_CARD)) == len(written) > 0


@pytest.mark.parametrize(("text", "days"), [("400d", 400), ("1", 1), (" 30d ", 30), ("99999d", 99_999)])
def test_a_number_of_days(text: str, days: int) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["", "0", "0d", "-1", "1.5", "1y", "d", "100000", "٣", "1 d"])
def test_what_is_no_number_of_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--older-than is a number of days, such as 400d"):
        parse_days(text)


def test_99999_days_ago_is_before_all_calls(database: LiveDatabase) -> None:
    opened = database.open()
    fill(opened, {ISSUED_CARD: rows_of_a_card(1, 400)[ISSUED_CARD]})
    assert not any(prune_ledger(opened, NOW, 99_999, dry_run=False).values())
