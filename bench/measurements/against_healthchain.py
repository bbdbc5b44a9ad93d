"""Our service against HealthChain, another CDS Hooks service for Python: one worker each, the same request bodies.

HealthChain has an environment of its own, and runs in two ways: as `healthchain serve` runs what its package brings
(uvicorn on asyncio and h11), and with the faster parts that uvicorn documents (uvloop, httptools). Without its access
log in both, while ours writes its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.harness.bodies import CARDS, SILENT, order_with_cards, unrelated_order
from bench.harness.client import Request, answers
from bench.harness.environments import NotInstalled, environment
from bench.harness.figures import Aim, p99, percentiles, ratios, spread
from bench.harness.load import NOTE, Slice, running_clients
from bench.harness.memory import memory_of_server
from bench.harness.report import print_table
from bench.harness.server import DISCOVERY, READY, SERVICE, Command, Server, our_command, running, settle
from bench.measurements.call_shares import print_shares

_OURS, _FLOOR = "ours", "HealthChain"
_WAYS = {_FLOOR: ("asyncio", "h11"), "HealthChain with uvloop and httptools": ("uvloop", "httptools")}
_MOST_P50, _MOST_P99 = 1.2, 3.0  # of HealthChain's p50, single calls
_SINGLE_SECONDS = 0.5  # of single calls, each line and round


@dataclass(frozen=True)
class _Case:
    """The same call for both: our body, the service of HealthChain that answers it, how both answers begin.

    `times`: how many times HealthChain's calls a second ours should be at least.
    """

    body: bytes
    answer_begins: bytes
    their_path: str
    their_answer_begins: bytes
    times: float

    def request(self, who: str) -> Request:
        if who == _OURS:
            return Request.post(SERVICE, self.body, self.answer_begins)
        return Request.post(f"{self.their_path}/cds-services/bench", self.body, self.their_answer_begins)


_CARDS, _SILENT = "order with cards, 50 Conditions", "silent order, 50 Conditions"
_CASES = {
    _CARDS: _Case(order_with_cards(50), CARDS, "/cards", b'{"cards":[{', 2.0),
    _SILENT: _Case(unrelated_order(50), SILENT, "/silent", b'{"cards":[]', 4.0),
    "silent order, 1 MB of prefetch": _Case(unrelated_order(1_030), SILENT, "/silent", b'{"cards":[]', 4.0),
}
_SINGLE = (_CARDS, _SILENT)
_THEIR_DISCOVERY = Request.get("/cards/cds-discovery", b'{"services":[{')

Single = dict[str, list[list[float]]]  # by line: the seconds of each call, for each round


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Print; the aims, and how many answers were wrong. Without HealthChain it says so, and there is no aim."""
    try:
        folder = environment("healthchain")
    except NotInstalled as reason:
        print(f"\n### Against HealthChain\n\nNot measured, for it could not be installed: {reason}")
        return [], 0
    with ExitStack() as stack:
        servers = {_OURS: stack.enter_context(running(our_command(), READY))}
        for way, parts in _WAYS.items():
            servers[way] = stack.enter_context(running(_command(folder, *parts), Request.get("/health", b"{")))
        for server in servers.values():
            settle(server)
        clients = stack.enter_context(running_clients())
        targets = {
            _line(name, who): (server, case.request(who))
            for name, case in _CASES.items()
            for who, server in servers.items()
        }
        found = clients.rounds(targets, rounds, seconds)
        memory = [sum(one.pss_mb for one in memory_of_server(server.process.pid)) for server in servers.values()]
        aims = _print_load(found, f"Against HealthChain {_version(folder)}", _notes(rounds, seconds, servers, memory))
        aims += _print_single(_single_calls(servers, rounds), list(servers), rounds)
        wrong = sum(one.errors for slices in found.values() for one in slices)
        if not all(aim.is_met for aim in aims):
            bodies = {name: (_CASES[name].body, _CASES[name].answer_begins) for name in _SINGLE}
            wrong += print_shares(clients, servers[_OURS], bodies, rounds, seconds)
    return aims, wrong


def _line(name: str, who: str) -> str:
    return f"{name}: {who}"


