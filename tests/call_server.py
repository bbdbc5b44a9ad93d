"""A small HTTP server on loopback that plays a CDS service or a FHIR server: answers by method and path, as told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Play = Callable[["_Handler"], None]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class CallServer:
    """`answers`, by "GET /path?query"; anything else is a 404 without a word."""

    def __init__(self) -> None:
        self.answers: dict[str, Play] = {}
        self.asked: list[Asked] = []
        self.stopping = Event()
        handler = type("_Bound", (_Handler,), {"played_by": self})
        self._server = _QuietServer(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def posted(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits 40 ms for the client to acknowledge the header
    played_by: CallServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.played_by.asked.append(Asked(self.command, self.path, self.headers, body))
        self.played_by.answers.get(f"{self.command} {self.path}", reply(b"", 404))(self)

    do_POST = do_GET  # noqa: N815 - as http.server calls it

    def log_message(self, *_: Any) -> None:
        """No log of its own."""


def reply(value: Any, status: int = 200, **headers: str) -> Play:
    """A plain answer; bytes as they are, anything else as JSON. Header names are written with `_` for `-`."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()

    def play(handler: _Handler) -> None:
        handler.send_response(status)
        usual = {"Content_Type": "application/json", "Content_Length": str(len(body))}
        for name, text in (usual | headers).items():
            handler.send_header(name.replace("_", "-"), text)
        handler.end_headers()
        handler.wfile.write(body)

    return play


def silence(handler: _Handler) -> None:
    """No answer until the test is over."""
    handler.close_connection = True
    handler.played_by.stopping.wait(30)


def hang_up(handler: _Handler) -> None:
    """Closes in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
    handler.close_connection = True
