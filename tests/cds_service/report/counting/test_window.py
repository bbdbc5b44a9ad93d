"""The window: what --since takes, and whole days and weeks in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from cds_service.report.counting.window import Window, as_ms, as_time, monday, monday_of, read_day

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        pytest.param("30d", date(2026, 10, 23), id="30 days ago"),
        pytest.param("1d", date(2026, 11, 21), id="yesterday"),
        pytest.param("12w", date(2026, 8, 30), id="12 weeks ago"),
        pytest.param("2026-10-01", date(2026, 10, 1), id="a date"),
        pytest.param("2026-11-22", TODAY, id="today"),
    ],
)
def test_since_is_days_or_weeks_ago_or_a_date(text: str, first: date) -> None:
    assert read_day(text, TODAY) == first


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "must be days", id="nothing"),
        pytest.param("30", "must be days", id="no unit"),
        pytest.param("0d", "must be days", id="no days"),
        pytest.param("3m", "must be days", id="months, which differ"),
        pytest.param("-3d", "must be days", id="the future"),
        pytest.param("٣d", "must be days", id="digits of another script"),
        pytest.param("2026-13-01", "must be days", id="no month"),
        pytest.param("20261001", "must be days", id="a date without hyphens"),
        pytest.param("2026-11-23", "not be after today", id="tomorrow"),
        pytest.param("1970-01-01", "ten years", id="decades ago"),
        pytest.param("99999w", "ten years", id="so long ago that it must be a slip"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_day(text, TODAY)


def test_a_window_is_whole_days_up_to_now() -> None:
    window = Window(date(2026, 11, 20), datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    assert window.days() == [date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)]
    assert as_time(window.since_ms) == datetime(2026, 11, 20, tzinfo=UTC)
    assert as_time(window.until_ms) == window.until


def test_a_day_that_has_not_begun_is_not_in_it() -> None:
    assert Window(date(2026, 11, 21), datetime(2026, 11, 22, tzinfo=UTC)).days() == [date(2026, 11, 21)]


@pytest.mark.parametrize(
    ("week", "whole"),
    [
        pytest.param(date(2026, 9, 28), False, id="began before"),
        pytest.param(date(2026, 10, 5), True, id="the first whole one"),
        pytest.param(date(2026, 10, 26), False, id="not over"),
    ],
)
def test_the_first_and_last_week_may_be_parts(week: date, whole: bool) -> None:
    assert Window(date(2026, 10, 1), datetime(2026, 10, 31, tzinfo=UTC)).is_whole_week(week) is whole


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2026, 10, 5), date(2026, 10, 11), date(2027, 1, 1)])
def test_weeks_begin_on_monday(day: date) -> None:
    number = (as_ms(datetime(day.year, day.month, day.day, tzinfo=UTC)) // 86_400_000 + 3) // 7
    assert monday(number) == monday_of(day)
    assert monday_of(day).weekday() == 0
