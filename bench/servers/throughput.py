"""Calls a second, latency, processor time and memory of each candidate, in alternating rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from bench.bodies import CARDS, SILENT, order_with_cards, unrelated_order
from bench.client import Request
from bench.figures import p99, ratios, spread
from bench.load import Clients, Slice
from bench.memory import memory_of_server
from bench.server import SERVICE, settle
from bench.servers.candidates import Candidate
from bench.servers.measured import Measured, Row, processes

REQUESTS = {
    "order with cards, 50 Conditions": Request.post(SERVICE, order_with_cards(50), CARDS),
    "unrelated order, 1 MB": Request.post(SERVICE, unrelated_order(1_030), SILENT),
    "order with cards, 1,000 Conditions": Request.post(SERVICE, order_with_cards(1_000), CARDS),
}


def measure(
    clients: Clients, candidates: Mapping[str, Candidate], workers: int, rounds: int, seconds: float, into: Measured
) -> None:
    """Add the rows for this number of worker processes. All candidates run side by side; the idle ones wait."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(one.serve(workers)) for name, one in candidates.items()}
        for server in servers.values():
            settle(server)
        targets = {
            f"{name} {about}": (server, request)
            for about, request in REQUESTS.items()
            for name, server in servers.items()
        }
        found = clients.rounds(targets, rounds, rounds * seconds)
        memory = [sum(one.pss_mb for one in memory_of_server(server.process.pid)) for server in servers.values()]
    for about in REQUESTS:
        slices = [found[f"{name} {about}"] for name in servers]
        into.rows += [(f"{processes(workers)}, {about}: {what}", cells) for what, cells in _figures(slices)]
    into.rows.append((f"{processes(workers)}: MB of all processes after it (PSS)", [f"{one:.0f}" for one in memory]))
    every = [one for slices in found.values() for one in slices]
    into.client_cores += [one.client_cores for one in every]
    into.wrong += sum(one.errors for one in every)


def _figures(of_each: list[list[Slice]]) -> Iterator[Row]:
    rates = [[one.per_second for one in slices] for slices in of_each]
    yield "calls/s", [spread(rate, 0) for rate in rates]
    yield "against the first", ["1", *(spread(ratios(rate, rates[0]), 2) for rate in rates[1:])]
    yield "p99 ms", [f"{p99([ms for one in slices for ms in one.latencies_ms]):.0f}" for slices in of_each]
    yield "processor ms a call", [spread([one.server_ms for one in slices], 2) for slices in of_each]
