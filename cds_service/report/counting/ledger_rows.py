"""One reading of the ledger: the rows about the cards of a window, in slices that fit into memory.

SQLite takes longer to join a million cards with their feedback and suggestions than Python takes to read each table
once. So the tables are read one after the other, and what is not about the cards of the slice is passed over. Where
the slice is the smaller part of the ledger, the database joins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, func, select, type_coerce

from cds_service.report.counting.window import Window
from cds_service.storage.database import Database
from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK, ISSUED_CARD, ISSUED_SUGGESTION

MOST_CARDS = 1_000_000  # of a slice; each takes 200 bytes of memory
_ROWS_AT_ONCE = 1_000
_MEMORY_KIB = 32_000  # for sorting; with the default, both databases take twice as long


@dataclass(frozen=True)
class Slice:
    """The cards from `since_ms` (inclusive) to `until_ms` (exclusive). `is_smaller`: than the rest of the ledger."""

    since_ms: int
    until_ms: int
    is_smaller: bool


@contextmanager
def ledger_snapshot(database: Database) -> Iterator[Connection]:
    """A transaction that writes nothing and sees one moment of the ledger. Raises DatabaseUnavailable.

    Over a long ledger a statement takes many seconds: open the database with `statement_ms=0`.
    """
    with database.read() as connection:
        if database.is_sqlite:  # its transactions see one moment anyhow
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL work_mem = '{_MEMORY_KIB}kB'")
        yield connection


def list_slices(connection: Connection, window: Window) -> Iterator[Slice]:
    """The window in slices of MOST_CARDS at most, in order of time."""
    yield from _halve(connection, window.since_ms, window.until_ms, _count(connection))


def _halve(connection: Connection, since_ms: int, until_ms: int, in_ledger: int) -> Iterator[Slice]:
    cards = _count(connection, _is_issued(since_ms, until_ms))
    middle_ms = (since_ms + until_ms) // 2
    if cards <= MOST_CARDS or middle_ms == since_ms:
        yield Slice(since_ms, until_ms, 2 * cards < in_ledger)
        return
    yield from _halve(connection, since_ms, middle_ms, in_ledger)
    yield from _halve(connection, middle_ms, until_ms, in_ledger)


def read_cards(connection: Connection, part: Slice) -> Iterator[Any]:
    """Id, issue, service, key, indicator, client, tenant and content version of each card."""
    card = ISSUED_CARD.c
    columns = (card.service, card.card_key, card.indicator, card.client, card.tenant, card.content_version)
    statement = select(card.card_uuid, card.issued_at_ms, *columns).where(_is_issued(part.since_ms, part.until_ms))
    return _rows(connection, statement)


def read_feedback(connection: Connection, part: Slice) -> Iterator[Any]:
    """All feedback that is about cards that we issued to that client."""
    entry = FEEDBACK.c
    statement = select(
        entry.card_uuid,
        entry.outcome,
        entry.outcome_at_ms,
        entry.reason_system,
        entry.reason_code,
        type_coerce(entry.foreign_reason, Integer).label("foreign_reason"),
        entry.received_at_ms,
        entry.feedback_digest,
    ).where(entry.foreign_card.is_(False), entry.outcome.in_(("accepted", "overridden")))
    return _rows(connection, _of_slice(statement, part, entry.card_uuid))


def read_cards_answered_again(connection: Connection, part: Slice) -> set[str]:
    """The ids of the cards with more than one entry of feedback."""
    entry = FEEDBACK.c
    statement = select(entry.card_uuid).group_by(entry.card_uuid).having(func.count() > 1)
    return set(connection.execute(_of_slice(statement, part, entry.card_uuid)).scalars())


def read_suggestions(connection: Connection, part: Slice) -> Iterator[Any]:
    """Id, card and key of each suggestion that was offered."""
    offered = ISSUED_SUGGESTION.c
    statement = select(offered.suggestion_uuid, offered.card_uuid, offered.suggestion_key)
    return _rows(connection, _of_slice(statement, part, offered.card_uuid))


def read_taken_suggestions(connection: Connection, part: Slice) -> set[str]:
    """The ids of the suggestions that were taken. Only feedback that accepts a card names any."""
    taken, entry = ACCEPTED_SUGGESTION.c, FEEDBACK.c
    statement = (
        select(taken.suggestion_uuid)
        .join(FEEDBACK, entry.feedback_digest == taken.feedback_digest)
        .where(taken.foreign_suggestion.is_(False), entry.foreign_card.is_(False))
    )
    return set(connection.execute(_of_slice(statement, part, entry.card_uuid)).scalars())


def _is_issued(since_ms: int, until_ms: int) -> ColumnElement[bool]:
    return (ISSUED_CARD.c.issued_at_ms >= since_ms) & (ISSUED_CARD.c.issued_at_ms < until_ms)


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(ISSUED_CARD).where(*conditions)).scalar_one()


def _of_slice(statement: Select[Any], part: Slice, card_uuid: ColumnElement[str]) -> Select[Any]:
    """Of the cards of the slice alone, where that is worth a join."""
    if not part.is_smaller:
        return statement
    joined = statement.join(ISSUED_CARD, ISSUED_CARD.c.card_uuid == card_uuid)
    return joined.where(_is_issued(part.since_ms, part.until_ms))


def _rows(connection: Connection, statement: Select[Any]) -> Iterator[Any]:
    return iter(connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(statement))
