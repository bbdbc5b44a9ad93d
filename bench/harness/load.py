"""A server under load: how many calls it answers, in what time, and what that costs it and the clients."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from bench.harness.client import CONNECTIONS, Load, Request, load
from bench.harness.memory import processor_seconds
from bench.harness.server import Server

CLIENTS = 2  # processes, each with CONNECTIONS connections
NOTE = (
    f"{CLIENTS} client processes with {CONNECTIONS} keep-alive connections each; a connection sends again once it is "
    "answered, so latency holds the wait for the others' calls"
)
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Slice:
    """What one slice of load gave. `server_ms`: processor time of the server, all its processes, for each good call."""

    per_second: float
    latencies_ms: list[float]
    errors: int
    server_ms: float
    client_cores: float


class Clients:
    """The clients of all slices."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def load(self, server: Server, request: Request | Sequence[Request], seconds: float) -> Slice:
        """One slice: the same request over and over, or one for each client."""
        requests = [request] * CLIENTS if isinstance(request, Request) else request
        before = processor_seconds(server.process.pid)
        begin = time.monotonic() + 0.2  # when all clients have the request and their connections; one clock for all
        end = begin + seconds
        running = [self._pool.submit(load, server.port, one, begin, end) for one in requests]
        loads: list[Load] = [one.result() for one in running]
        spent = processor_seconds(server.process.pid) - before
        latencies = [latency * 1000 for one in loads for latency in one.latencies]
        return Slice(
            sum(one.per_second for one in loads),
            latencies,
            sum(one.errors for one in loads),
            spent * 1000 / max(1, len(latencies)),
            sum(one.cpu_seconds for one in loads) / seconds,
        )

    def warm_up(self, targets: Mapping[str, tuple[Server, Request]], seconds: float) -> None:
        """Load every target once, unmeasured. Raises RuntimeError if an answer is wrong."""
        for name, (server, request) in targets.items():
            if self.load(server, request, min(_WARM_UP_SECONDS, seconds)).errors:
                raise RuntimeError(f"{name}: the server does not answer as it should")

    def rounds(
        self, targets: Mapping[str, tuple[Server, Request]], rounds: int, seconds: float
    ) -> dict[str, list[Slice]]:
        """`seconds` of load for each target in so many slices, a slice of each in turn."""
        self.warm_up(targets, seconds)
        found: dict[str, list[Slice]] = {name: [] for name in targets}
        for _ in range(rounds):
            for name, (server, request) in targets.items():
                found[name].append(self.load(server, request, seconds / rounds))
                if not found[name][-1].latencies_ms:
                    raise RuntimeError(f"{name}: the server no longer answers as it should")
        return found


@contextmanager
def running_clients() -> Iterator[Clients]:
    """Client processes, until the block is left."""
    with ProcessPoolExecutor(CLIENTS, get_context("spawn")) as pool:
        yield Clients(pool)
