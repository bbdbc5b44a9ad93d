"""The window of a report: whole days in UTC, the last one perhaps up to now, by the time at which cards were issued."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

DAY_MS = 86_400_000
MOST_DAYS = 3653
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AGO = re.compile(r"([1-9]\d{0,4})([dw])", re.ASCII)
_FIRST_WEEK = date(1969, 12, 29)  # the Monday before 1970: week 0


@dataclass(frozen=True)
class Window:
    """From the start of the day `since` (inclusive) to `until` (exclusive), both UTC."""

    since: date
    until: datetime

    @property
    def since_ms(self) -> int:
        """Its first moment, in ms since 1970."""
        return as_ms_of_day(self.since)

    @property
    def until_ms(self) -> int:
        """The first moment after it, in ms since 1970."""
        return as_ms(self.until)

    @property
    def last_day(self) -> date:
        """The last day that is at least partly in the window."""
        return as_time(max(self.until_ms - 1, self.since_ms)).date()

    def days(self) -> list[date]:
        """All its days."""
        return [self.since + timedelta(days=number) for number in range((self.last_day - self.since).days + 1)]

    def is_whole_week(self, monday: date) -> bool:
        """Whether the whole of the week that begins on `monday` lies in it."""
        end = datetime.combine(monday + timedelta(days=7), time(), UTC)
        return monday >= self.since and end <= self.until


def read_day(text: str, today: date) -> date:
    """The first or last day of a window: `30d` or `12w` ago, or a date. Raises ValueError saying what to write."""
    day = None
    with suppress(ValueError, OverflowError):
        if ago := _AGO.fullmatch(text):
            day = today - timedelta(days=int(ago[1]) * (7 if ago[2] == "w" else 1))
        elif _DATE.fullmatch(text):
            day = date.fromisoformat(text)
    if day is None:
        raise ValueError("must be days or weeks ago such as 30d or 12w, or a date such as 2026-10-01")
    if day > today:
        raise ValueError(f"must not be after today, {today} in UTC")
    if (today - day).days > MOST_DAYS:
        raise ValueError("must not be more than ten years back")
    return day


def window_of(since: date, last_day: date, now: datetime) -> Window:
    """The window of these days, both included; of today, what has passed. Raises ValueError where there is no day."""
    if last_day < since:
        raise ValueError(f"must not be before the first day, {since}")
    return Window(since, min(now, datetime.combine(last_day + timedelta(days=1), time(), UTC)))


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def monday(week: int) -> date:
    """The Monday of a week, by its number since 1970."""
    return _FIRST_WEEK + timedelta(weeks=week)


def as_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def as_ms_of_day(day: date) -> int:
    """The first moment of a day in UTC, in ms since 1970."""
    return as_ms(datetime.combine(day, time(), UTC))


def as_time(ms: int) -> datetime:
    """A moment in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
