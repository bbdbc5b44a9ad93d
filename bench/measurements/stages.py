"""Without HTTP: whole answers compared with orjson parsing the same body, and the share of each stage."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.harness.bodies import CARDS, SILENT, order_with_cards, unrelated_order, work_up_order
from bench.harness.figures import Aim, ratios, spread
from bench.harness.report import print_table
from bench.measurements.in_process import ORJSON, OURS, Cost, answer_once, cost_in_child

_SILENT_PATH, _LARGE = "unrelated order, 1 MB of prefetch", "order with cards, 1,000 Conditions"
_LIMITS = {_SILENT_PATH: 0.15, _LARGE: 0.5}
_ABOUT = {
    "auth": "no token, which development allows",
    "decode": "envelope and context, strictly; prefetch stays bytes",
    "triage": "is any order ours",
    "chart": "depth, Bundles, matching against the value sets",
    "rule": "cards",
    "ledger": "ids; nothing is written here",
    "encode": "the answer",
}


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Print both tables. Returns the aims and the number of wrong answers."""
    cases = _cases()
    wrong = [name for name, (body, beginning) in cases.items() if not answer_once(body).startswith(beginning)]
    bodies = [body for body, _ in cases.values()]
    in_rounds = [
        list(zip(cost_in_child(OURS, bodies, seconds), cost_in_child(ORJSON, bodies, seconds), strict=True))
        for _ in range(rounds)
    ]
    found = dict(zip(cases, (list(pairs) for pairs in zip(*in_rounds, strict=True)), strict=True))
    _print_whole(cases, found, rounds)
    _print_stages(found, rounds)
    aims = [Aim(f"{name}, of orjson.loads", _LIMITS[name], median(_whole(found[name]))) for name in _LIMITS]
    return aims, len(wrong)


def _cases() -> dict[str, tuple[bytes, bytes]]:
    """Bodies, and how the answers begin."""
    return {
        _SILENT_PATH: (unrelated_order(1_030), SILENT),
        _LARGE: (order_with_cards(1_000), CARDS),
        "order with cards, 50 Conditions": (order_with_cards(50), CARDS),
        "work-up, 1,000 Conditions": (work_up_order(1_000), CARDS),
        "work-up, 50 Conditions": (work_up_order(50), CARDS),
        "order with cards, empty chart": (order_with_cards(0), CARDS),
    }


def _whole(pairs: Sequence[tuple[Cost, Cost]]) -> list[float]:
    return ratios([our.whole for our, _ in pairs], [reference.whole for _, reference in pairs])


def _print_whole(cases: dict[str, tuple[bytes, bytes]], found: dict[str, list[tuple[Cost, Cost]]], rounds: int) -> None:
    rows = []
    for name, pairs in found.items():
        our, reference = ([cost.whole for cost in costs] for costs in zip(*pairs, strict=True))
        limit = f"{_LIMITS[name]}" if name in _LIMITS else ""
        size = f"{len(cases[name][0]):,}"
        rows.append([name, size, spread(our, 3), spread(reference, 3), spread(_whole(pairs), 3), limit])
    notes = [
        f"least / median / greatest of {rounds} rounds, in processor time",
        "each contender in each round: a fresh process of its own that goes through all of them, so that neither"
        " inherits the other's warm memory",
    ]
    head = ["", "bytes", "our answer, ms", "orjson.loads, ms", "ratio in the round", "aim"]
    print_table("In process: the whole answer against orjson.loads of the same body", notes, head, rows)


def _print_stages(found: dict[str, list[tuple[Cost, Cost]]], rounds: int) -> None:
    told = dict.fromkeys(stage for pairs in found.values() for our, _ in pairs for stage in our.stages)
    names = [name for name in _ABOUT if name in told] + [name for name in told if name not in _ABOUT]
    rows = []
    for name, pairs in found.items():
        references = [reference.stages["whole"] for _, reference in pairs]
        cells = []
        for stage in names:
            costs = [our.stages.get(stage, 0.0) for our, _ in pairs]
            cells.append(spread(ratios(costs, references), 3) if any(costs) else "")
        rows.append([name, *cells])
    notes = [
        f"each stage over orjson.loads of the whole body: least / median / greatest of {rounds} rounds, by the clock",
        "; ".join(f"{name}: {_ABOUT[name]}" for name in names if name in _ABOUT),
    ]
    print_table("In process: the stages of a call", notes, ["", *names], rows)
