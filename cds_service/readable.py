"""Numbers and dates as a person reads them, the same in every report and command."""

from __future__ import annotations

from datetime import date


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """1 page, 12,345 pages."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def day(moment: date) -> str:
    """October 1, 2026."""
    return f"{moment:%B} {moment.day}, {moment.year}"
