"""Numbers and dates as a person reads them, the same in every report and command."""

from __future__ import annotations

from datetime import date


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """1 page, 12,345 pages. `plural`: of the noun, where it takes more than an s."""
    return f"{count(number)} {noun if number == 1 else plural or f'{noun}s'}"


def day(moment: date) -> str:
    """October 1, 2026."""
    return f"{moment:%B} {moment.day}, {moment.year}"
