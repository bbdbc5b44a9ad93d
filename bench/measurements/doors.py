"""The two doors to a hook call on the same server, compared: the server's own, and Flask's (ADR 20)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from statistics import median

from bench.harness.bodies import CARDS, SILENT, order_with_cards, unrelated_order
from bench.harness.client import Request, answers
from bench.harness.figures import Aim, percentiles, ratios, spread
from bench.harness.load import NOTE, Slice, running_clients
from bench.harness.report import print_table
from bench.harness.server import READY, SERVICE, our_command, running, settle

_BODIES = {
    "unrelated order, empty chart": (unrelated_order(0), SILENT),
    "unrelated order, 49 kB": (unrelated_order(50), SILENT),
    "unrelated order, 1 MB": (unrelated_order(1_030), SILENT),
    "order with cards, 50 Conditions": (order_with_cards(50), CARDS),
    "order with cards, 1,000 Conditions": (order_with_cards(1_000), CARDS),
}
_LIMIT = 0.7


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Load both, send both single calls, and print. Returns the aim and the number of wrong answers."""
    requests = {name: Request.post(SERVICE, *body) for name, body in _BODIES.items()}
    with (
        running(our_command(), READY) as own,
        running(lambda _: [sys.executable, "-m", "bench.harness.varied_server", "flask-door"], READY) as flask,
        running_clients() as clients,
    ):
        targets = {}
        for door, server in (("own", own), ("flask", flask)):
            settle(server)
            targets |= {f"{name}, {door}": (server, request) for name, request in requests.items()}
        found = clients.rounds(targets, rounds, seconds)
        single: dict[str, list[float]] = {name: [] for name in targets}
        for _ in range(rounds):
            for name, (server, request) in targets.items():
                until = time.monotonic() + min(seconds / rounds, 1.0)
                single[name] += answers(server.port, request, until)
    rows = []
    for name in requests:
        ours, theirs = found[f"{name}, own"], found[f"{name}, flask"]
        rows.append([name, *_load(ours, theirs), _single(single[f"{name}, own"]), _single(single[f"{name}, flask"])])
    notes = [
        f"1 worker; {NOTE}; {seconds:g} s for each kind of call and door, in {rounds} slices in turn",
        "ratio: processor time of the own door over Flask's; single: one call after the other on one connection",
    ]
    head = ["", "calls/s, own", "calls/s, Flask", "processor ms, own", "processor ms, Flask", "ratio"]
    head += ["single p50 / p95 / p99 ms, own", "single, Flask"]
    print_table("Both doors: the server's own and Flask's, under the same server", notes, head, rows)
    silent = next(iter(requests))
    ratio = median(ratios(_processor(found[f"{silent}, own"]), _processor(found[f"{silent}, flask"])))
    aims = [Aim(f"{silent}: processor time at the own door over Flask's", _LIMIT, ratio)]
    return aims, sum(one.errors for slices in found.values() for one in slices)


def _load(ours: list[Slice], theirs: list[Slice]) -> list[str]:
    return [
        spread([one.per_second for one in ours], 0),
        spread([one.per_second for one in theirs], 0),
        spread(_processor(ours), 2),
        spread(_processor(theirs), 2),
        spread(ratios(_processor(ours), _processor(theirs)), 2),
    ]


def _processor(slices: list[Slice]) -> list[float]:
    return [one.server_ms for one in slices]


def _single(latencies_s: Sequence[float]) -> str:
    return " / ".join(f"{one * 1000:.2f}" for one in percentiles(latencies_s))