def _notes(rounds: int, seconds: float, servers: Mapping[str, Server], memory: Sequence[float]) -> list[str]:
    return [
        f"1 worker each; {NOTE}; {seconds:g} s for each line, in {rounds} slices in turn; least / median / greatest",
        "ours: the whole rule, two cards and the ledger; HealthChain: a handler that walks raw dictionaries"
        " and returns one short card, or none without looking",
        "memory of all processes after the load, PSS: "
        + ", ".join(f"{who} {mb:.0f} MB" for who, mb in zip(servers, memory, strict=True)),
    ]


def _print_load(found: Mapping[str, list[Slice]], title: str, notes: Sequence[str]) -> list[Aim]:
    rows = []
    aims = []
    for name, case in _CASES.items():
        ours = found[_line(name, _OURS)]
        for who in (_OURS, *_WAYS):
            slices = found[_line(name, who)]
            times = ratios([one.per_second for one in ours], [one.per_second for one in slices])
            compared = ["", ""] if who == _OURS else [spread(times, 2), f"{case.times:g}"]
            rows.append([_line(name, who), *_figures(slices), *compared])
            if who != _OURS:
                aims.append(Aim(f"times {who}, {name}", case.times, median(times), at_least=True))
    head = ["", "calls/s", "processor ms a call", "p50 ms", "p99 ms", "errors", "we answer times as many", "aim"]
    print_table(title, notes, head, rows)
    return aims


def _single_calls(servers: Mapping[str, Server], rounds: int) -> Single:
    """One call after the other on one connection, all lines in turn. Raises ValueError where an answer is wrong."""
    requests = {(name, who): _CASES[name].request(who) for name in _SINGLE for who in servers}
    requests |= {("discovery", who): DISCOVERY if who == _OURS else _THEIR_DISCOVERY for who in servers}
    single: Single = {_line(name, who): [] for name, who in requests}
    for _ in range(rounds):
        for (name, who), request in requests.items():
            until = time.monotonic() + _SINGLE_SECONDS
            single[_line(name, who)].append(answers(servers[who].port, request, until))
    return single


def _print_single(single: Single, contenders: Sequence[str], rounds: int) -> list[Aim]:
    rows = []
    aims = []
    for name in (*_SINGLE, "discovery"):
        floor = [percentiles(one)[0] for one in single[_line(name, _FLOOR)]]
        for who in contenders:
            in_rounds = [percentiles(one) for one in single[_line(name, who)]]
            p50s, p95s, p99s = ([one * 1000 for one in column] for column in zip(*in_rounds, strict=True))
            row = [_line(name, who), spread(p50s, 2), spread(p95s, 2), spread(p99s, 2)]
            middle, far = (ratios([one[place] for one in in_rounds], floor) for place in (0, 2))
            rows.append([*row, spread(middle, 2), spread(far, 2)])
            if who == _OURS and name in _SINGLE:
                aims.append(Aim(f"single calls, {name}: our p50 over {_FLOOR}'s p50", _MOST_P50, median(middle)))
                aims.append(Aim(f"single calls, {name}: our p99 over {_FLOOR}'s p50", _MOST_P99, median(far)))
    notes = [
        f"one call after the other on one connection, all lines in turn; least / median / greatest of {rounds} rounds",
        f"over: of {_FLOOR}'s p50 for the same call in the same round",
    ]
    head = ["", "p50 ms", "p95 ms", "p99 ms", "p50 over", "p99 over"]
    print_table("Single calls in sequence: ours and HealthChain's", notes, head, rows)
    return aims


def _command(folder: Path, loop: str, http: str) -> Command:
    options = ["--loop", loop, "--http", http, "--no-access-log", "--log-level", "error", "--workers", "1"]
    start = [str(folder / "bin" / "python"), "-m", "uvicorn", *options, "bench.healthchain.service:app"]
    return lambda port: [*start, "--port", str(port)]


def _figures(slices: Sequence[Slice]) -> list[str]:
    latencies = [latency for one in slices for latency in one.latencies_ms]
    return [
        spread([one.per_second for one in slices], 0),
        spread([one.server_ms for one in slices], 2),
        f"{median(latencies):.1f}",
        f"{p99(latencies):.1f}",
        f"{sum(one.errors for one in slices)}",
    ]


def _version(folder: Path) -> str:
    """The version that was installed."""
    return (
        next(folder.glob("lib/python3*/site-packages/healthchain-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    )
