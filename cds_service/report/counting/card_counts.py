"""How many cards of the window, and what became of them: one statement each, the same in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, cast, func, or_, select

from cds_service.report.counting.snapshot import ACCEPTED, CARD, CELL, OVERRIDDEN, inline
from cds_service.report.counting.tallies import Group, Tally
from cds_service.report.counting.window import as_time, monday

CardKey = tuple[str, str]  # the id of a service, and the key of one of its cards
Key = Sequence[ColumnElement[object]]

# how a row of CELL, and one of CARD, falls into a breakdown; 1970-01-01 was a Thursday, three days after week 0 began
_DIMENSIONS: dict[str, tuple[Key, Key]] = {
    "service": ([CELL.c.service], [CARD.c.service]),
    "card": ([CELL.c.service, CELL.c.card_key], [CARD.c.service, CARD.c.card_key]),
    "week": ([(CELL.c.day + inline(3)) // inline(7)], [(CARD.c.day + inline(3)) // inline(7)]),
    "client": ([CELL.c.client], [CARD.c.client]),
    "tenant": ([CELL.c.client, CELL.c.tenant], [CARD.c.client, CARD.c.tenant]),
    "content-version": ([CELL.c.service, CELL.c.content_version], [CARD.c.service, CARD.c.content_version]),
}


@dataclass(frozen=True)
class Timing:
    """How many answers' clocks were not taken as they were sent, and how many cards have answers that contradict."""

    at_once: int
    too_early: int
    too_late: int
    changed: int


@dataclass(frozen=True)
class VersionTally:
    """One card in one content version, and when it was first and last shown in it."""

    service: str
    card: str
    content_version: str
    first_at: datetime
    last_at: datetime
    tally: Tally


@dataclass(frozen=True)
class Version:
    """A content version of a service and its cards in the window."""

    service: str
    content_version: str
    first_at: datetime
    last_at: datetime
    issued: int


def count_all(connection: Connection) -> Tally:
    """All cards of the window together."""
    groups = _tally(connection, [], [])
    return groups[0].tally if groups else Tally()


def count_by(connection: Connection, dimension: str) -> tuple[Group, ...]:
    """The cards by one of _DIMENSIONS, in the order of its keys; a week by its Monday."""
    groups = _tally(connection, *_DIMENSIONS[dimension])
    if dimension == "week":
        return tuple(Group((monday(int(group.key[0])).isoformat(),), group.tally) for group in groups)
    return tuple(groups)


def count_never_silenced(connection: Connection, never_silenced: Collection[CardKey]) -> tuple[Group, ...]:
    """The critical cards and those that are never silenced, by service, card and urgency."""
    cell_key, card_key = [(table.c.service, table.c.card_key, table.c.indicator) for table in (CELL, CARD)]
    return tuple(_tally(connection, cell_key, card_key, never_silenced))


def count_timing(connection: Connection) -> Timing:
    """How the clients' clocks were taken."""
    cell = CELL.c
    columns = (cell.at_once, cell.too_early, cell.too_late, cell.changed)
    return Timing(*(count or 0 for count in connection.execute(select(*map(whole_sum, columns))).one()))


def count_cards_by_version(connection: Connection) -> tuple[VersionTally, ...]:
    """Each card in each content version, the older version first."""
    cell = CELL.c
    first = func.min(cell.first_ms)
    key = (cell.service, cell.card_key, cell.content_version)
    statement = (
        select(*key, first, func.max(cell.last_ms), *_counts())
        .group_by(*key)
        .order_by(cell.service, cell.card_key, first, cell.content_version)
    )
    return tuple(
        VersionTally(service, card, version, as_time(first_ms), as_time(last_ms), Tally(*counts))
        for service, card, version, first_ms, last_ms, *counts in connection.execute(statement)
    )


def count_by_version(connection: Connection) -> tuple[Version, ...]:
    """The content versions in use, by service, the oldest first."""
    cell = CELL.c
    first = func.min(cell.first_ms)
    key = (cell.service, cell.content_version)
    statement = (
        select(*key, first, func.max(cell.last_ms), whole_sum(cell.cards))
        .group_by(*key)
        .order_by(cell.service, first, cell.content_version)
    )
    return tuple(
        Version(service, name, as_time(first_ms), as_time(last_ms), cards)
        for service, name, first_ms, last_ms, cards in connection.execute(statement)
    )


def is_never_silenced(columns: Any, never_silenced: Collection[CardKey]) -> ColumnElement[bool]:
    """Whether a row of CARD or CELL is critical or one of those cards."""
    named = [and_(columns.service == service, columns.card_key == card) for service, card in sorted(never_silenced)]
    return or_(*named, columns.indicator == "critical")


def whole_sum(column: ColumnElement[object]) -> ColumnElement[int]:
    """A sum as a whole number: PostgreSQL sums big integers to decimals."""
    return cast(func.sum(column), BigInteger)


def _tally(
    connection: Connection, cell_key: Key, card_key: Key, never_silenced: Collection[CardKey] | None = None
) -> list[Group]:
    """Counts from CELL, medians from CARD; of all cards, or of those that `is_never_silenced` is true of."""
    medians = _medians(connection, card_key, never_silenced)
    statement = select(*cell_key, *_counts()).group_by(*cell_key).order_by(*cell_key)
    if never_silenced is not None:
        statement = statement.where(is_never_silenced(CELL.c, never_silenced))
    groups = []
    for *key, issued, accepted, overridden, timed in connection.execute(statement):
        if issued:
            tally = Tally(issued, accepted, overridden, timed, medians.get(tuple(key)))
            groups.append(Group(tuple(map(str, key)), tally))
    return groups


def _medians(
    connection: Connection, key: Key, never_silenced: Collection[CardKey] | None
) -> dict[tuple[object, ...], float]:
    """Median time to action in seconds: the middle card of each group, or the mean of the two in the middle."""
    wait = CARD.c.wait_ms
    names = [f"key_{number}" for number in range(len(key))]
    place = func.row_number().over(partition_by=key or None, order_by=wait)
    size = func.count().over(partition_by=key or None)
    labelled = [column.label(name) for column, name in zip(key, names, strict=True)]
    ranked = select(*labelled, wait.label("wait_ms"), place.label("place"), size.label("size"))
    ranked = ranked.where(wait.is_not(None))
    if never_silenced is not None:
        ranked = ranked.where(is_never_silenced(CARD.c, never_silenced))
    middle = ranked.subquery()
    keys = [middle.c[name] for name in names]
    twice = middle.c.place * 2
    # the lower and the upper middle; as a sum of two whole numbers, so that both databases give the same
    statement = (
        select(*keys, func.min(middle.c.wait_ms), func.max(middle.c.wait_ms))
        .where(twice >= middle.c.size, twice <= middle.c.size + 2)
        .group_by(*keys)
    )
    rows = connection.execute(statement)
    return {tuple(group): (low + high) / 2000 for *group, low, high in rows if low is not None}


def _counts() -> tuple[ColumnElement[int], ...]:
    cell = CELL.c
    accepted = case((cell.answer == ACCEPTED, cell.cards), else_=0)
    overridden = case((cell.answer == OVERRIDDEN, cell.cards), else_=0)
    return whole_sum(cell.cards), whole_sum(accepted), whole_sum(overridden), whole_sum(cell.timed)
