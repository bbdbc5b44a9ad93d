"""Calls over HTTP, as `cds-service serve` answers them, compared with an empty view that gets the same; memory."""

from __future__ import annotations

import os
from statistics import median

from bench.harness import empty_view
from bench.harness.bodies import CARDS, SILENT, order_with_cards, unrelated_order
from bench.harness.client import Request
from bench.harness.figures import Aim, p99, ratios, spread
from bench.harness.load import CLIENTS, NOTE, Slice, running_clients
from bench.harness.memory import Memory, memory_of_server
from bench.harness.report import print_table
from bench.harness.server import SERVICE, our_command, running, settle

_MEMORY_LIMIT_MB = 100.0


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Load both servers for `seconds` with each kind of call, and print; the aim, and how many answers were wrong."""
    bodies = _bodies()
    nothing = Request.post(SERVICE, unrelated_order(0), SILENT)
    with running(our_command()) as ours, running(empty_view.command(), nothing) as empty, running_clients() as clients:
        settle(ours)
        idle = memory_of_server(ours.process.pid)
        targets = {}
        for name, (body, beginning) in bodies.items():
            targets[name] = (ours, Request.post(SERVICE, body, beginning))
            targets[_reference(name)] = (empty, Request.post(SERVICE, body, SILENT))
        found = clients.rounds(targets, rounds, seconds)
        loaded = memory_of_server(ours.process.pid)
    rows = [_row(name, found[name], found[_reference(name)]) for name in bodies]
    notes = [
        f"1 worker; {NOTE}; {seconds:g} s for each kind of call and server, in {rounds} slices in turn",
        "ratio: calls/s over those of an empty Flask view that reads the same body, on the same server",
        f"least / median / greatest slice; client cores: what the {CLIENTS} clients took of {os.cpu_count()}",
    ]
    head = ["", "calls/s", "ratio", "processor ms a call", "of it the empty view's", "p50 ms", "p99 ms", "client cores"]
    print_table("Over HTTP: cds-service serve against an empty view", notes, [*head, "errors"], rows)
    _print_memory(idle, loaded)
    workers = loaded[1:] or loaded
    aim = Aim("memory of a worker after load, PSS", _MEMORY_LIMIT_MB, max(one.pss_mb for one in workers), " MB")
    resident = Aim("memory of a worker after load, RSS", _MEMORY_LIMIT_MB, max(one.rss_mb for one in workers), " MB")
    return [aim, resident], sum(one.errors for slices in found.values() for one in slices)


def _reference(name: str) -> str:
    return f"{name}: empty view"


def _bodies() -> dict[str, tuple[bytes, bytes]]:
    return {
        "unrelated order, empty chart": (unrelated_order(0), SILENT),
        "unrelated order, 1 MB of prefetch": (unrelated_order(1_030), SILENT),
        "order with cards, empty chart": (order_with_cards(0), CARDS),
        "order with cards, 50 Conditions": (order_with_cards(50), CARDS),
        "order with cards, 1,000 Conditions": (order_with_cards(1_000), CARDS),
    }


def _row(name: str, ours: list[Slice], empty: list[Slice]) -> list[str]:
    latencies = [latency for one in ours for latency in one.latencies_ms]
    return [
        name,
        spread([one.per_second for one in ours], 0),
        spread(ratios([one.per_second for one in ours], [one.per_second for one in empty]), 3),
        spread([one.server_ms for one in ours], 2),
        spread([one.server_ms for one in empty], 2),
        f"{median(latencies):.2f}",
        f"{p99(latencies):.2f}",
        f"{median(one.client_cores for one in ours):.2f}",
        f"{sum(one.errors for one in (*ours, *empty))}",
    ]


def _print_memory(idle: list[Memory], loaded: list[Memory]) -> None:
    rows = []
    for number, (before, after) in enumerate(zip(idle, loaded, strict=True)):
        name = f"worker {number}" if number else "parent" if len(idle) > 1 else "the only process"
        figures = (before.pss_mb, before.rss_mb, after.pss_mb, after.rss_mb)
        rows.append([name, *(f"{figure:.0f}" for figure in figures)])
    notes = ["megabytes; PSS shares a page out among the processes that have it, RSS counts it in full for each"]
    head = ["", "started, PSS", "started, RSS", "after the load, PSS", "after the load, RSS"]
    print_table("Memory: cds-service serve, 1 worker", notes, head, rows)
