"""A client that costs little beside the server it shares the machine with: prebuilt bytes on plain sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
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
    """What one client saw: the seconds each good answer took, all other answers, and what it cost the client."""

    latencies: list[float]
    errors: int
    cpu_seconds: float


def load(port: int, request: Request, begin: float, end: float) -> Load:
    """Send the request over and over on each connection, from `begin` to `end` of the monotonic clock."""
    cpu = time.process_time()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        connections = [threads.submit(lambda: list(_answers(port, request, begin, end))) for _ in range(CONNECTIONS)]
        answers = [answer for connection in connections for answer in connection.result()]
    latencies = [latency for latency in answers if latency is not None]
    return Load(latencies, len(answers) - len(latencies), time.process_time() - cpu)


def _answers(port: int, request: Request, begin: float, end: float) -> Iterator[float | None]:
    """The seconds each answer took that came before `end`; None for one that is wrong, or a connection that broke."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS)
        with closing(connection), connection.makefile("rb") as incoming:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            time.sleep(max(0.0, begin - time.monotonic()))
            while (sent := time.monotonic()) < end:
                connection.sendall(request.wire)
                good = _is_good(incoming, request)
                answered = time.monotonic()
                if answered < end or not good:
                    yield answered - sent if good else None
    except (OSError, ValueError):
        yield None


def _is_good(incoming: BinaryIO, request: Request) -> bool:
    """Reads one answer to its end. Raises ValueError where the connection was closed instead."""
    status = incoming.readline()
    length = None
    while (line := incoming.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if length is None:
        raise ValueError("no answer with a Content-Length")
    return status.startswith(b"HTTP/1.1 200 ") and incoming.read(length).startswith(request.answer_begins)
