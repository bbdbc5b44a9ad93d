"""A real HTTP server on loopback that answers each path as a test says, well or badly, and remembers the requests."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Answer = Callable[["Handler"], None]
HTTP_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
_PAUSE_S = 0.01  # between the bytes of a drip


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `connection` tells connections apart."""

    path: str
    headers: Message
    connection: int


class LoopbackServer:
    """Serves `answers`, by path and query, on a port of its own until it is closed; any other path is 404.

    `connection_count` counts every connection, whatever came over it, or nothing.
    """

    def __init__(self, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Seen] = []
        self.connection_count = 0
        self.stopping = Event()
        self._scheme = "https" if tls else "http"
        self._host = f"[{host}]" if ":" in host else host
        handler = type("BoundHandler", (Handler,), {"loopback": self})
        self._server = (_QuietServer6 if ":" in host else _QuietServer)((host, 0), handler)
        self._server.loopback = self
        if tls:
            listening = self._server.socket
            self._server.socket = tls.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base(self) -> str:
        return f"{self._scheme}://{self._host}:{self.port}/fhir"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def note_when_over(self, path: str, one: Answer) -> Event:
        """Answer so at this path; the event is set once the answer is over, or its client has gone away."""
        over = Event()

        def send(handler: Handler) -> None:
            try:
                one(handler)
            finally:
                over.set()

        self.answers[path] = send
        return over

    def respond(self, handler: Handler) -> None:
        """Note a request, and answer it."""
        self.requests.append(Seen(handler.path, handler.headers, handler.client_address[1]))
        self.answers.get(handler.path, answer({"resourceType": "OperationOutcome"}, 404))(handler)

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    loopback: LoopbackServer

    def get_request(self) -> tuple[Any, Any]:
        accepted = super().get_request()
        self.loopback.connection_count += 1
        return accepted

    def handle_error(self, *_: Any) -> None:
        """A client that goes away in the middle is what these tests are about."""


class _QuietServer6(_QuietServer):
    address_family = socket.AF_INET6


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    loopback: LoopbackServer

    def do_GET(self) -> None:
        self.loopback.respond(self)

    do_POST = do_GET  # noqa: N815 - as http.server calls it

    def log_message(self, *_: Any) -> None:
        """No log of its own."""


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """A plain answer; bytes are sent as they are, anything else as JSON. Header names are written with `_` for `-`."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()

    def send(handler: Handler) -> None:
        handler.send_response(status)
        usual = {"Content_Type": "application/fhir+json", "Content_Length": str(len(body))}
        for name, text in (usual | headers).items():
            handler.send_header(name.replace("_", "-"), text)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def raw(*parts: bytes) -> Answer:
    """These bytes, each part in a packet of its own, and then the connection is closed."""

    def send(handler: Handler) -> None:
        for part in parts:
            handler.wfile.write(part)
            handler.wfile.flush()
            handler.loopback.stopping.wait(_PAUSE_S)
        handler.close_connection = True

    return send


def never_ending(start: bytes, then: bytes = b"") -> Answer:
    """`start`, and then one more piece every few milliseconds, or silence, until the client goes away."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(start)
        while not handler.loopback.stopping.wait(_PAUSE_S):
            handler.wfile.write(then)

    return send
