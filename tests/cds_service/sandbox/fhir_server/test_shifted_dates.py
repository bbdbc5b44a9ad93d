"""Every date keeps its precision, its time and its zone; other values are unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.sandbox.fhir_server.shifted_dates import shift_date, shift_dates

A_LEAP_YEAR = 366


@pytest.mark.parametrize(
    ("text", "days", "shifted"),
    [
        pytest.param("2026-11-22", 0, "2026-11-22", id="on the day of the stories nothing moves"),
        pytest.param("2026-11-22", 10, "2026-12-02", id="a day into the next month"),
        pytest.param("2026-12-31", 1, "2027-01-01", id="a day into the next year"),
        pytest.param("1984-02-29", 365, "1985-02-28", id="a birthday on a leap day"),
        pytest.param("2026-11-22", -30, "2026-10-23", id="a clock before the stories"),
        pytest.param("2026-06-22T09:40:00-05:00", 3, "2026-06-25T09:40:00-05:00", id="time and zone stay"),
        pytest.param("2026-11-19T23:59:60Z", 1, "2026-11-20T23:59:60Z", id="a leap second stays one"),
        pytest.param("2011-02-17T08:00", 1, "2011-02-18T08:00", id="a time without seconds or zone"),
        pytest.param("2026-04", 0, "2026-04", id="a month, the same day"),
        pytest.param("2026-04", 10, "2026-04", id="a month, by less than half"),
        pytest.param("2026-04", 20, "2026-05", id="a month, by more than half"),
        pytest.param("2026-12", 31, "2027-01", id="a month into the next year"),
        pytest.param("2016", 0, "2016", id="a year, the same day"),
        pytest.param("2016", 100, "2016", id="a year, by less than half"),
        pytest.param("2016", 200, "2017", id="a year, by more than half"),
        pytest.param("2016", A_LEAP_YEAR, "2017", id="a year, by a year"),
        pytest.param("2023-06-31", 400, "2023-06-31", id="a day that does not exist stays as impossible as it is"),
        pytest.param("2023-13", 400, "2023-13", id="a month that does not exist"),
        pytest.param("0000", 400, "0000", id="a year that does not exist"),
        pytest.param("9999-12-31", 400, "9999-12-31", id="past the end of the calendar"),
        pytest.param("2026-11-22 or so", 400, "2026-11-22 or so", id="words after a date"),
        pytest.param("hace varios años", 400, "hace varios años", id="words"),
        pytest.param("", 400, "", id="nothing"),
    ],
)
def test_a_date_moves_in_its_own_precision(text: str, days: int, shifted: str) -> None:
    assert shift_date(text, days) == shifted


@pytest.mark.parametrize("days", [1, 14, 15, 16, 45, 183, 400, 1234])
@pytest.mark.parametrize("text", ["2026-01", "2026-02", "2024-02", "2026-12"])
def test_a_month_stays_within_half_a_month_of_where_it_should_be(text: str, days: int) -> None:
    exact = shift_date(f"{text}-15", days)
    assert shift_date(text, days) == exact[:7]


@pytest.mark.parametrize(
    ("element", "moves"),
    [
        pytest.param({"birthDate": "2026-01-01"}, True, id="a birth date, so that ages stay"),
        pytest.param({"onsetDateTime": "2026-01-01"}, True, id="an onset"),
        pytest.param({"assertedDate": "2026-01-01"}, True, id="the recorded date of STU3"),
        pytest.param(
            {"performedPeriod": {"start": "2026-01-01", "end": "2026-01-01"}}, True, id="both ends of a Period"
        ),
        pytest.param({"extension": [{"valueDateTime": "2026-01-01"}]}, True, id="deep in an extension"),
        pytest.param({"performedString": "2026-01-01"}, True, id="a date in words"),
        pytest.param({"code": {"coding": [{"version": "2026", "code": "2026-01"}]}}, False, id="a version and a code"),
        pytest.param({"id": "2026-01-01", "text": "2026-01-01"}, False, id="an id and a text"),
        pytest.param({"onsetAge": {"value": 52}}, False, id="an age"),
    ],
)
def test_dates_move_and_nothing_else(element: dict[str, Any], moves: bool) -> None:
    untouched = str(element)
    shifted = shift_dates(element, 1)
    assert str(shifted) == (untouched.replace("2026-01-01", "2026-01-02") if moves else untouched)
    assert str(element) == untouched  # charts are shared
