"""Ledgers made by hand: a few cards, each with its outcome, in rows as the service writes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from cards.topic import Topic
from cds_service.report.content_words import words_of
from cds_service.report.counting.window import Window, as_ms
from cds_service.report.ledger_report import LedgerReport, build_report
from cds_service.storage.database import Database
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    CALL_COUNT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    SERVICE_CALL_COUNT,
    SILENCED_CARD,
)

SERVICE = "lumbar-puncture-back-pain"
REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OCTOBER = Window(date(2026, 10, 1), datetime(2026, 11, 1, tzinfo=UTC))
NOON = datetime(2026, 10, 14, 12, tzinfo=UTC)
_TABLES = (ISSUED_CARD, ISSUED_SUGGESTION, FEEDBACK, ACCEPTED_SUGGESTION, CALL_COUNT, SERVICE_CALL_COUNT, SILENCED_CARD)


@dataclass
class HandMadeLedger:
    """Rows that wait to be written. Cards are numbered from 1, in the order in which they are added."""

    rows: dict[Table, list[dict[str, Any]]] = field(default_factory=lambda: {table: [] for table in _TABLES})
    cards: int = 0

    def show(
        self, card: str = "confounders", *, at: datetime = NOON, suggestions: tuple[str, ...] = (), **also: Any
    ) -> int:
        """One card that was shown; its number."""
        self.cards += 1
        place = {"hook": "order-sign", "client": "general", "tenant": "", "indicator": "info", "content_version": "v1"}
        row = {"card_uuid": uuid(self.cards), "card_key": card, "service": SERVICE, "hook_instance": uuid(900_000)}
        self.rows[ISSUED_CARD].append({**row, **place, "issued_at_ms": as_ms(at), **also})
        for number, key in enumerate(suggestions, 1):
            uuids = {"suggestion_uuid": uuid(self.cards, number), "card_uuid": uuid(self.cards)}
            self.rows[ISSUED_SUGGESTION].append({**uuids, "suggestion_key": key})
        return self.cards

    def answer(
        self, card: int, outcome: str, *, after_s: float = 10, reason: str | None = None, took: int = 0, **also: Any
    ) -> None:
        """Feedback about a card, so long after NOON. `took`: the number of the suggestion that was taken."""
        row = {
            "card_uuid": uuid(card),
            "service": SERVICE,
            "client": "general",
            "tenant": "",
            "outcome": outcome,
            "outcome_at_ms": as_ms(NOON + timedelta(seconds=after_s)),
            "received_at_ms": as_ms(NOON + timedelta(seconds=after_s)),
            "reason_system": REASONS if reason else None,
            "reason_code": reason,
            "foreign_card": False,
            "foreign_reason": False,
            "user_comment": "a comment nobody may read",
            **also,
        }
        digest = hashlib.sha256(repr(sorted(row.items())).encode()).digest()
        self.rows[FEEDBACK].append({"feedback_digest": digest, **row})
        if took:
            taken = {"feedback_digest": digest, "suggestion_uuid": uuid(card, took)}
            self.rows[ACCEPTED_SUGGESTION].append({**taken, "foreign_suggestion": False})

    def show_many(self, accepted: int, overridden: int, unanswered: int = 0, **card: Any) -> None:
        """So many equal cards by outcome."""
        for number in range(accepted + overridden + unanswered):
            shown = self.show(**card)
            if number < accepted + overridden:
                self.answer(
                    shown, "accepted" if number < accepted else "overridden", client=card.get("client", "general")
                )

    def count_calls(
        self,
        day: str,
        outcome: str,
        calls: int,
        *,
        client: str = "general",
        hook: str = "order-sign",
        service: str = SERVICE,
        mode: str = "visible",
    ) -> None:
        """Calls of one day; without a service as they were counted before that was counted."""
        row = {"day": day, "client": client, "tenant": "", "hook": hook, "outcome": outcome, "calls": calls}
        if service:
            self.rows[SERVICE_CALL_COUNT].append({**row, "service": service, "mode": mode})
        else:
            self.rows[CALL_COUNT].append(row)

    def silence(self, card: str, cause: str, *, at: datetime = NOON, **also: Any) -> None:
        """One card that was due and silenced."""
        self.cards += 1
        row = {"card_uuid": uuid(self.cards), "card_key": card, "service": SERVICE, "hook_instance": uuid(900_000)}
        place = {"hook": "order-sign", "client": "general", "tenant": "", "indicator": "info", "content_version": "v1"}
        self.rows[SILENCED_CARD].append({**row, **place, "cause": cause, "silenced_at_ms": as_ms(at), **also})

    def write(self, database: Database) -> None:
        """Put all rows into a database that has the tables."""
        with database.write() as connection:
            for table, rows in self.rows.items():
                if rows:
                    connection.execute(table.insert(), rows)

    def report(self, database: Database, *topics: Topic) -> LedgerReport:
        """Write the rows and report over October 2026."""
        self.write(database)
        return build_report(database, OCTOBER, words_of(topics), "a test", made_at=OCTOBER.until)


def uuid(number: int, suggestion: int = 0) -> str:
    """The id of a card, or of one of its suggestions."""
    return str(UUID(int=number * 100 + suggestion))


def eventful_ledger() -> HandMadeLedger:
    """A ledger with something of everything: two clients, two versions, red flags, odd feedback, hostile names."""
    ledger = HandMadeLedger()
    offers = ("refer-neurology", "refer-spine")
    ledger.show_many(12, 28, 5, card="what-to-expect", suggestions=("patient-instruction",))
    ledger.show_many(30, 10, 5, card="what-to-expect", content_version="v2", at=NOON + timedelta(days=7))
    ledger.show_many(20, 15, 2, card="pain-after-puncture", suggestions=offers, tenant="=HYPERLINK(1)")
    ledger.show_many(0, 0, 9, card="confounders", client="<script>mute</script>")
    red = ledger.show("red-flags", indicator="critical")
    ledger.answer(red, "overridden", reason="action-completed")
    odd = ledger.show("confounders")
    ledger.answer(odd, "overridden", reason="=2+2", reason_system="urn:x", foreign_reason=True)
    ledger.answer(odd, "overridden", after_s=70)
    took = ledger.show("pain-after-puncture", suggestions=offers)
    ledger.answer(took, "accepted", took=2)
    ledger.answer(800, "accepted", foreign_card=True)
    ledger.silence("confounders", "quiet-period")
    for day in range(1, 31):
        ledger.count_calls(f"2026-10-{day:02}", "silent", 40)
    ledger.count_calls("2026-10-14", "cards", 100)
    ledger.count_calls("2026-10-14", "refused", 7)
    return ledger
