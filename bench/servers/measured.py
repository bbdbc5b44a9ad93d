"""What was measured so far."""

from __future__ import annotations

from dataclasses import dataclass, field

Row = tuple[str, list[str]]  # what, and a cell for each candidate


@dataclass
class Measured:
    """The rows of the table, what the clients took of the processors in each slice, and how many answers were wrong."""

    rows: list[Row] = field(default_factory=list)
    client_cores: list[float] = field(default_factory=list)
    wrong: int = 0


def processes(count: int) -> str:
    """So many of them, in words."""
    return f"{count} process{'es' if count > 1 else ''}"
