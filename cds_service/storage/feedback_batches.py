"""Writes batches of feedback: rows are added, never changed; all batches of a transaction in a few statements."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, select

from cds_service.storage.database import Database
from cds_service.storage.ledger_entries import Caller, FeedbackEntry, Stored
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    QUIET_CARD,
)

_MOST_IN_A_STATEMENT = 10_000  # values; SQLite and PostgreSQL take three times as many

Offers = Mapping[tuple[str, str, str], set[str]]  # the suggestions of cards, by client, service and card


@dataclass(frozen=True, eq=False)
class Batch:
    """The feedback of one request. `comments`: whether what users wrote is kept. `final_reasons`: codes after which the
    client wants quiet. `is_last_look`: a card that is not in the ledger now counts as unknown.
    """

    caller: Caller
    entries: Sequence[FeedbackEntry]
    comments: bool
    final_reasons: frozenset[str]
    received_ms: int
    is_last_look: bool = False

    def card(self, entry: FeedbackEntry) -> tuple[str, str, str]:
        """The key of a card in Offers: only the client that was shown it, by this service, knows it."""
        return self.caller.client, self.caller.service, entry.card_uuid


@dataclass(frozen=True, eq=False)
class _Said:
    """An entry, and the batch it came in."""

    entry: FeedbackEntry
    batch: Batch


def write_batches(
    database: Database, connection: Connection, batches: Sequence[Batch], offered_reasons: frozenset[tuple[str, str]]
) -> Sequence[Stored | None]:
    """Write them. Returns the result of each; None: not written, because a card is unknown and may yet be recorded.

    Rows are written in the order of their keys, so that two processes never wait in a circle. Of equal entries the
    first counts, and the others are repeated.
    """
    offers = _offers(connection, batches)
    due = [
        batch for batch in batches if batch.is_last_look or all(batch.card(entry) in offers for entry in batch.entries)
    ]
    digests = {batch: [_digest(batch.caller.client, entry) for entry in batch.entries] for batch in due}
    said: dict[bytes, _Said] = {}
    for batch in due:
        for digest, entry in zip(digests[batch], batch.entries, strict=True):
            said.setdefault(digest, _Said(entry, batch))
    said = {digest: said[digest] for digest in sorted(said)}
    rows = [_feedback_row(digest, first, offers, offered_reasons) for digest, first in said.items()]
    inserted = database.insert_keys(connection, FEEDBACK, rows)
    new = {digest: first for digest, first in said.items() if digest in inserted}
    taken = [row for digest, first in new.items() for row in _taken(digest, first, offers)]
    if taken:
        connection.execute(database.insert_new(ACCEPTED_SUGGESTION), taken)
    _ask_for_quiet(database, connection, [first for first in new.values() if _is_final(first, offers)])
    return [_stored(batch, digests[batch], new, offers) if batch in digests else None for batch in batches]


def _stored(batch: Batch, digests: Sequence[bytes], new: Mapping[bytes, _Said], offers: Offers) -> Stored:
    count = len({digest for digest in digests if digest in new and new[digest].batch is batch})
    unknown = sum(batch.card(entry) not in offers for entry in batch.entries)
    return Stored(new=count, repeated=len(batch.entries) - count, unknown=unknown)


def _feedback_row(
    digest: bytes, said: _Said, offers: Offers, offered_reasons: frozenset[tuple[str, str]]
) -> dict[str, Any]:
    entry, batch = said.entry, said.batch
    reason = (entry.reason_system, entry.reason_code)
    return {
        "feedback_digest": digest,
        "card_uuid": entry.card_uuid,
        **batch.caller.columns,
        "outcome": entry.outcome,
        "outcome_at_ms": entry.outcome_at_ms,
        "received_at_ms": batch.received_ms,
        "reason_system": entry.reason_system,
        "reason_code": entry.reason_code,
        "foreign_card": batch.card(entry) not in offers,
        "foreign_reason": entry.reason_code is not None and reason not in offered_reasons,
        "user_comment": entry.user_comment if batch.comments else None,
    }


def _taken(digest: bytes, said: _Said, offers: Offers) -> list[dict[str, Any]]:
    offered = offers.get(said.batch.card(said.entry), set())
    return [
        {"feedback_digest": digest, "suggestion_uuid": uuid, "foreign_suggestion": uuid not in offered}
        for uuid in said.entry.accepted_suggestions
    ]


def _is_final(said: _Said, offers: Offers) -> bool:
    """Whether the client wants quiet after this: an override, for a final reason, of a card that it was shown."""
    return said.entry.reason_code in said.batch.final_reasons and said.batch.card(said.entry) in offers


def _ask_for_quiet(database: Database, connection: Connection, overrides: Sequence[_Said]) -> None:
    """Start a quiet period for the card at its urgency and its patient; nothing where no hash was stored."""
    if not overrides:
        return
    in_turn = sorted(overrides, key=lambda said: said.entry.outcome_at_ms)  # the last one counts
    since_ms = {said.entry.card_uuid: min(said.entry.outcome_at_ms, said.batch.received_ms) for said in in_turn}
    resting = ISSUED_CARD.c.card_key + "/" + ISSUED_CARD.c.indicator
    insert = database.insert(QUIET_CARD)
    later = case(
        (insert.excluded.since_ms > QUIET_CARD.c.since_ms, insert.excluded.since_ms), else_=QUIET_CARD.c.since_ms
    )
    upsert = insert.on_conflict_do_update(index_elements=list(QUIET_CARD.primary_key), set_={"since_ms": later})
    patients: list[tuple[Any, ...]] = []
    for cards in _parts(sorted(since_ms)):
        whose = select(CARD_PATIENT.c.patient_hash, resting, ISSUED_CARD.c.card_uuid).where(
            CARD_PATIENT.c.card_uuid == ISSUED_CARD.c.card_uuid, ISSUED_CARD.c.card_uuid.in_(cards)
        )
        patients += map(tuple, connection.execute(whose))
    for patient_hash, card, card_uuid in sorted(patients):
        row = {"patient_hash": patient_hash, "card_key": card, "since_ms": since_ms[card_uuid]}
        connection.execute(upsert, row)


def _offers(connection: Connection, batches: Sequence[Batch]) -> Offers:
    """The cards of these batches that are in the ledger, each with the suggestions that it offered."""
    offers: dict[tuple[str, str, str], set[str]] = {}
    for cards in _parts(sorted({entry.card_uuid for batch in batches for entry in batch.entries})):
        rows = (
            select(ISSUED_CARD.c.client, ISSUED_CARD.c.service, ISSUED_CARD.c.card_uuid)
            .add_columns(ISSUED_SUGGESTION.c.suggestion_uuid)
            .join_from(ISSUED_CARD, ISSUED_SUGGESTION, isouter=True)
            .where(ISSUED_CARD.c.card_uuid.in_(cards))
        )
        for client, service, card_uuid, suggestion_uuid in connection.execute(rows):
            offers.setdefault((client, service, card_uuid), set()).update([suggestion_uuid] if suggestion_uuid else [])
    return offers


def _parts(cards: Sequence[str]) -> Sequence[Sequence[str]]:
    return [cards[at : at + _MOST_IN_A_STATEMENT] for at in range(0, len(cards), _MOST_IN_A_STATEMENT)]


def _digest(client: str, entry: FeedbackEntry) -> bytes:
    """What makes two entries the same: client, card, outcome, timestamp and suggestions (R-5.11)."""
    parts = [client, entry.card_uuid, entry.outcome, str(entry.outcome_at_ms), *sorted(entry.accepted_suggestions)]
    return hashlib.sha256("\n".join(parts).encode()).digest()
