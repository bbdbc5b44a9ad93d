"""A small HTTP server on loopback that plays a CDS service or a FHIR server, with answers by method and path."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import Message
from typing import Any

from tests.misbehaving_server import Answer, Handler, LoopbackServer, answer


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


class CallServer(LoopbackServer):
    """`answers`, by "GET /path?query"; anything else is a 404 with an empty body."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def posted(self) -> list[Asked]:
        return [request for request in self.asked if request.method == "POST"]

    def respond(self, handler: Handler) -> None:
        """Note a request with its body, and answer it."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.asked.append(Asked(handler.command, handler.path, handler.headers, body))
        self.answers.get(f"{handler.command} {handler.path}", reply(b"", 404))(handler)


def reply(value: Any, status: int = 200, **headers: str) -> Answer:
    """A plain answer; bytes as they are, anything else as JSON. Header names are written with `_` for `-`."""
    return answer(value, status, **{"Content_Type": "application/json"} | headers)


def silence(handler: Handler) -> None:
    """No answer until the test is over."""
    handler.close_connection = True
    handler.loopback.stopping.wait(30)


def hang_up(handler: Handler) -> None:
    """Closes in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
    handler.close_connection = True
