"""How the cost of an order with cards grows with the chart, from 10 Conditions to 20,000, and by which exponent."""

from __future__ import annotations

from statistics import median

from bench.harness.bodies import CARDS, order_with_cards
from bench.harness.figures import Aim, fit_exponent, ratios, spread
from bench.harness.report import print_table
from bench.measurements.in_process import ORJSON, OURS, answer_once, cost_in_child

_SIZES = (10, 100, 1_000, 5_000, 20_000)
_FITTED_FROM = 1_000  # below it the fixed cost of a call hides the growth
_LIMIT = 1.05


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Print what one more Condition costs. Returns the aim and the number of wrong answers."""
    bodies = [order_with_cards(size) for size in _SIZES]
    wrong = sum(not answer_once(body).startswith(CARDS) for body in bodies)
    ours, theirs = [], []
    for _ in range(rounds):  # every round: a fresh process for each contender, which goes through all sizes
        ours.append([cost.whole for cost in cost_in_child(OURS, bodies, seconds)])
        theirs.append([cost.whole for cost in cost_in_child(ORJSON, bodies, seconds)])
    rows = [
        [
            f"{size:,}",
            f"{len(bodies[place]):,}",
            spread([costs[place] for costs in ours], 3),
            spread([costs[place] / size * 1000 for costs in ours], 2),
            spread(ratios([costs[place] for costs in ours], [costs[place] for costs in theirs]), 3),
        ]
        for place, size in enumerate(_SIZES)
    ]
    exponents = [_exponent(costs) for costs in ours]
    notes = [
        f"least / median / greatest of {rounds} rounds, in processor time",
        f"exponent from {_FITTED_FROM:,} to {_SIZES[-1]:,} Conditions, least squares of log cost over log size: "
        f"{spread(exponents, 3)}; orjson.loads of the same bodies: {spread(map(_exponent, theirs), 3)}",
        f"over all sizes, where the fixed cost of a call flatters it: {spread([_exponent(c, 0) for c in ours], 3)}",
        "20,000 Conditions are more than CDS_MAX_BODY_BYTES allows by default: without HTTP only",
    ]
    head = ["Conditions", "bytes", "our answer, ms", "microseconds a Condition", "over orjson.loads"]
    print_table("In process: how the cost of an order with cards grows with the chart", notes, head, rows)
    return [Aim("growth with the chart, exponent", _LIMIT, median(exponents))], wrong


def _exponent(costs: list[float], smallest: int = _FITTED_FROM) -> float:
    pairs = [(size, cost) for size, cost in zip(_SIZES, costs, strict=True) if size >= smallest]
    return fit_exponent([size for size, _ in pairs], [cost for _, cost in pairs])
