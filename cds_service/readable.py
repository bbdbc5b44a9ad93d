"""Numbers and dates as a reader of a report meets them, the same in every report."""

from __future__ import annotations

from datetime import date


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def day(moment: date) -> str:
    """October 1, 2026."""
    return f"{moment:%B} {moment.day}, {moment.year}"
