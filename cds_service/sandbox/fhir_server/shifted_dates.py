"""Moves every date of a resource by a number of days, each in the precision it has, so that a story is true today.

A month or a year moves by its middle, and so stays within half of itself of where it should be. What is no date that
exists stays as it is, for that is what such a chart is there to show.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

# The elements of type date, dateTime, instant and Period; and the strings in which charts write dates all the same.
_DATED = re.compile(r"birthDate|start|end|issued|lastUpdated|\w+(?:Date|DateTime)|(?:onset|performed|occurrence)String")
_TEXT = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)([T ]\d\d:\d\d\S*)?)?)?")
_MIDDLE_OF_MONTH = 15
_MIDDLE_OF_YEAR = (7, 2)


def shift_dates(value: Any, days: int) -> Any:
    """A copy of a resource, or a part of one, with its dates moved by so many days."""
    if isinstance(value, list):
        return [shift_dates(part, days) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: shift_date(inner, days) if isinstance(inner, str) and _DATED.fullmatch(name) else shift_dates(inner, days)
        for name, inner in value.items()
    }


def shift_date(text: str, days: int) -> str:
    """A FHIR date or dateTime moved by so many days; any other text as it is. Time of day and zone stay."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return text
    year, month, day, time = match.groups()
    try:
        if day:
            return _moved(int(year), int(month), int(day), days).isoformat() + (time or "")
        if month:
            return _moved(int(year), int(month), _MIDDLE_OF_MONTH, days).strftime("%Y-%m")
        return _moved(int(year), *_MIDDLE_OF_YEAR, days).strftime("%Y")
    except (ValueError, OverflowError):
        return text


def _moved(year: int, month: int, day: int, days: int) -> date:
    return date(year, month, day) + timedelta(days=days)
