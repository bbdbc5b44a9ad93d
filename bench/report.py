"""How figures are printed: plain tables with aligned columns."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from statistics import median


def machine() -> str:
    """What the figures were measured on, and how busy it was with other things at the start."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}, load average {load:.1f}"


def spread(values: Iterable[float], decimals: int) -> str:
    """Least, median and greatest of one figure over the rounds."""
    found = sorted(values)
    return " / ".join(f"{value:,.{decimals}f}" for value in (found[0], median(found), found[-1]))


def print_table(title: str, notes: Sequence[str], head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table under its title and notes: the first column to the left, figures to the right."""
    print(f"\n{title}")
    for note in notes:
        print(f"  {note}")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        first, *others = (
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "   ".join((first, *others)).rstrip())
