"""FHIR dates of any precision, as ranges of UTC days."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

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

    @property
    def is_exact(self) -> bool:
        """Whether this is one day."""
        return self.first == self.last


@dataclass(frozen=True, slots=True)
class Days:
    """How many days lie between two dates, as far as these are known: both ends included."""

    least: int
    most: int

    def exceed(self, limit: int) -> bool | None:
        """Whether there are more than `limit` days; None where the dates are too imprecise to tell."""
        if self.least > limit:
            return True
        return False if self.most <= limit else None


def exactly(day: date) -> DateRange:
    """One day, as a range."""
    return DateRange(day, day, day.isoformat())


def days_from(start: DateRange, end: DateRange) -> Days:
    """The days from `start` to `end`; negative where the end comes first."""
    return Days((end.first - start.last).days, (end.last - start.first).days)


def earliest(ranges: Iterable[DateRange]) -> DateRange | None:
    """When the first of these things happened; imprecise where it is not clear which was the first."""
    known = sorted(ranges, key=lambda dates: (dates.first, dates.last, dates.text))
    return DateRange(known[0].first, min(dates.last for dates in known), known[0].text) if known else None


def latest(ranges: Iterable[DateRange]) -> DateRange | None:
    """When the last of these things happened; imprecise where it is not clear which was the last."""
    known = sorted(ranges, key=lambda dates: (dates.last, dates.first, dates.text))
    return DateRange(max(dates.first for dates in known), known[-1].last, known[-1].text) if known else None


def until(dates: DateRange | None, today: date) -> DateRange | None:
    """The part of a range up to today; None where all of it is in the future, so that it can be no record.

    Tomorrow still counts as today: a chart east of Greenwich may be a day ahead of UTC.
    """
    if dates is None or dates.first > today + timedelta(days=1):
        return None
    return DateRange(min(dates.first, today), min(dates.last, today), dates.text)


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
    ranges = [dates for dates in (read_date(start or ""), read_date(end or "")) if dates]
    if not ranges:
        return None
    first, last = ranges[0], ranges[-1]
    if last.last < first.first:  # end before start: the start is more likely right
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
    return exactly(date(year, month, day))
