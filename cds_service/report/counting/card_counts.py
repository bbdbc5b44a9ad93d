"""How many cards of the window, and their outcomes: sums of cells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from cds_service.report.counting.cards import CardKey, is_never_silenced
from cds_service.report.counting.cells import Cells, Parts, sum_cells
from cds_service.report.counting.tallies import Group, Tally
from cds_service.report.counting.window import as_time, monday

# 1970-01-01 was a Thursday, three days after week 0 began
_DAYS_BEFORE = 3

# what a breakdown is by
_DIMENSIONS: Mapping[str, Callable[[Parts], tuple[str, ...]]] = {
    "service": lambda parts: (parts.service,),
    "card": lambda parts: (parts.service, parts.card),
    "week": lambda parts: (monday((parts.day + _DAYS_BEFORE) // 7).isoformat(),),
    "client": lambda parts: (parts.client,),
    "tenant": lambda parts: (parts.client, parts.tenant),
    "content-version": lambda parts: (parts.service, parts.content_version),
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


def count_all(cells: Cells) -> Tally:
    """All cards of the window together."""
    total = sum_cells(((), cell) for cell in cells.values())
    return total[()].tally() if total else Tally()


def count_by(cells: Cells, dimension: str) -> tuple[Group, ...]:
    """The cards by one of _DIMENSIONS, in the order of its keys; a week by its Monday."""
    key = _DIMENSIONS[dimension]
    sums = sum_cells((key(parts), cell) for parts, cell in cells.items())
    return tuple(Group(names, cell.tally()) for names, cell in sums.items())


def count_never_silenced(cells: Cells, never_silenced: Collection[CardKey]) -> tuple[Group, ...]:
    """The critical cards and those that are never silenced, by service, card and urgency."""
    sums = sum_cells(
        ((parts.service, parts.card, parts.indicator), cell)
        for parts, cell in cells.items()
        if is_never_silenced(parts, never_silenced)
    )
    return tuple(Group(names, cell.tally()) for names, cell in sums.items())


def count_timing(cells: Cells) -> Timing:
    """How the clients' clocks were taken."""
    listed = cells.values()
    return Timing(
        at_once=sum(cell.at_once for cell in listed),
        too_early=sum(cell.too_early for cell in listed),
        too_late=sum(cell.too_late for cell in listed),
        changed=sum(cell.changed for cell in listed),
    )


def count_cards_by_version(cells: Cells) -> tuple[VersionTally, ...]:
    """Each card in each content version, the older version first."""
    sums = sum_cells(((parts.service, parts.card, parts.content_version), cell) for parts, cell in cells.items())
    tallies = [
        VersionTally(*key, as_time(cell.first_ms), as_time(cell.last_ms), cell.tally()) for key, cell in sums.items()
    ]
    return tuple(sorted(tallies, key=lambda tally: (tally.service, tally.card, tally.first_at)))


def count_by_version(cells: Cells) -> tuple[Version, ...]:
    """The content versions in use, by service, the oldest first."""
    sums = sum_cells(((parts.service, parts.content_version), cell) for parts, cell in cells.items())
    versions = [Version(*key, as_time(cell.first_ms), as_time(cell.last_ms), cell.cards) for key, cell in sums.items()]
    return tuple(sorted(versions, key=lambda version: (version.service, version.first_at)))
