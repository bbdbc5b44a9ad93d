"""The ledger: which cards were issued, and what became of them. No patient, user or chart data (SECURITY.md).

When `record` or `store` returns, its rows are on disk; otherwise it raises DatabaseUnavailable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, select

from cds_service.storage.database import Database
from cds_service.storage.ledger_entries import FeedbackEntry, IssuedCard
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    QUIET_CARD,
    SILENCED_CARD,
    as_name,
)


@dataclass(frozen=True)
class Caller:
    """The service that was called, and the client and tenant that called it."""

    service: str
    client: str
    tenant: str

    @property
    def columns(self) -> dict[str, str]:
        """The columns that every row has."""
        return {"service": self.service, "client": self.client, "tenant": as_name(self.tenant)}


@dataclass(frozen=True)
class Stored:
    """What became of a batch of feedback, in entries; `unknown` ones are about cards not issued to this client."""

    new: int
    repeated: int
    unknown: int


class Ledger:
    """Writes to the ledger. `offered_reasons`: system and code of the override reasons that our cards offer."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], offered_reasons: frozenset[tuple[str, str]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._offered_reasons = offered_reasons

    def record(
        self,
        caller: Caller,
        hook: str,
        hook_instance: str,
        issued: Sequence[IssuedCard],
        silenced: Mapping[str, tuple[IssuedCard, ...]],
        patient_hash: bytes | None,
    ) -> None:
        """Record the cards of one call: shown, and silenced by cause. A repeated call adds nothing.

        `patient_hash`: stored with the shown cards of clients with a quiet period, None for all others. Raises
        DatabaseUnavailable, at once where the database failed a moment ago, because a clinician waits.
        """
        now_ms = self._now_ms()
        of_call = caller.columns | {"hook": hook, "hook_instance": hook_instance}
        rows = [of_call | _card_row(card) | {"issued_at_ms": now_ms} for card in issued]
        suggestions = [
            {"suggestion_uuid": uuid, "card_uuid": card.uuid, "suggestion_key": key}
            for card in issued
            for key, uuid in card.suggestion_uuids.items()
        ]
        quiet = [
            of_call | _card_row(card) | {"cause": cause, "silenced_at_ms": now_ms}
            for cause, cards in silenced.items()
            for card in cards
        ]
        patients = [{"card_uuid": card.uuid, "patient_hash": patient_hash, "issued_at_ms": now_ms} for card in issued]
        with self._database.write(insist=False) as connection:
            self._insert(connection, ISSUED_CARD, rows)
            self._insert(connection, ISSUED_SUGGESTION, suggestions)
            self._insert(connection, SILENCED_CARD, quiet)
            self._insert(connection, CARD_PATIENT, patients if patient_hash else [])

    def store(
        self, caller: Caller, entries: Sequence[FeedbackEntry], *, comments: bool, final_reasons: frozenset[str]
    ) -> Stored:
        """Store a batch of feedback in one transaction: all of it, or none and DatabaseUnavailable.

        `comments`: whether what users wrote is kept. `final_reasons`: codes after which the client wants quiet.
        """
        now_ms = self._now_ms()
        by_digest = {_digest(caller.client, entry): entry for entry in reversed(entries)}  # the first of equal entries
        with self._database.write() as connection:
            offers = _offers(connection, caller, [entry.card_uuid for entry in entries])
            new = []
            for digest, entry in sorted(by_digest.items()):  # always in the same order, so that writers cannot deadlock
                row = self._feedback_row(caller, entry, offers.get(entry.card_uuid), now_ms, comments=comments)
                row["feedback_digest"] = digest
                if connection.execute(self._database.insert_new(FEEDBACK), row).rowcount == 1:
                    new.append(entry)
                    self._insert(connection, ACCEPTED_SUGGESTION, _taken(digest, entry, offers))
            final = [entry for entry in new if entry.reason_code in final_reasons and entry.card_uuid in offers]
            self._ask_for_quiet(connection, final, now_ms)
        unknown = sum(entry.card_uuid not in offers for entry in entries)
        return Stored(new=len(new), repeated=len(entries) - len(new), unknown=unknown)

    def _feedback_row(
        self, caller: Caller, entry: FeedbackEntry, offered: frozenset[str] | None, now_ms: int, *, comments: bool
    ) -> dict[str, Any]:
        reason = (entry.reason_system, entry.reason_code)
        foreign_reason = entry.reason_code is not None and reason not in self._offered_reasons
        return {
            "card_uuid": entry.card_uuid,
            **caller.columns,
            "outcome": entry.outcome,
            "outcome_at_ms": entry.outcome_at_ms,
            "received_at_ms": now_ms,
            "reason_system": entry.reason_system,
            "reason_code": entry.reason_code,
            "foreign_card": offered is None,
            "foreign_reason": foreign_reason,
            "user_comment": entry.user_comment if comments else None,
        }

    def _ask_for_quiet(self, connection: Connection, overrides: Sequence[FeedbackEntry], now_ms: int) -> None:
        """Start a quiet period for the card at its urgency and its patient; nothing where no hash was stored."""
        if not overrides:
            return
        in_turn = sorted(overrides, key=lambda entry: entry.outcome_at_ms)
        since_ms = {entry.card_uuid: min(entry.outcome_at_ms, now_ms) for entry in in_turn}  # the last one counts
        resting = ISSUED_CARD.c.card_key + "/" + ISSUED_CARD.c.indicator
        whose = select(CARD_PATIENT.c.patient_hash, resting, ISSUED_CARD.c.card_uuid).where(
            CARD_PATIENT.c.card_uuid == ISSUED_CARD.c.card_uuid, ISSUED_CARD.c.card_uuid.in_(since_ms)
        )
        insert = self._database.insert(QUIET_CARD)
        later = case(
            (insert.excluded.since_ms > QUIET_CARD.c.since_ms, insert.excluded.since_ms), else_=QUIET_CARD.c.since_ms
        )
        upsert = insert.on_conflict_do_update(index_elements=list(QUIET_CARD.primary_key), set_={"since_ms": later})
        for patient_hash, card, card_uuid in sorted(map(tuple, connection.execute(whose))):
            row = {"patient_hash": patient_hash, "card_key": card, "since_ms": since_ms[card_uuid]}
            connection.execute(upsert, row)

    def _insert(self, connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.execute(self._database.insert_new(table), rows)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _card_row(issued: IssuedCard) -> dict[str, str]:
    card = issued.card
    return {
        "card_uuid": issued.uuid,
        "card_key": card.key,
        "indicator": card.indicator,
        "content_version": card.content_version,
    }


def _offers(connection: Connection, caller: Caller, card_uuids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Of these cards, those that this client was shown by this service, each with the suggestions it offered."""
    offered: dict[str, set[str]] = {}
    rows = (
        select(ISSUED_CARD.c.card_uuid, ISSUED_SUGGESTION.c.suggestion_uuid)
        .join_from(ISSUED_CARD, ISSUED_SUGGESTION, isouter=True)
        .where(ISSUED_CARD.c.card_uuid.in_(set(card_uuids)))
        .where(ISSUED_CARD.c.client == caller.client, ISSUED_CARD.c.service == caller.service)
    )
    for card_uuid, suggestion_uuid in connection.execute(rows):
        offered.setdefault(card_uuid, set()).update([suggestion_uuid] if suggestion_uuid else [])
    return {card_uuid: frozenset(suggestions) for card_uuid, suggestions in offered.items()}


def _taken(digest: bytes, entry: FeedbackEntry, offers: Mapping[str, frozenset[str]]) -> list[dict[str, Any]]:
    offered = offers.get(entry.card_uuid, frozenset())
    return [
        {"feedback_digest": digest, "suggestion_uuid": uuid, "foreign_suggestion": uuid not in offered}
        for uuid in entry.accepted_suggestions
    ]


def _digest(client: str, entry: FeedbackEntry) -> bytes:
    """What makes two entries the same: client, card, outcome, timestamp and suggestions (R-5.11)."""
    parts = [client, entry.card_uuid, entry.outcome, str(entry.outcome_at_ms), *sorted(entry.accepted_suggestions)]
    return hashlib.sha256("\n".join(parts).encode()).digest()
