"""FHIR dates of any precision, as ranges of UTC days: what is not known stays not known."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*")
_LEAP_SECOND = re.compile(r"(:\d\d):60")


@dataclass(frozen=True, slots=True)
class DateRange:
    """The days on which something may have happened, both ends included, and the chart's own precision as text."""

    first: date
    last: date
    text: str

    def is_before(self, day: date) -> bool | None:
        """True or False where every day of the range agrees, None where the date is too imprecise to tell."""
        if self.last < day:
            return True
        return False if self.first >= day else None


def read_date(text: str) -> DateRange | None:
    """Read a FHIR date, dateTime or instant (https://hl7.org/fhir/R4/datatypes.html#dateTime).

    A time with a zone is moved to its UTC day; a time without one keeps the day as written.
    None where the text is not a date that exists ("2023-06-31", "a long time ago").
    """
    text = text.strip()
    match = _DATE.fullmatch(text)
    try:
        if match:
            return _read_partial(match)
        if _DATE_TIME.fullmatch(text):
            moment = datetime.fromisoformat(_LEAP_SECOND.sub(r"\1:59", text))
            day = (moment.astimezone(UTC) if moment.tzinfo else moment).date()
            return DateRange(day, day, day.isoformat())
    except (ValueError, OverflowError):
        return None
    return None


def read_period(start: str | None, end: str | None) -> DateRange | None:
    """Read a FHIR Period: from the first day its start may mean to the last day its end may mean.

    A Period open at one side is as precise as the side it has.
    """
    ranges = [found for found in (read_date(start or ""), read_date(end or "")) if found]
    if not ranges:
        return None
    first, last = ranges[0], ranges[-1]
    if last.last < first.first:  # end before start: the start is the better witness
        return first
    text = first.text if first.text == last.text else f"{first.text} – {last.text}"
    return DateRange(first.first, last.last, text)


def _read_partial(match: re.Match[str]) -> DateRange:
    year, month, day = (int(part or 0) for part in match.groups())
    if not match[2]:
        return DateRange(date(year, 1, 1), date(year, 12, 31), match[0])
    if not match[3]:
        last_day = calendar.monthrange(year, month)[1]
        return DateRange(date(year, month, 1), date(year, month, last_day), match[0])
    exact = date(year, month, day)
    return DateRange(exact, exact, match[0])
