"""The answers: how many there were, and those that are not allowed."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


class Broken(AssertionError):
    """An answer that must not be. `again`: what to send to see it again; `kind`: equal for one fault of the service."""

    def __init__(self, what: str, again: str, kind: str) -> None:
        super().__init__(what, again, kind)  # all of them, so that a process can hand it to another
        self.what = what
        self.again = again
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.what}\n{self.again}"


def broken_by(fault: BaseException | None, what: str, again: str, kind: str) -> Broken:
    """An answer that must not be, with the place of the exception behind it, where there was one, as its kind."""
    if fault is None:
        return Broken(what, again, kind)
    frames = traceback.extract_tb(fault.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
    by_place = f"{type(fault).__name__} at {places[0]}"
    return Broken(f"{what}: {by_place} < {' < '.join(places[1:6])}", again, by_place)


@dataclass
class Tally:
    """How many answers there were, by endpoint and status."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.answers.total()

    def of_status(self, least: int) -> int:
        """How many answers had this status or a greater one."""
        return sum(count for (_, status), count in self.answers.items() if status >= least)

    def __str__(self) -> str:
        """One line for each endpoint and one for all, with the count of each status."""
        endpoints = sorted({endpoint for endpoint, _ in self.answers})
        statuses = sorted({status for _, status in self.answers})
        rows = [["", *map(str, statuses), "all"]]
        for endpoint in (*endpoints, "all"):
            counts = [
                sum(count for (one, at), count in self.answers.items() if at == status and endpoint in (one, "all"))
                for status in statuses
            ]
            rows.append([endpoint, *(f"{count:,}" for count in counts), f"{sum(counts):,}"])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        )


@dataclass
class Findings:
    """Answers that must not be, by kind: the first of each, and how many there were."""

    first: dict[str, Broken] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, broken: Broken) -> None:
        """Count one, and keep it where it is the first of its kind."""
        self.counts[broken.kind] += 1
        self.first.setdefault(broken.kind, broken)
