"""A request as granian hands it to an RSGI application (2.8), and the answer that it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from granian._granian import RSGIProtocolClosed

from cds_service.server.door import Door

HeaderList = Sequence[tuple[str, str]]


class Headers:
    """Names in lower case. A value that is not ASCII is in no list; its name is."""

    def __init__(self, headers: HeaderList) -> None:
        self._headers = [(name.lower(), text) for name, text in headers]

    def items(self) -> list[tuple[str, str]]:
        return [(name, text) for name, text in self._headers if text.isascii()]

    def keys(self) -> list[str]:
        return list(dict(self._headers))


class Scope:
    """`target`: of the request, path and query as they are sent."""

    proto, rsgi_version, http_version, scheme, authority = "http", "1.6", "1.1", "http", None
    server, client = "127.0.0.1:8080", "127.0.0.1:50000"

    def __init__(self, method: str, target: str, headers: HeaderList) -> None:
        path, _, self.query_string = target.partition("?")
        self.method = method
        self.path = unquote(path, errors="replace")
        self.headers = Headers(headers)


class Protocol:
    """The body in these pieces; None: nothing more comes, until the client goes. `breaks`: it ends in a fault."""

    def __init__(self, pieces: Iterable[bytes | None] = (), *, breaks: bool = False) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.asked_for = 0  # pieces
        self._pieces = list(pieces)
        self._ends: list[bytes | None] = [b"", b""] if breaks else [b""]
        self._breaks = breaks
        self._iterated = False

    async def __call__(self) -> bytes:
        whole = b""
        for piece in self._pieces:
            whole += await self._arrival(piece)
        if self._breaks:
            raise RSGIProtocolClosed
        return whole

    def __aiter__(self) -> Protocol:
        if self._iterated:
            raise RuntimeError("the body was asked for already")
        self._iterated = True
        return self

    def __anext__(self) -> Awaitable[bytes]:
        rest = self._pieces or self._ends
        if not rest:
            raise StopAsyncIteration
        return self._arrival(rest[0] if rest[0] is None else rest.pop(0))

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    async def _arrival(self, piece: bytes | None) -> bytes:
        self.asked_for += 1
        if piece is None:
            await asyncio.Event().wait()
        return piece or b""


async def ask(
    door: Door,
    method: str,
    target: str,
    headers: HeaderList | Mapping[str, str] = (),
    body: bytes | Iterable[bytes | None] = b"",
    *,
    breaks: bool = False,
) -> Protocol:
    """Send one request. A body in one piece has its Content-Length."""
    named = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if isinstance(body, bytes):
        named += [("Content-Length", str(len(body)))] if body else []
        body = [body] if body else []
    protocol = Protocol(body, breaks=breaks)
    await door.__rsgi__(Scope(method, target, named), protocol)  # type: ignore[arg-type]
    return protocol


def ask_once(door: Door, method: str, target: str, *arguments: Any, **options: Any) -> Protocol:
    """The same, from a test that has no event loop."""
    return asyncio.run(ask(door, method, target, *arguments, **options))
