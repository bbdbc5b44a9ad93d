"""Intervals against the values that were published with them."""

from __future__ import annotations

import pytest

from cds_service.report.counting.intervals import newcombe, wilson


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        pytest.param(81, 263, 0.2553, 0.3662, id="81 of 263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="15 of 148"),
        pytest.param(0, 20, 0.0, 0.1611, id="0 of 20 is not certainly never"),
        pytest.param(1, 29, 0.0061, 0.1718, id="1 of 29"),
    ],
)
def test_wilson_gives_the_values_of_newcombe_1998a(part: int, whole: int, low: float, high: float) -> None:
    """Stat Med 1998;17:857-872, table I, method 3."""
    assert wilson(part, whole) == pytest.approx((low, high), abs=0.00005)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        pytest.param((56, 70), (48, 80), 0.0524, 0.3339, id="56 of 70 and 48 of 80"),
        pytest.param((9, 10), (3, 10), 0.1705, 0.8090, id="9 of 10 and 3 of 10"),
        pytest.param((6, 7), (2, 7), 0.0582, 0.8062, id="6 of 7 and 2 of 7"),
        pytest.param((5, 56), (0, 29), -0.0381, 0.1926, id="5 of 56 and 0 of 29"),
        pytest.param((0, 10), (0, 20), -0.1611, 0.2775, id="0 of 10 and 0 of 20"),
        pytest.param((0, 10), (0, 10), -0.2775, 0.2775, id="0 of 10, twice"),
        pytest.param((10, 10), (0, 20), 0.6791, 1.0, id="10 of 10 and 0 of 20"),
        pytest.param((10, 10), (0, 10), 0.6075, 1.0, id="10 of 10 and 0 of 10"),
    ],
)
def test_newcombe_gives_the_values_of_newcombe_1998b(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """Stat Med 1998;17:873-890, table II, method 10."""
    assert newcombe(*first, *second) == pytest.approx((low, high), abs=0.00005)


@pytest.mark.parametrize(("part", "whole"), [(1, 0), (0, 0), (3, 2), (-1, 5)])
def test_what_is_no_proportion_is_refused(part: int, whole: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(part, whole)


@pytest.mark.parametrize("whole", [1, 2, 19, 1_000_000])
def test_an_interval_holds_its_rate_and_stays_between_0_and_1(whole: int) -> None:
    for part in {0, 1, whole // 2, whole - 1, whole}:
        low, high = wilson(part, whole)
        assert 0 <= low <= part / whole <= high <= 1
