"""What is left for good clients while 300 others send their bodies a byte a second."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread

from bench.figures import p99, ratios, spread
from bench.load import Clients, Slice
from bench.server import SERVICE, settle
from bench.servers.candidates import Candidate
from bench.servers.measured import Measured, processes
from bench.servers.throughput import REQUESTS

SLOW = 300
_HEAD = (
    f"POST {SERVICE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
).encode()
_SECONDS = 2.0  # of each slice; with patience and pauses less than the ten seconds that a body may take
_PATIENCE_SECONDS = 3.0
_SETTLE_SECONDS = 1.0


@contextmanager
def slow_bodies(port: int, count: int = SLOW) -> Iterator[None]:
    """So many connections that have sent a head and send a byte of the body a second, until the block is left."""
    over = Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(count)]

        def drip() -> None:
            while not over.is_set():
                for one in connections:
                    with suppress(OSError):  # the server may have closed it, as it should
                        one.send(b" ")
                over.wait(1.0)

        for one in connections:
            one.sendall(_HEAD)
        thread = Thread(target=drip)
        thread.start()
        try:
            time.sleep(_SETTLE_SECONDS)
            yield
        finally:
            over.set()
            thread.join()


def measure(clients: Clients, candidates: Mapping[str, Candidate], workers: int, rounds: int, into: Measured) -> None:
    """Add the rows: good calls before and meanwhile. A candidate that serves none meanwhile gives no wrong answer."""
    about, request = next(iter(REQUESTS.items()))
    before: list[list[Slice]] = []
    meanwhile: list[list[Slice]] = []
    for candidate in candidates.values():
        with candidate.serve(workers) as server:
            settle(server)
            clients.warm_up({candidate.name: (server, request)}, 1.0)
            before.append([])
            meanwhile.append([])
            for _ in range(rounds):
                before[-1].append(clients.load(server, request, _SECONDS))
                with slow_bodies(server.port):
                    meanwhile[-1].append(clients.load(server, request, _SECONDS, _PATIENCE_SECONDS))
                time.sleep(_SETTLE_SECONDS)
    what = f"{processes(workers)}, {SLOW} slow bodies"
    rates = [[one.per_second for one in slices] for slices in meanwhile]
    usual = [[one.per_second for one in slices] for slices in before]
    into.rows += [
        (f"{what}: good calls/s ({about})", [spread(rate, 0) for rate in rates]),
        (f"{what}: of those before", [spread(ratios(*pair), 2) for pair in zip(rates, usual, strict=True)]),
        (f"{what}: p99 ms of good calls", [_p99(slices) for slices in meanwhile]),
    ]


def _p99(slices: list[Slice]) -> str:
    latencies = [ms for one in slices for ms in one.latencies_ms]
    return f"{p99(latencies):.0f}" if latencies else "none"
