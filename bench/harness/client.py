"""A client that costs little compared with the server on the same machine: prebuilt bytes on plain sockets."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

CONNECTIONS = 4
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire, and how the body of its answer begins."""

    wire: bytes
    answer_begins: bytes

    @classmethod
    def get(cls, path: str, answer_begins: bytes) -> Request:
        """A request without a body."""
        return cls(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(), answer_begins)

    @classmethod
    def post(cls, path: str, body: bytes, answer_begins: bytes) -> Request:
        """A hook call."""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        return cls(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, answer_begins)


@dataclass(frozen=True)
class Load:
    """What one client saw: the seconds each good answer took, good answers a second, all others, and its own cost."""

    latencies: list[float]
    per_second: float
    errors: int
    cpu_seconds: float


def ask(port: int, request: Request) -> bool:
    """Whether one request on its own connection gets the right answer. Raises OSError and ValueError."""
    connection = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
    with connection, connection.makefile("rb") as incoming:
        connection.sendall(request.wire)
        return _is_good(incoming, request)


def answers(port: int, request: Request, until: float) -> list[float]:
    """The seconds each answer took, one request after the other on one connection, until this time of the monotonic
    clock and at least twice. Raises ValueError if an answer is wrong.
    """
    latencies, errors, _ = _answers(port, request, 0.0, until)
    if errors or len(latencies) < 2:
        raise ValueError("the server does not answer as it should")
    return latencies


def load(port: int, request: Request, begin: float, end: float) -> Load:
    """Send the request over and over on each connection, from `begin` to `end` of the monotonic clock.

    A call that is running at the end is waited for, and its time counts, so that long calls are not left out.
    An answer that takes longer than _PATIENCE_SECONDS counts as an error, and ends its connection.
    """
    cpu = time.process_time()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        running = [threads.submit(_answers, port, request, begin, end) for _ in range(CONNECTIONS)]
        connections = [one.result() for one in running]
    return Load(
        [latency for latencies, _, _ in connections for latency in latencies],
        sum(len(latencies) / max(seconds, end - begin) for latencies, _, seconds in connections),
        sum(errors for _, errors, _ in connections),
        time.process_time() - cpu,
    )


def _answers(port: int, request: Request, begin: float, end: float) -> tuple[list[float], int, float]:
    """The seconds each good answer took; how many were wrong, or a connection that broke; and the seconds in all."""
    latencies: list[float] = []
    errors = 0
    try:
        connection = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
        with closing(connection), connection.makefile("rb") as incoming:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            time.sleep(max(0.0, begin - time.monotonic()))
            while (sent := time.monotonic()) < end:
                connection.sendall(request.wire)
                if _is_good(incoming, request):
                    latencies.append(time.monotonic() - sent)
                else:
                    errors += 1
    except (OSError, ValueError):
        errors += 1
    return latencies, errors, time.monotonic() - begin


def _is_good(incoming: BinaryIO, request: Request) -> bool:
    """Reads one answer to its end. Raises ValueError if the connection was closed instead."""
    status = incoming.readline()
    length = None
    while (line := incoming.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if length is None:
        raise ValueError("no answer with a Content-Length")
    return status.startswith(b"HTTP/1.1 200 ") and incoming.read(length).startswith(request.answer_begins)
