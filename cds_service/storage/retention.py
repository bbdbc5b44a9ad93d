"""Removes old rows: `cds-service db prune`, and rows that have expired while serving.

It works in small transactions with pauses, so that calls are not held up. After an interruption no card is incomplete.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, exists, func, select, tuple_

from cds_service.storage.database import Database
from cds_service.storage.schema import (
    ACCEPTED_SUGGESTION,
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    QUIET_CARD,
    SEEN_TOKEN,
    SILENCED_CARD,
)

_AT_ONCE = 1_000  # rows, or cards with their dependent rows: some 20 ms
_PAUSE_S = 0.02  # for writers that wait

Where = dict[Table, ColumnElement[bool]]


def parse_days(text: str) -> int:
    """A number of days, written 400d or 400. Raises ValueError."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})d?", text.strip())
    if not match:
        raise ValueError("--older-than is a number of days, such as 400d")
    return int(match[1])


def prune_ledger(database: Database, now: datetime, days: int, *, dry_run: bool) -> dict[str, int]:
    """Remove the cards issued, silenced and answered more than `days` ago; rows by table. Raises DatabaseUnavailable.

    Feedback is removed with its card; feedback on unknown cards, by the time it was received. `dry_run` only counts.
    """
    before_ms = int((now - timedelta(days=days)).timestamp() * 1000)
    old_card = ISSUED_CARD.c.issued_at_ms < before_ms
    known = exists().where(ISSUED_CARD.c.card_uuid == FEEDBACK.c.card_uuid)
    on_no_card = (FEEDBACK.c.received_at_ms < before_ms) & ~known
    alone: Where = {
        CARD_PATIENT: CARD_PATIENT.c.issued_at_ms < before_ms,
        QUIET_CARD: QUIET_CARD.c.since_ms < before_ms,
        SILENCED_CARD: SILENCED_CARD.c.silenced_at_ms < before_ms,
        SEEN_TOKEN: SEEN_TOKEN.c.keep_until_s < int(now.timestamp()),
    }
    if dry_run:
        old_cards = select(ISSUED_CARD.c.card_uuid).where(old_card)
        with database.read() as connection:
            return _count(connection, _cards(old_cards), _feedback(on_no_card), alone)
    removed = Counter(_in_batches(database, ISSUED_CARD.c.card_uuid, old_card, _cards))
    digest = FEEDBACK.c.feedback_digest
    removed.update(_in_batches(database, digest, on_no_card, lambda keys: _feedback(digest.in_(keys))))
    removed.update({table.name: remove_old(database, table, where) for table, where in alone.items()})
    return dict(removed)


def remove_old(database: Database, table: Table, where: ColumnElement[bool]) -> int:
    """Remove the rows of a table that match; no other rows may depend on them. Raises DatabaseUnavailable."""
    key = tuple_(*table.primary_key)
    old = select(*table.primary_key).where(where).limit(_AT_ONCE)
    removed = 0
    while True:
        with database.write() as connection:
            count = connection.execute(delete(table).where(key.in_(old))).rowcount
        removed += count
        if count < _AT_ONCE:
            return removed
        time.sleep(_PAUSE_S)


def _in_batches(
    database: Database, key: Column[Any], where: ColumnElement[bool], parts: Callable[[Any], Where]
) -> Counter[str]:
    """Remove the rows that match, each with its dependent rows in the same transaction; counts by table."""
    removed: Counter[str] = Counter()
    while True:
        with database.write() as connection:
            keys = connection.execute(select(key).where(where).limit(_AT_ONCE)).scalars().all()
            for table, part in parts(keys).items():
                removed[table.name] += connection.execute(delete(table).where(part)).rowcount
        if len(keys) < _AT_ONCE:
            return removed
        time.sleep(_PAUSE_S)


def _cards(uuids: Any) -> Where:
    """Cards and their dependent rows, in the order of removal. `uuids`: a list, or a query for them."""
    return _feedback(FEEDBACK.c.card_uuid.in_(uuids)) | {
        ISSUED_SUGGESTION: ISSUED_SUGGESTION.c.card_uuid.in_(uuids),
        ISSUED_CARD: ISSUED_CARD.c.card_uuid.in_(uuids),
    }


def _feedback(where: ColumnElement[bool]) -> Where:
    """Feedback and its dependent rows."""
    digests = select(FEEDBACK.c.feedback_digest).where(where)
    return {ACCEPTED_SUGGESTION: ACCEPTED_SUGGESTION.c.feedback_digest.in_(digests), FEEDBACK: where}


def _count(connection: Connection, *doomed: Where) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for wheres in doomed:
        for table, where in wheres.items():
            rows = select(func.count()).select_from(table).where(where)
            counts[table.name] += connection.execute(rows).scalar_one()
    return dict(counts)
