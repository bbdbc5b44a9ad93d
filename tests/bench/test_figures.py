"""The arithmetic of the benchmark: what is printed is what was measured."""

from __future__ import annotations

import pytest

from bench.harness.figures import Aim, fit_exponent, p99, ratios, spread


@pytest.mark.parametrize(
    ("values", "decimals", "printed"),
    [
        pytest.param([3.0, 1.0, 2.0], 1, "1.0 / 2.0 / 3.0", id="an odd number of rounds"),
        pytest.param([4.0, 1.0, 2.0, 3.0], 2, "1.00 / 2.50 / 4.00", id="an even number: between the two in the middle"),
        pytest.param([7.25], 1, "7.2 / 7.2 / 7.2", id="a single round"),
        pytest.param([1_234.5, 20_000, 999], 0, "999 / 1,234 / 20,000", id="thousands are separated"),
    ],
)
def test_a_spread_is_least_median_and_greatest(values: list[float], decimals: int, printed: str) -> None:
    assert spread(values, decimals) == printed


def test_ratios_are_taken_within_the_round() -> None:
    """A round in which the machine was slow is slow for both: the ratio of the medians would not be."""
    assert ratios([1.0, 10.0, 2.0], [2.0, 20.0, 1.0]) == [0.5, 0.5, 2.0]


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("cost_of", "exponent"),
    [
        pytest.param(lambda size: 3 * size, 1.0, id="twice the chart costs twice as much"),
        pytest.param(lambda size: 0.5 * size**2, 2.0, id="twice the chart costs four times as much"),
        pytest.param(lambda size: 7 + 0 * size, 0.0, id="the chart does not matter"),
        pytest.param(lambda size: size**1.05, 1.05, id="the aim itself"),
    ],
)
def test_the_exponent_of_a_growth_is_found(cost_of: object, exponent: float) -> None:
    sizes = [10, 100, 1_000, 5_000, 20_000]
    costs = [cost_of(size) for size in sizes]  # type: ignore[operator]
    assert fit_exponent(sizes, costs) == pytest.approx(exponent)


def test_a_fixed_cost_flatters_the_exponent_most_where_charts_are_small() -> None:
    """Why the exponent is fitted without the smallest charts."""
    sizes = [10, 100, 1_000, 5_000, 20_000]
    costs = [500 + size for size in sizes]
    assert fit_exponent(sizes, costs) < fit_exponent(sizes[1:], costs[1:]) < 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([*range(1, 102)], 100, id="the hundredth of a hundred and one"),
        pytest.param([5.0], 5.0, id="a single call"),
        pytest.param([1.0, 1.0, 1.0, 9.0], pytest.approx(8.76), id="few calls: toward the slowest of them"),
    ],
)
def test_p99_is_what_99_of_100_calls_do_not_exceed(values: list[float], expected: float) -> None:
    assert p99(values) == expected


@pytest.mark.parametrize(
    ("aim", "is_met"),
    [
        pytest.param(Aim("", 0.15, 0.15), True, id="at most: the limit itself"),
        pytest.param(Aim("", 0.15, 0.151), False, id="at most: above"),
        pytest.param(Aim("", 4, 4.0, at_least=True), True, id="at least: the limit itself"),
        pytest.param(Aim("", 4, 3.9, at_least=True), False, id="at least: below"),
    ],
)
def test_an_aim_is_met_on_its_own_side(aim: Aim, is_met: bool) -> None:
    assert aim.is_met is is_met
