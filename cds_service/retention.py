"""`cds-service db prune`: what is old enough is removed from the ledger."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import Connection, Delete, delete, func, select

from cds_service.database import Database
from cds_service.schema import (
    ACCEPTED_SUGGESTION,
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    QUIET_CARD,
    SEEN_TOKEN,
    SILENCED_CARD,
)


def parse_days(text: str) -> int:
    """A number of days, written 400d or 400. Raises ValueError."""
    match = re.fullmatch(r"([1-9]\d{0,4})d?", text.strip())
    if not match:
        raise ValueError("--older-than is a number of days, such as 400d")
    return int(match[1])


def prune_ledger(database: Database, now: datetime, days: int, *, dry_run: bool) -> dict[str, int]:
    """Remove the cards issued, silenced and answered more than `days` ago; rows by table. Raises DatabaseAway.

    Feedback goes with its card; on cards we do not know, by when it was received.
    """
    before_ms = int((now - timedelta(days=days)).timestamp() * 1000)
    old_cards = select(ISSUED_CARD.c.card_uuid).where(ISSUED_CARD.c.issued_at_ms < before_ms)
    known = select(ISSUED_CARD.c.card_uuid)
    old_feedback = select(FEEDBACK.c.feedback_digest).where(
        FEEDBACK.c.card_uuid.in_(old_cards)
        | ((FEEDBACK.c.received_at_ms < before_ms) & FEEDBACK.c.card_uuid.not_in(known))
    )
    doomed = {
        ACCEPTED_SUGGESTION: delete(ACCEPTED_SUGGESTION).where(ACCEPTED_SUGGESTION.c.feedback_digest.in_(old_feedback)),
        FEEDBACK: delete(FEEDBACK).where(FEEDBACK.c.feedback_digest.in_(old_feedback)),
        ISSUED_SUGGESTION: delete(ISSUED_SUGGESTION).where(ISSUED_SUGGESTION.c.card_uuid.in_(old_cards)),
        CARD_PATIENT: delete(CARD_PATIENT).where(CARD_PATIENT.c.issued_at_ms < before_ms),
        QUIET_CARD: delete(QUIET_CARD).where(QUIET_CARD.c.since_ms < before_ms),
        SILENCED_CARD: delete(SILENCED_CARD).where(SILENCED_CARD.c.silenced_at_ms < before_ms),
        SEEN_TOKEN: delete(SEEN_TOKEN).where(SEEN_TOKEN.c.keep_until_s < int(now.timestamp())),
        ISSUED_CARD: delete(ISSUED_CARD).where(ISSUED_CARD.c.issued_at_ms < before_ms),
    }
    with database.write() as connection:
        return {table.name: _run(connection, one, dry_run=dry_run) for table, one in doomed.items()}


def _run(connection: Connection, doomed: Delete, *, dry_run: bool) -> int:
    if not dry_run:
        return connection.execute(doomed).rowcount
    where = doomed.whereclause
    counted = select(func.count()).select_from(doomed.table)
    return int(connection.execute(counted if where is None else counted.where(where)).scalar_one())
