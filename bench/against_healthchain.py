"""Our service against HealthChain, another CDS Hooks service for Python: one worker each, the same request bodies.

HealthChain has an environment of its own, and runs in two ways: as `healthchain serve` runs what its package brings
(uvicorn on asyncio and h11), and with the faster parts that uvicorn documents (uvloop, httptools). Without its access
log in both, while ours writes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.bodies import CARDS, SILENT, lumbar_puncture_order, unrelated_order
from bench.client import Request
from bench.environments import NotInstalled, environment
from bench.figures import Aim, p99, ratios, spread
from bench.load import NOTE, Slice, running_clients
from bench.memory import memory_of_server
from bench.report import print_table
from bench.server import SERVICE, Command, our_command, running

_CASES = {  # body, how our answer begins, HealthChain's service, how its answer begins, times its throughput at least
    "LP order, 50 Conditions": (lumbar_puncture_order(50), CARDS, "/cards", b'{"cards":[{', 4.0),
    "unrelated order, 1 MB of prefetch": (unrelated_order(1_030), SILENT, "/silent", b'{"cards":[]', 7.0),
}
_WAYS = {"HealthChain": ("asyncio", "h11"), "HealthChain with uvloop and httptools": ("uvloop", "httptools")}
_OURS = "ours"


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Print; the aims, and how many answers were wrong. Without HealthChain it says so, and there is no aim."""
    try:
        folder = environment("healthchain")
    except NotInstalled as reason:
        print(f"\n### Against HealthChain\n\nNot measured, for it could not be installed: {reason}")
        return [], 0
    with ExitStack() as stack:
        servers = {_OURS: stack.enter_context(running(our_command()))}
        for way, parts in _WAYS.items():
            servers[way] = stack.enter_context(running(_command(folder, *parts), Request.get("/health", b"{")))
        clients = stack.enter_context(running_clients())
        targets = {
            f"{name}: {who}": (server, _request(name, ours=who == _OURS))
            for name in _CASES
            for who, server in servers.items()
        }
        found = clients.rounds(targets, rounds, seconds)
        memory = [sum(one.pss_mb for one in memory_of_server(server.process.pid)) for server in servers.values()]
    rows = []
    aims = []
    for name, (*_, limit) in _CASES.items():
        ours = found[f"{name}: {_OURS}"]
        for who in servers:
            slices = found[f"{name}: {who}"]
            times = ratios([one.per_second for one in ours], [one.per_second for one in slices])
            compared = ["", ""] if who == _OURS else [spread(times, 2), f"{limit:g}"]
            rows.append([f"{name}: {who}", *_figures(slices), *compared])
            if who != _OURS:
                aims.append(Aim(f"times {who}, {name}", limit, median(times), at_least=True))
    notes = [
        f"1 worker each; {NOTE}; {seconds:g} s for each line, in {rounds} slices in turn; least / median / greatest",
        "ours: the whole rule, two cards and the ledger; HealthChain: a handler that walks raw dictionaries"
        " and returns one short card, or none without looking",
        "memory of all processes after the load, PSS: "
        + ", ".join(f"{who} {mb:.0f} MB" for who, mb in zip(servers, memory, strict=True)),
    ]
    head = ["", "calls/s", "processor ms a call", "p50 ms", "p99 ms", "errors", "we answer times as many", "aim"]
    print_table(f"Against HealthChain {_version(folder)}", notes, head, rows)
    return aims, sum(one.errors for slices in found.values() for one in slices)


def _request(name: str, *, ours: bool) -> Request:
    body, beginning, path, their_beginning, _ = _CASES[name]
    if ours:
        return Request.post(SERVICE, body, beginning)
    return Request.post(f"{path}/cds-services/bench", body, their_beginning)


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
