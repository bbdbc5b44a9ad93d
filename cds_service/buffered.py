"""Gives a request a thread only when its whole body is here, so that slow clients cost some memory and no thread.

An ASGI application around the WSGI one (ADR 9). Bodies arrive on the event loop, within a time and within a total of
bytes; then one of a fixed number of threads runs the WSGI application, which finds a complete body.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cds_service.app import create_app_from_environment
from cds_service.asgi_to_wsgi import Answer, Header, Scope, call, outcome
from cds_service.audit import log_not_heard
from cds_service.settings import read_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_BODY_SECONDS = 10.0
_LINGER_SECONDS = 2.0
_MOST_BODIES = 32  # as many bodies of the largest size may be held at once: 256 MB by default
_WAITING_FOR_EACH_THREAD = 4
_LEAST_WAITING = 64  # so that a process of few threads does not refuse a handful of clients
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")  # for refusals, which hold nothing of anybody
_BROKEN = outcome(400, "structure", "the body ended before it was complete")
_LATE = outcome(408, "timeout", f"the body did not arrive within {_BODY_SECONDS:g} seconds: send the request again")
_BUSY = outcome(503, "throttled", "too many calls at once: send the request again later", (b"retry-after", b"2"))


@dataclass
class _Body:
    chunks: list[bytes] = field(default_factory=list)
    held: int = 0


class _Refused(Exception):
    """The request gets `answer` instead of a thread."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def create_asgi_app_from_environment() -> Buffered:
    """What a server process runs: the application with the settings of the environment of the process."""
    settings = read_settings(os.environ)
    return Buffered(create_app_from_environment(), settings.threads, settings.max_body_bytes)


class Buffered:
    """The ASGI application. `most_bytes`: the largest body, which is the WSGI application's own limit, too.

    A larger body is not read: the application sees its length and nothing of it, and answers 413 in its own way.
    """

    def __init__(
        self, application: WSGIApplication, threads: int, most_bytes: int, body_seconds: float = _BODY_SECONDS
    ) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(threads, "call")
        self._most_bytes = most_bytes
        self._body_seconds = body_seconds
        # Counted on the event loop alone, hence without locks.
        self._free_bytes = _MOST_BODIES * most_bytes
        self._free_places = threads + max(_WAITING_FOR_EACH_THREAD * threads, _LEAST_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a connection whose request was not read to its end is closed."""
        body = _Body()
        read = False
        try:
            length = await self._collect(scope["headers"], receive, body)
            read = length <= self._most_bytes
            answer = await self._run(scope, body, length)
        except _Refused as refused:
            answer = refused.answer
            log_not_heard(answer.status)
            if any(name == b"origin" for name, _ in scope["headers"]):
                answer = Answer(answer.status, [*answer.headers, _ANY_ORIGIN], answer.body)
        finally:
            self._free_bytes += body.held
        headers = answer.headers if read else [*answer.headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        if not read:
            await _linger(receive)

    async def _collect(self, headers: Sequence[Header], receive: Receive, body: _Body) -> int:
        """Reads the body into `body` and returns its length; a body that is too large is left unread.

        Raises _Refused: 400 for a body that breaks off, 408 for a slow one, 503 where there is no room for it.
        """
        declared = _declared_length(headers)
        if declared is not None and not 0 < declared <= self._most_bytes:
            return declared
        length = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                while length != declared:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Refused(_BROKEN)
                    chunk = message.get("body", b"")
                    length += len(chunk)
                    if length > self._most_bytes:
                        return length
                    self._hold(chunk, body)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise _Refused(_LATE) from None
        return length

    def _hold(self, chunk: bytes, body: _Body) -> None:
        if len(chunk) > self._free_bytes:
            raise _Refused(_BUSY)
        self._free_bytes -= len(chunk)
        body.held += len(chunk)
        body.chunks.append(chunk)

    async def _run(self, scope: Scope, body: _Body, length: int) -> Answer:
        """The application's answer, as soon as a thread is free. Raises _Refused where too many wait already."""
        if not self._free_places:
            raise _Refused(_BUSY)
        self._free_places -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, scope, body, length)
        finally:
            self._free_places += 1

    def _call(self, scope: Scope, body: _Body, length: int) -> Answer:
        # Joined in the thread that frees it: on the event loop a body of 1 MB costs twice the page faults.
        whole = b"".join(body.chunks)
        body.chunks.clear()
        return call(self._application, scope, whole, length)


def _declared_length(headers: Sequence[Header]) -> int | None:
    """The length of the body by its head, None where only its end will tell."""
    names = dict(headers)
    if b"transfer-encoding" in names:
        return None
    return int(names.get(b"content-length", 0))


async def _linger(receive: Receive) -> None:
    """Takes in a little of what is still sent: closing at once would reset the connection and lose the answer."""
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
