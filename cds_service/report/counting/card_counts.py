"""How many cards of the window, and what became of them: one statement each, the same in SQLite and PostgreSQL."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, cast, func, or_, select

from cds_service.report.counting.snapshot import ANSWERED, CELL, inline
from cds_service.report.counting.tallies import Group, Tally
from cds_service.report.counting.window import as_time, monday

CardKey = tuple[str, str]  # the id of a service, and the key of one of its cards
Waits = Mapping[tuple[Any, ...], Sequence[int]]  # by service, card, indicator, client, tenant, content version and day

# 1970-01-01 was a Thursday, three days after week 0 began
_WEEK = (CELL.c.day + inline(3)) // inline(7)

# what a breakdown is by
_DIMENSIONS = {
    "service": ("service",),
    "card": ("service", "card_key"),
    "week": ("week",),
    "client": ("client",),
    "tenant": ("client", "tenant"),
    "content-version": ("service", "content_version"),
}
_WAITS_BY = ("service", "card_key", "indicator", "client", "tenant", "content_version", "day")


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


def count_all(connection: Connection, waits: Waits) -> Tally:
    """All cards of the window together."""
    groups = _tally(connection, waits, ())
    return groups[0].tally if groups else Tally()


def count_by(connection: Connection, waits: Waits, dimension: str) -> tuple[Group, ...]:
    """The cards by one of _DIMENSIONS, in the order of its keys; a week by its Monday."""
    groups = _tally(connection, waits, _DIMENSIONS[dimension])
    if dimension == "week":
        return tuple(Group((monday(int(group.key[0])).isoformat(),), group.tally) for group in groups)
    return tuple(groups)


def count_never_silenced(
    connection: Connection, waits: Waits, never_silenced: Collection[CardKey]
) -> tuple[Group, ...]:
    """The critical cards and those that are never silenced, by service, card and urgency."""
    return tuple(_tally(connection, waits, ("service", "card_key", "indicator"), never_silenced))


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
    """Whether a row of ANSWERED or CELL is critical or one of those cards."""
    named = [and_(columns.service == service, columns.card_key == card) for service, card in sorted(never_silenced)]
    return or_(*named, columns.indicator == "critical")


def whole_sum(column: ColumnElement[object]) -> ColumnElement[int]:
    """A sum as a whole number, of nothing 0: PostgreSQL sums big integers to decimals."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)


def read_waits(connection: Connection) -> Waits:
    """The times to action of all cards that have one, in ms, in order, by what cells differ in."""
    card = ANSWERED.c
    waits: dict[tuple[object, ...], array[int]] = {}
    cells = [card[name] for name in _WAITS_BY]
    for row in connection.execute(select(*cells, card.wait_ms).where(card.wait_ms.is_not(None))):
        cell = row[:-1]
        if cell not in waits:
            waits[cell] = array("q")
        waits[cell].append(row[-1])
    return {cell: array("q", sorted(times)) for cell, times in waits.items()}


def _tally(
    connection: Connection, waits: Waits, key: Sequence[str], never_silenced: Collection[CardKey] | None = None
) -> list[Group]:
    """Counts of all cards, or of those that `is_never_silenced` is true of, by these columns or by week."""
    columns = [_WEEK if name == "week" else CELL.c[name] for name in key]
    statement = select(*columns, *_counts()).group_by(*columns).order_by(*columns)
    if never_silenced is not None:
        statement = statement.where(is_never_silenced(CELL.c, never_silenced))
    medians = _medians(waits, key)
    groups = []
    for *names, issued, accepted, overridden, timed in connection.execute(statement):
        if issued:
            tally = Tally(issued, accepted, overridden, timed, medians.get(tuple(names)))
            groups.append(Group(tuple(map(str, names)), tally))
    return groups


def _medians(waits: Waits, key: Sequence[str]) -> dict[tuple[object, ...], float]:
    """Median time to action in seconds: the middle card of each group, or the mean of the two in the middle."""
    grouped: dict[tuple[object, ...], list[int]] = {}
    for cell, times in waits.items():
        of_cell = dict(zip(_WAITS_BY, cell, strict=True))
        of_cell["week"] = (int(cell[-1]) + 3) // 7
        grouped.setdefault(tuple(of_cell[name] for name in key), []).extend(times)
    medians = {}
    for group, times in grouped.items():
        times.sort()  # of sorted runs, which it merges
        medians[group] = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2000
    return medians


def _counts() -> tuple[ColumnElement[int], ...]:
    cell = CELL.c
    return whole_sum(cell.cards), whole_sum(cell.accepted), whole_sum(cell.overridden), whole_sum(cell.timed)
