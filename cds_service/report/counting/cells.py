"""All cards of the window, counted in cells: far fewer than cards, and every count of the report is a sum of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from cds_service.report.counting.tallies import Tally
from cds_service.report.counting.window import DAY_MS

CLOCK_LEEWAY_MS = 60_000  # so much too early counts as at once
LONGEST_WAIT_MS = 7 * DAY_MS


class Parts(NamedTuple):
    """What cells differ in. `day`: since 1970, UTC."""

    service: str
    card: str
    indicator: str
    client: str
    tenant: str
    content_version: str
    day: int


@dataclass(slots=True)
class Cell:
    """Some cards. `waits_ms`: the times to action that are believed, clocks that differ being what they are."""

    cards: int = 0
    first_ms: int = 0
    last_ms: int = 0
    accepted: int = 0
    overridden: int = 0
    at_once: int = 0
    too_early: int = 0
    too_late: int = 0
    changed: int = 0
    waits_ms: array[int] = field(default_factory=lambda: array("q"))

    def add_card(self, issued_at_ms: int) -> None:
        """Count a card that was shown."""
        if not self.cards or issued_at_ms < self.first_ms:
            self.first_ms = issued_at_ms
        if issued_at_ms > self.last_ms:
            self.last_ms = issued_at_ms
        self.cards += 1

    def add_answer(self, is_accepted: bool, wait_ms: int, changed: bool) -> None:
        """Count the outcome of one of them. `wait_ms`: from its issue to its earliest feedback by the client's clock.

        `changed`: its feedback contradicts itself.
        """
        if is_accepted:
            self.accepted += 1
        else:
            self.overridden += 1
        self.changed += changed
        if wait_ms > LONGEST_WAIT_MS:
            self.too_late += 1
        elif wait_ms >= 0:
            self.waits_ms.append(wait_ms)
        elif wait_ms >= -CLOCK_LEEWAY_MS:
            self.at_once += 1
            self.waits_ms.append(0)
        else:
            self.too_early += 1

    def tally(self) -> Tally:
        """Its counts, and the median time to action: of the middle card, or the mean of the two in the middle."""
        waits = sorted(self.waits_ms)
        median_s = (waits[(len(waits) - 1) // 2] + waits[len(waits) // 2]) / 2000 if waits else None
        return Tally(self.cards, self.accepted, self.overridden, len(waits), median_s)

    def add(self, other: Cell) -> None:
        """Count the cards of another one, too."""
        self.cards += other.cards
        self.first_ms = min(self.first_ms, other.first_ms)
        self.last_ms = max(self.last_ms, other.last_ms)
        self.accepted += other.accepted
        self.overridden += other.overridden
        self.at_once += other.at_once
        self.too_early += other.too_early
        self.too_late += other.too_late
        self.changed += other.changed
        self.waits_ms += other.waits_ms


Cells = Mapping[Parts, Cell]
_Key = TypeVar("_Key", bound="str | tuple[str, ...]")


def sum_cells(cells: Iterable[tuple[_Key, Cell]]) -> dict[_Key, Cell]:
    """The sums of the cells with the same key, in the order of the keys."""
    sums: dict[_Key, Cell] = {}
    for key, cell in cells:
        if key in sums:
            sums[key].add(cell)
        else:
            sums[key] = replace(cell, waits_ms=cell.waits_ms[:])
    return dict(sorted(sums.items()))
