"""Dates of any precision as ranges of UTC days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.fhir.dates import DateRange, read_date, read_period

DAY = date(2026, 11, 22)
few = settings(max_examples=100, deadline=None)
days = st.dates(date(1, 1, 1), date(9999, 12, 31))


def on(first: date, last: date | None = None, text: str | None = None) -> DateRange:
    return DateRange(first, last or first, text or first.isoformat())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2024", on(date(2024, 1, 1), date(2024, 12, 31), "2024"), id="a year is all its days"),
        pytest.param("2024-02", on(date(2024, 2, 1), date(2024, 2, 29), "2024-02"), id="a leap February has 29 days"),
        pytest.param("2023-02", on(date(2023, 2, 1), date(2023, 2, 28), "2023-02"), id="a February has 28 days"),
        pytest.param("2024-12", on(date(2024, 12, 1), date(2024, 12, 31), "2024-12"), id="December ends the year"),
        pytest.param("2024-01-08", on(date(2024, 1, 8)), id="a day is itself"),
        pytest.param("  2024-01-08 ", on(date(2024, 1, 8)), id="blanks around a date are nothing"),
        pytest.param("2024-02-02T18:56:00Z", on(date(2024, 2, 2)), id="a UTC instant is its day"),
        pytest.param("2024-02-02T23:30:00-05:00", on(date(2024, 2, 3)), id="late in New York is the next day in UTC"),
        pytest.param("2024-02-02T01:30:00+09:00", on(date(2024, 2, 1)), id="early in Tokyo is the day before in UTC"),
        pytest.param("2024-02-02 18:56-0500", on(date(2024, 2, 2)), id="a blank for the T and a zone without colon"),
        pytest.param("2024-02-02T18:56", on(date(2024, 2, 2)), id="a time without a zone keeps its day"),
        pytest.param("2024-02-02T18:56:00.123456789Z", on(date(2024, 2, 2)), id="nanoseconds are no obstacle"),
        pytest.param("2016-12-31T23:59:60Z", on(date(2016, 12, 31)), id="a leap second belongs to its minute"),
    ],
)
def test_a_date_is_read_with_the_precision_it_was_written_in(text: str, expected: DateRange) -> None:
    """clinical.md 6, rule 3."""
    assert read_date(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "2023-06-31", "2023-13", "2023-00", "0000", "2023-02-29", "a long time ago", "2023-6-1", "20230601",
     "2023-06-01T25:00:00Z", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:00-10:00", "2023-06-01Tnoon", "2023/06/01",
     "2023-06-01 and later", "١٢٣"],
)  # fmt: skip
def test_what_is_no_date_is_not_known(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("2020", "2021-03", (date(2020, 1, 1), date(2021, 3, 31)), id="start and end"),
        pytest.param("2020-05-01", None, (date(2020, 5, 1), date(2020, 5, 1)), id="open at the end"),
        pytest.param(None, "2021-03", (date(2021, 3, 1), date(2021, 3, 31)), id="open at the start"),
        pytest.param("rubbish", "2021", (date(2021, 1, 1), date(2021, 12, 31)), id="a start that is no date"),
        pytest.param(
            "2021-05-01",
            "2020-01-01",
            (date(2021, 5, 1), date(2021, 5, 1)),
            id="an end before the start is not believed",
        ),
        pytest.param("2020-05-01", "2020-05-01", (date(2020, 5, 1), date(2020, 5, 1)), id="one day is told once"),
        pytest.param("2020", "2020-03", (date(2020, 1, 1), date(2020, 3, 31)), id="an overlap"),
        pytest.param(None, None, None, id="neither"),
        pytest.param("", "soon", None, id="neither is a date"),
    ],
)
def test_a_period_runs_from_its_first_possible_day_to_its_last(
    start: str | None, end: str | None, expected: tuple[date, date] | None
) -> None:
    found = read_period(start, end)
    assert (found and (found.first, found.last)) == expected


def test_a_period_shows_the_precision_of_both_its_ends_and_one_day_once() -> None:
    both, one = read_period("2020", "2021-03"), read_period("2020-05-01", "2020-05-01")
    assert both is not None
    assert one is not None
    assert both.text.startswith("2020 ")
    assert both.text.endswith(" 2021-03")
    assert one.text == "2020-05-01"


@pytest.mark.parametrize(
    ("text", "before"),
    [
        pytest.param("2026-11-21", True, id="the day before is before"),
        pytest.param("2026-11-22", False, id="the day itself is not before"),
        pytest.param("2026-11-23", False, id="the day after is not before"),
        pytest.param("2026-10", True, id="a month that has ended is before"),
        pytest.param("2026-11", None, id="the same month cannot tell"),
        pytest.param("2026", None, id="the same year cannot tell"),
        pytest.param("2025", True, id="a year that has ended is before"),
        pytest.param("2027", False, id="a year to come is not before"),
    ],
)
def test_before_is_said_only_where_every_day_of_the_range_agrees(text: str, before: bool | None) -> None:
    found = read_date(text)
    assert found is not None
    assert found.is_before(DAY) is before


def test_a_month_that_begins_on_the_day_is_certainly_not_before_it() -> None:
    found = read_date("2026-11")
    assert found is not None
    assert found.is_before(date(2026, 11, 1)) is False
    assert found.is_before(date(2026, 12, 1)) is True


@few
@given(st.text() | st.from_regex(r"\d{1,5}([-/]\d{0,3}){0,2}([T ]\d\d:\d\d.{0,9})?", fullmatch=True))
def test_no_text_at_all_raises_and_what_is_read_is_in_order(text: str) -> None:
    found = read_date(text)
    assert found is None or found.first <= found.last


@few
@given(days)
def test_a_range_contains_every_day_that_its_precision_leaves_open(day: date) -> None:
    year, month, exact = f"{day:%Y}".zfill(4), f"{day.month:02}", f"{day.day:02}"
    for text in (year, f"{year}-{month}", f"{year}-{month}-{exact}"):
        found = read_date(text)
        assert found is not None
        assert found.first <= day <= found.last
        assert found.text == text


@few
@given(days)
def test_a_full_date_contains_its_own_day_alone(day: date) -> None:
    found = read_date(day.isoformat())
    assert found is not None
    assert (found.first, found.last) == (day, day)


@few
@given(
    st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)),  # noqa: DTZ001 - the test gives the zone
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_an_instant_is_the_same_day_in_whatever_zone_it_was_written(moment: datetime, zone: timezone) -> None:
    """Days are counted in UTC dates (design.md 5)."""
    instant = moment.replace(tzinfo=UTC)
    found = read_date(instant.astimezone(zone).isoformat(timespec="milliseconds"))
    assert found is not None
    assert found.first == found.last == moment.date()


@few
@given(days, days)
def test_a_period_contains_both_its_ends_or_only_its_start(one: date, other: date) -> None:
    found = read_period(one.isoformat(), other.isoformat())
    assert found is not None
    assert found.first == one
    assert found.last == max(one, other)
