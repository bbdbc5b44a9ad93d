"""The arithmetic of what is printed: how a figure spreads over its rounds, ratios, the exponent of a growth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from statistics import linear_regression, median, quantiles


def spread(values: Iterable[float], decimals: int) -> str:
    """Least, median and greatest of one figure over the rounds."""
    found = sorted(values)
    return " / ".join(f"{value:,.{decimals}f}" for value in (found[0], median(found), found[-1]))


def ratios(ours: Iterable[float], references: Iterable[float]) -> list[float]:
    """Our figure over the reference, each within its own round: other load on the machine affects both."""
    return [our / reference for our, reference in zip(ours, references, strict=True)]


def fit_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The e of cost = c * size ** e, by least squares of the logarithms: 1 where twice as much costs twice as much."""
    return linear_regression([log(size) for size in sizes], [log(cost) for cost in costs]).slope


def p99(values: Sequence[float]) -> float:
    """The 99th percentile; of a single value, that value."""
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95 and p99 of at least two values."""
    points = quantiles(values, n=100, method="inclusive")
    return points[49], points[94], points[98]


@dataclass(frozen=True)
class Aim:
    """A target and the measured median. `at_least`: more is better; otherwise less is."""

    name: str
    limit: float
    measured: float
    unit: str = ""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the median meets the target."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit
