"""Where the time of a call over HTTP goes, in processor ms: its stages, its log line, the writer, the server."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from statistics import median

from bench.harness.client import Request
from bench.harness.load import Clients
from bench.harness.report import print_table
from bench.harness.server import READY, SERVICE, Server, running, settle
from bench.measurements.in_process import LOGGED, OURS, Cost, cost_in_child

_MOST_SECONDS = 2.5
_WHOLE = "whole"


def print_shares(
    clients: Clients, server: Server, bodies: Mapping[str, tuple[bytes, bytes]], rounds: int, seconds: float
) -> int:
    """Measure these bodies, each with the start of its answer. Returns the number of wrong answers.

    A second server does not write to the ledger: the difference is the writer's share.
    """
    requests = {name: Request.post(SERVICE, *body) for name, body in bodies.items()}
    with running(lambda _: [sys.executable, "-m", "bench.harness.varied_server", "without-ledger"], READY) as unwritten:
        settle(unwritten)
        targets = {}
        for name, request in requests.items():
            targets |= {name: (server, request), f"{name}, nothing written": (unwritten, request)}
        found = clients.rounds(targets, rounds, min(seconds, _MOST_SECONDS))
    only_bodies = [body for body, _ in bodies.values()]
    in_rounds = [
        (cost_in_child(OURS, only_bodies, seconds), cost_in_child(LOGGED, only_bodies, seconds)) for _ in range(rounds)
    ]
    shares = {}
    for place, name in enumerate(bodies):
        plain, logged = ([costs[place] for costs in contender] for contender in zip(*in_rounds, strict=True))
        with_writer, without = (
            median(one.server_ms for one in found[target]) for target in (name, f"{name}, nothing written")
        )
        shares[name] = _shares(plain, logged, with_writer, without)
    names = list(dict.fromkeys(share for each in shares.values() for share in each))
    rows = [[name, *(f"{shares[call].get(name, 0.0):.2f}" for call in shares)] for name in names]
    notes = [
        f"medians of {rounds} rounds, in processor milliseconds; the last four rows are differences of such medians, so"
        " on a busy machine they may come out below zero",
        "writer: with the ledger less without; server, door and HTTP: without the ledger less in process with its log",
    ]
    print_table("Where the time of a call goes", notes, ["", *shares], rows)
    return sum(one.errors for slices in found.values() for one in slices)


def _shares(plain: list[Cost], logged: list[Cost], with_writer: float, without: float) -> dict[str, float]:
    in_process = median(cost.whole for cost in plain)
    stages = {
        name: median(cost.stages.get(name, 0.0) for cost in plain)
        for name in dict.fromkeys(name for cost in plain for name in cost.stages)
        if name != _WHOLE
    }
    with_log = median(cost.whole for cost in logged)
    return {
        "whole call over HTTP": with_writer,
        "whole answer in process": in_process,
        **{f"in process: {name}": ms for name, ms in stages.items()},
        "in process: around the stages": in_process - sum(stages.values()),
        "log line": with_log - in_process,
        "writer": with_writer - without,
        "server, door and HTTP": without - with_log,
    }
