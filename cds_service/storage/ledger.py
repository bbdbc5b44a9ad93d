"""The ledger: which cards were issued, and their feedback. No patient, user or chart data (SECURITY.md).

What `store` returned is on the disk. What `record` took is on the disk within 50 ms, or before it returns where the
site asks for that (ADR 21).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table

from cds_service.event_log.events import log_unrecorded
from cds_service.steps import Steps
from cds_service.storage.database import Database
from cds_service.storage.feedback_batches import Batch, write_batches
from cds_service.storage.ledger_entries import Caller, FeedbackEntry, IssuedCard, Stored
from cds_service.storage.schema import CARD_PATIENT, ISSUED_CARD, ISSUED_SUGGESTION, SILENCED_CARD
from cds_service.storage.writer import Kind, Writer

_OTHERS_RECORD_S = 0.06  # within this time, another process has recorded the cards that it answered
_OF_CALLS = (ISSUED_CARD, ISSUED_SUGGESTION, SILENCED_CARD, CARD_PATIENT)  # the order in which they are written

Rows = dict[Table, Sequence[Mapping[str, Any]]]  # of one call


class Ledger:
    """Writes to the ledger. `offered_reasons`: system and code of the override reasons that our cards offer.

    `record_before_answer`: cards are on the disk when `record` returns.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Callable[[], datetime],
        offered_reasons: frozenset[tuple[str, str]],
        *,
        record_before_answer: bool = False,
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._offered_reasons = offered_reasons
        self._record_before_answer = record_before_answer
        self._calls: Kind[Rows, None] = Kind(rank=0, write=self._write_calls, on_lost=_log_lost)
        self._feedback: Kind[Batch, Stored | None] = Kind(rank=2, write=self._write_feedback, insist=True)

    def record(
        self,
        caller: Caller,
        hook: str,
        hook_instance: str,
        issued: Sequence[IssuedCard],
        silenced: Mapping[str, tuple[IssuedCard, ...]],
        patient_hash: bytes | None,
    ) -> Steps[None]:
        """Record the cards of one call: shown, and silenced by cause. A repeated call adds nothing.

        `patient_hash`: stored with the shown cards of clients with a quiet period, None for all others. Raises
        DatabaseUnavailable where too many calls wait to be recorded; where cards are recorded before the answer, also
        where the database is unavailable, at once if it failed a moment ago, because a clinician waits.
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
        of_tables: Rows = {ISSUED_CARD: rows, ISSUED_SUGGESTION: suggestions, SILENCED_CARD: quiet}
        if patient_hash:
            of_tables[CARD_PATIENT] = patients
        if self._record_before_answer:
            yield self._writer.write(self._calls, of_tables)
        else:
            self._writer.write_soon(self._calls, of_tables)

    def store(
        self, caller: Caller, entries: Sequence[FeedbackEntry], *, comments: bool, final_reasons: frozenset[str]
    ) -> Steps[Stored]:
        """Store a batch of feedback in one transaction: all of it, or none and DatabaseUnavailable.

        `comments`: whether what users wrote is kept. `final_reasons`: codes after which the client wants quiet. Where a
        card is unknown, another process may be about to record it, so that the batch is tried once more a little later.
        """
        batch = Batch(caller, entries, comments, final_reasons, self._now_ms())
        stored: Stored | None = yield self._writer.write(self._feedback, batch)
        if stored is None:
            yield partial(time.sleep, _OTHERS_RECORD_S)
            stored_at_last: Stored = yield self._writer.write(self._feedback, replace(batch, is_last_look=True))
            return stored_at_last
        return stored

    def _write_calls(self, connection: Connection, calls: Sequence[Rows]) -> Sequence[None]:
        """Write the rows of all calls, always in the same order, so that two processes cannot wait in a circle."""
        for table in _OF_CALLS:
            key = next(iter(table.primary_key)).name
            rows = sorted((row for call in calls for row in call.get(table, ())), key=lambda row: row[key])
            if rows:
                connection.execute(self._database.insert_new(table), rows)
        return [None] * len(calls)

    def _write_feedback(self, connection: Connection, batches: Sequence[Batch]) -> Sequence[Stored | None]:
        return write_batches(self._database, connection, batches, self._offered_reasons)

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


def _log_lost(reason: str, calls: Sequence[Rows]) -> None:
    """Log calls that were answered with cards and are not recorded, as what is left of them."""
    rows = [row for call in calls for row in (*call[ISSUED_CARD], *call[SILENCED_CARD])]
    log_unrecorded(reason, len(calls), [row["card_uuid"] for row in rows], {row["client"] for row in rows})
