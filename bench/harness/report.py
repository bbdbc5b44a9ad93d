"""How figures are printed: Markdown tables with aligned columns, to be read as they are or pasted into a document."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from bench.harness.figures import Aim


def machine() -> str:
    """What the figures were measured on, and how busy it was with other things at the start."""
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} CPUs ({_processor()}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, load average {load:.1f}"
    )


def _processor() -> str:
    """The name of the processor, where Linux tells it, else its architecture."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(errors="replace").splitlines() if told.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def print_table(title: str, notes: Sequence[str], head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table under its title and notes: the first column to the left, figures to the right."""
    print(f"\n### {title}\n")
    for note in notes:
        print(f"- {note}")
    widths = [max(3, *map(len, column)) for column in zip(head, *rows, strict=True)]
    rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    print()
    for row in (head, rules, *rows):
        first, *others = (
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("| " + " | ".join((first, *others)) + " |", flush=True)


def print_aims(aims: Sequence[Aim]) -> None:
    """Every aim beside what was measured."""
    rows = [
        [
            aim.name,
            f"at {'least' if aim.at_least else 'most'} {aim.limit:g}{aim.unit}",
            f"{aim.measured:.3g}{aim.unit}",
            "met" if aim.is_met else "missed",
        ]
        for aim in aims
    ]
    print_table("Aims", ["judged by the median of the rounds"], ["", "aim", "measured", ""], rows)
