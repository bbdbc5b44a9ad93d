"""The server under load, as `cds-service serve` runs it: every kind of call against a view that does nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median, quantiles

from bench.bodies import CARDS, SILENT, lumbar_puncture_order, unrelated_order
from bench.client import CONNECTIONS, Load, Request, load
from bench.report import print_table, spread
from bench.server import Server, running_server

_CLIENTS = 2


@dataclass(frozen=True)
class _Slice:
    """One kind of request in one round: what all clients together saw."""

    per_second: float
    client_cores: float
    latencies: list[float]
    errors: int


def print_load(rounds: int, seconds: float) -> int:
    """Print throughput and latency of every kind of request. Returns how many were not answered as they should be.

    Each kind has `seconds` in all, in slices: every round goes through all kinds, and its ratios are within the round.
    """
    with running_server() as server, ProcessPoolExecutor(_CLIENTS, get_context("spawn")) as clients:
        requests = _requests(server)
        for name, request in requests.items():
            if _slice(clients, server.port, request, min(1.0, seconds)).errors:  # warms up server and clients
                raise RuntimeError(f"{name}: the server does not answer as it should")
        found = [
            {name: _slice(clients, server.port, request, seconds / rounds) for name, request in requests.items()}
            for _ in range(rounds)
        ]
    reference = next(iter(requests))
    rows = [_row(name, [(one[name], one[reference]) for one in found]) for name in requests]
    notes = [
        f"1 worker, {_CLIENTS} clients with {CONNECTIONS} keep-alive connections each, {seconds:g} s a kind in"
        f" {rounds} slices; requests/s and ratio: least / median / greatest slice",
        "a connection sends again once it is answered, so latency holds the wait for the others' calls",
        f"client cores: what the clients took of {os.cpu_count()}; near {_CLIENTS}, or near what a busy server leaves,"
        " they are the limit",
    ]
    head = ["", "requests/s", "ratio to reference", "p50 ms", "p99 ms", "client cores", "errors"]
    print_table("Over HTTP: cds-service serve under load", notes, head, rows)
    return sum(one.errors for slices in found for one in slices.values())


def _requests(server: Server) -> dict[str, Request]:
    address = f"/cds-services/{server.service_id}"
    return {
        "GET /cds-services (reference)": Request.get("/cds-services", b'{"services":[{'),
        "unrelated order, empty chart": Request.post(address, unrelated_order(0), SILENT),
        "unrelated order, 1 MB prefetch": Request.post(address, unrelated_order(1_030), SILENT),
        "LP order, empty chart": Request.post(address, lumbar_puncture_order(0), CARDS),
        "LP order, 50 Conditions": Request.post(address, lumbar_puncture_order(50), CARDS),
        "LP order, 1,000 Conditions": Request.post(address, lumbar_puncture_order(1_000), CARDS),
    }


def _slice(clients: ProcessPoolExecutor, port: int, request: Request, seconds: float) -> _Slice:
    begin = time.monotonic() + 0.2  # when every client has its request and its connections; one clock for all processes
    running = [clients.submit(load, port, request, begin, begin + seconds) for _ in range(_CLIENTS)]
    loads: list[Load] = [one.result() for one in running]
    latencies = [latency for one in loads for latency in one.latencies]
    cores = sum(one.cpu_seconds for one in loads) / seconds
    return _Slice(len(latencies) / seconds, cores, latencies, sum(one.errors for one in loads))


def _row(name: str, slices: Sequence[tuple[_Slice, _Slice]]) -> list[str]:
    latencies = sorted(latency * 1000 for one, _ in slices for latency in one.latencies)
    return [
        name,
        spread([one.per_second for one, _ in slices], 0),
        spread([one.per_second / reference.per_second for one, reference in slices], 3),
        f"{median(latencies):.2f}",
        f"{quantiles(latencies, n=100)[98]:.2f}",
        f"{median(one.client_cores for one, _ in slices):.2f}",
        f"{sum(one.errors for one, _ in slices)}",
    ]
