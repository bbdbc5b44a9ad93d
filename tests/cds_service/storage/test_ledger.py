"""The ledger: each call with cards is recorded once, and clients cannot affect each other's cards."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cards.card import Card, Coding, Source, Suggestion
from cds_service.steps import run_steps
from cds_service.storage.ledger import Ledger
from cds_service.storage.ledger_entries import Caller, FeedbackEntry, IssuedCard, Stored
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    METADATA,
    QUIET_CARD,
    SILENCED_CARD,
)
from cds_service.storage.writer import Writer
from tests.charts import HOOK_INSTANCE, condition, hook_call, order, post, prefetch
from tests.conftest import NOW
from tests.databases import LiveDatabase

NOW_MS = int(NOW.timestamp() * 1000)
CANARY = "Zq7Canary"
NORTH = Caller("backs", "general", "north")
OTHER = Caller("backs", "other", "")
OFFERED = ("urn:reasons", "done")


def issued(number: int, *suggestions: str) -> IssuedCard:
    """A card with ids that are easy to tell."""
    offered = tuple(Suggestion(key, key, ()) for key in suggestions)
    source = Source("", "", Coding("", "", ""))
    card = Card(f"card-{number}", "", "", "info", source, suggestions=offered, content_version="v1")
    uuids = {key: str(UUID(int=number * 100 + place)) for place, key in enumerate(suggestions)}
    return IssuedCard(card, str(UUID(int=number)), uuids)


def entry(number: int, **members: Any) -> FeedbackEntry:
    whole = {"card_uuid": str(UUID(int=number)), "outcome": "overridden", "outcome_at_ms": NOW_MS} | members
    return FeedbackEntry(**whole)


@pytest.fixture
def ledger(database: LiveDatabase) -> Ledger:
    opened = database.open(pool_size=8)
    return Ledger(opened, Writer(opened), lambda: NOW, frozenset({OFFERED}), record_before_answer=True)


def record(ledger: Ledger, *cards: IssuedCard, caller: Caller = NORTH, hashed: bytes | None = None) -> None:
    run_steps(ledger.record(caller, "order-sign", HOOK_INSTANCE, cards, {}, hashed))


def store(ledger: Ledger, *entries: FeedbackEntry, caller: Caller = NORTH, comments: bool = False) -> Stored:
    return run_steps(ledger.store(caller, entries, comments=comments, final_reasons=frozenset({"done"})))


def test_what_is_recorded_of_a_card(ledger: Ledger, database: LiveDatabase) -> None:
    silenced = {"max-cards": (issued(2),)}
    run_steps(ledger.record(NORTH, "order-sign", HOOK_INSTANCE, [issued(1, "refer")], silenced, None))
    of_call = {"service": "backs", "client": "general", "tenant": "north", "hook": "order-sign"}
    of_call |= {"hook_instance": HOOK_INSTANCE, "indicator": "info", "content_version": "v1"}
    assert database.rows(ISSUED_CARD) == [
        of_call | {"card_uuid": str(UUID(int=1)), "card_key": "card-1", "issued_at_ms": NOW_MS}
    ]
    assert database.rows(ISSUED_SUGGESTION) == [
        {"suggestion_uuid": str(UUID(int=100)), "card_uuid": str(UUID(int=1)), "suggestion_key": "refer"}
    ]
    silenced = {"card_uuid": str(UUID(int=2)), "card_key": "card-2", "cause": "max-cards", "silenced_at_ms": NOW_MS}
    assert database.rows(SILENCED_CARD) == [of_call | silenced]
    assert database.rows(CARD_PATIENT) == []


def test_a_call_that_is_tried_again_is_recorded_once(ledger: Ledger, database: LiveDatabase) -> None:
    for _ in range(2):
        record(ledger, issued(1, "a", "b"), issued(2), hashed=b"\x01" * 32)
    counts = [len(database.rows(table)) for table in (ISSUED_CARD, ISSUED_SUGGESTION, CARD_PATIENT)]
    assert counts == [2, 2, 2]


def test_the_same_call_many_times_at_once_is_recorded_once(ledger: Ledger, database: LiveDatabase) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: record(ledger, issued(1, "a", "b"), issued(2)), range(40)))
    assert (len(database.rows(ISSUED_CARD)), len(database.rows(ISSUED_SUGGESTION))) == (2, 2)


def test_the_same_batches_in_any_order_at_once_are_stored_once(ledger: Ledger, database: LiveDatabase) -> None:
    """Nobody waits in a circle: PostgreSQL would end that by refusing one of them."""
    record(ledger, *(issued(number) for number in range(1, 41)), hashed=b"\x01" * 32)
    entries = [entry(number, reason_system="urn:reasons", reason_code="done") for number in range(1, 41)]

    def store_turned(turn: int) -> int:
        turned = entries[turn:] + entries[:turn]
        return store(ledger, *(turned if turn % 2 else reversed(turned))).new

    with ThreadPoolExecutor(8) as threads:
        new = list(threads.map(store_turned, range(40)))
    assert sum(new) == len(entries)
    assert len(database.rows(FEEDBACK)) == len(database.rows(QUIET_CARD)) == len(entries)


@pytest.mark.parametrize(
    ("again", "stored"),
    [
        pytest.param({}, 1, id="the same entry is a repeat"),
        pytest.param({"reason_code": "done", "reason_system": "urn:reasons"}, 1, id="with a reason it is one too"),
        pytest.param({"user_comment": "x"}, 1, id="with a comment it is one too"),
        pytest.param({"outcome": "accepted"}, 2, id="with another outcome it is not"),
        pytest.param({"outcome_at_ms": NOW_MS + 1}, 2, id="at another time it is not"),
        pytest.param({"card_uuid": str(UUID(int=2))}, 2, id="on another card it is not"),
        pytest.param({"accepted_suggestions": (str(UUID(int=100)),)}, 2, id="with another suggestion it is not"),
    ],
)
def test_what_makes_an_entry_a_repeat(
    again: dict[str, Any], stored: int, ledger: Ledger, database: LiveDatabase
) -> None:
    """R-5.11: client, card, outcome, timestamp and suggestions."""
    store(ledger, entry(1))
    assert store(ledger, entry(1, **again)) == Stored(new=stored - 1, repeated=2 - stored, unknown=1)
    assert len(database.rows(FEEDBACK)) == stored


def test_suggestions_in_another_order_are_the_same(ledger: Ledger, database: LiveDatabase) -> None:
    both = (str(UUID(int=100)), str(UUID(int=101)))
    for taken in (both, both[::-1]):
        store(ledger, entry(1, outcome="accepted", accepted_suggestions=taken))
    assert (len(database.rows(FEEDBACK)), len(database.rows(ACCEPTED_SUGGESTION))) == (1, 2)


def test_two_clients_that_say_the_same_are_two(ledger: Ledger, database: LiveDatabase) -> None:
    """And one of them says it about a card that was never given to it."""
    record(ledger, issued(1, "refer"))
    said = entry(1, outcome="accepted", accepted_suggestions=(str(UUID(int=100)),))
    assert store(ledger, said) == Stored(new=1, repeated=0, unknown=0)
    assert store(ledger, said, caller=OTHER) == Stored(new=1, repeated=0, unknown=1)
    assert {row["client"]: row["foreign_card"] for row in database.rows(FEEDBACK)} == {"general": False, "other": True}
    assert sorted(row["foreign_suggestion"] for row in database.rows(ACCEPTED_SUGGESTION)) == [False, True]


def test_a_client_cannot_take_over_the_card_of_another(ledger: Ledger, database: LiveDatabase) -> None:
    """By sending its hookInstance: the card stays whose it is."""
    record(ledger, issued(1))
    record(ledger, issued(1), caller=OTHER)
    assert [row["client"] for row in database.rows(ISSUED_CARD)] == ["general"]


def test_a_silent_call_touches_no_database(make_app: Callable[..., Flask], sqlite_database: LiveDatabase) -> None:
    app = make_app(database_url=sqlite_database.url)
    sqlite_database.path.unlink()
    answer = post(app.test_client(), hook_call(order({"text": "Chest X-ray"})))
    assert (answer.status_code, answer.get_json()) == (200, {"cards": []})
    assert not sqlite_database.path.exists()


def test_no_row_holds_anything_of_the_chart(client: FlaskClient, app: Flask) -> None:
    """A canary in all that is about people: none of it is in any table."""
    whose = {"reference": f"Patient/{CANARY}"}
    named = {"subject": whose, "note": [{"text": CANARY}], "id": CANARY}
    chart = prefetch(condition(**named)) | {"patient": {"resourceType": "Patient", "id": CANARY}}
    call = hook_call(order(**named), prefetch=chart)
    call["context"] |= {"patientId": CANARY, "userId": f"Practitioner/{CANARY}", "encounterId": CANARY}
    assert len(post(client, call).get_json()["cards"]) == 2
    app.extensions["housekeeping"].run_once()
    app.extensions["writer"].flush()
    with app.extensions["database"].read() as connection:
        rows = {one.name: connection.execute(one.select()).all() for one in METADATA.sorted_tables}
    assert (len(rows["issued_card"]), len(rows["service_call_count"])) == (2, 1)
    assert CANARY not in str(rows)


def test_times_are_milliseconds_in_utc_by_our_clock(ledger: Ledger, database: LiveDatabase) -> None:
    record(ledger, issued(1))
    (row,) = database.rows(ISSUED_CARD)
    assert datetime.fromtimestamp(row["issued_at_ms"] / 1000, UTC).isoformat() == "2026-11-22T02:30:00+00:00"
