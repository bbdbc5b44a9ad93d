"""Start: from executing `cds-service serve` to its first good answers; the first hook call compared with later ones."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from bench.harness.bodies import CARDS, order_with_cards
from bench.harness.client import Request, ask
from bench.harness.figures import Aim, ratios, spread
from bench.harness.memory import processor_seconds
from bench.harness.report import print_table
from bench.harness.server import SERVICE, our_command, running
from bench.measurements.start_stages import print_stages

_LIMIT_SECONDS = 1.2
_LATER_CALLS = 30


@dataclass(frozen=True)
class _Start:
    """Seconds from execution to the first answers, and milliseconds of the first hook call and of later ones.

    `processor_s`: what all processes of the server took up to discovery.
    """

    processor_s: float
    discovery_s: float
    hook_call_s: float
    first_ms: float
    later_ms: float
    wrong: int


def measure(rounds: int, _: float) -> tuple[list[Aim], int]:
    """Start servers with one worker and with two, in turn, and print; the aim, and how many answers were wrong."""
    call = Request.post(SERVICE, order_with_cards(50), CARDS)
    found: dict[int, list[_Start]] = {1: [], 2: []}
    for _round in range(rounds):
        for workers, starts in found.items():
            starts.append(_start(workers, call))
    rows = [
        [
            f"{workers} worker{'s'[: workers - 1]}",
            spread([one.processor_s for one in starts], 2),
            spread([one.discovery_s for one in starts], 2),
            spread([one.hook_call_s for one in starts], 2),
            spread([one.first_ms for one in starts], 1),
            spread([one.later_ms for one in starts], 1),
            spread(ratios([one.first_ms for one in starts], [one.later_ms for one in starts]), 1),
        ]
        for workers, starts in found.items()
    ]
    notes = [
        f"least / median / greatest of {rounds} starts, each with a new ledger whose schema is made; code is compiled"
        " and in the file cache",
        f"hook call: order with cards, 50 Conditions; later: median of the {_LATER_CALLS} after the first",
    ]
    head = [
        "",
        "processor s",
        "s to discovery",
        "s to a hook call's cards",
        "first call, ms",
        "later, ms",
        "first / later",
    ]
    print_table("Start: from executing cds-service serve", notes, head, rows)
    aims = [Aim("first answer after a start", _LIMIT_SECONDS, median(one.hook_call_s for one in found[1]), " s")]
    if not all(aim.is_met for aim in aims):
        print_stages(rounds)
    return aims, sum(one.wrong for starts in found.values() for one in starts)


def _start(workers: int, call: Request) -> _Start:
    with running(our_command(workers)) as server:
        answered = time.monotonic()
        spent = processor_seconds(server.process.pid)
        calls = []
        wrong = 0
        for _ in range(1 + _LATER_CALLS):
            began = time.monotonic()
            wrong += not ask(server.port, call)
            calls.append(time.monotonic() - began)
        first, *later = calls
    since = answered - server.started
    return _Start(spent, since, since + first, first * 1000, median(later) * 1000, wrong)
