"""Gives a request a thread only when its whole body has arrived, so that slow clients cost memory and no thread.

An ASGI application around the WSGI one (ADR 9). Bodies arrive on the event loop, bounded in time and in total size;
then one of a fixed number of threads runs the WSGI application with the complete body.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cds_service.app import HTTPS_ONLY, create_app_from_environment
from cds_service.cds_hooks.cors import Cors
from cds_service.event_log.events import log_not_heard
from cds_service.server.asgi_to_wsgi import Answer, Header, Scope, call, outcome
from cds_service.settings.settings import read_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_BODY_SECONDS = 10.0
_LINGER_SECONDS = 2.0
_MOST_BODIES = 32  # of the largest size, at once: 256 MB by default
_WAITING_FOR_EACH_THREAD = 4
_LEAST_WAITING = 64  # so that a process of few threads does not refuse a handful of clients
_OPERATORS = (b"/health/", b"/metrics")  # paths that have threads of their own
_OPERATORS_THREADS = 3  # one waits for the database, one gathers metrics, one does the rest
_HTTPS_ONLY = [(name.lower().encode(), text.encode()) for name, text in HTTPS_ONLY.items()]
_ANY_ORIGIN = Cors(None)
_BROKEN = (400, "structure", "the body ended before it was complete")
_LATE = (408, "timeout", f"the body did not arrive within {_BODY_SECONDS:g} seconds: send the request again")
_BUSY = (503, "throttled", "too many calls at once: send the request again later", (b"retry-after", b"2"))


@dataclass
class _Body:
    chunks: list[bytes] = field(default_factory=list)
    held: int = 0


class _Refused(Exception):
    """The request gets `answer`, an OperationOutcome, instead of a thread."""

    def __init__(self, status: int, issue_code: str, diagnostics: str, *headers: Header) -> None:
        super().__init__()
        self.answer = outcome(status, issue_code, diagnostics, *headers)


def create_asgi_app_from_environment() -> Buffered:
    """The application that a server process runs, with the settings of its environment."""
    settings = read_settings(os.environ)
    application = create_app_from_environment()
    buffered = Buffered(
        application,
        settings.threads,
        settings.max_body_bytes,
        cors=application.extensions["cors"],
        https_only=settings.is_production,
    )
    application.extensions["metrics"].requests_in_progress = buffered.in_progress
    return buffered


class _Lane:
    """Threads, and places to wait for them. Places are counted on the event loop alone, hence without locks."""

    def __init__(self, name: str, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._places = threads + max(_WAITING_FOR_EACH_THREAD * threads, _LEAST_WAITING)
        self.taken = 0

    async def run(self, call: Callable[..., Answer], *arguments: Any) -> Answer:
        """The answer of a call that runs when a thread is free. Raises _Refused where too many calls wait already."""
        if self.taken >= self._places:
            raise _Refused(*_BUSY)
        self.taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
        finally:
            self.taken -= 1


class Buffered:
    """The ASGI application. `most_bytes`: the largest body, which is the WSGI application's own limit, too.

    A larger body is not read: the application gets its length without a body, and answers 413. `cors`: which browser
    pages may read a refusal. `https_only`: a refusal has the header Strict-Transport-Security. Answers of the
    application have both already.
    """

    def __init__(
        self,
        application: WSGIApplication,
        threads: int,
        most_bytes: int,
        *,
        body_seconds: float = _BODY_SECONDS,
        cors: Cors = _ANY_ORIGIN,
        https_only: bool = False,
    ) -> None:
        self._application = application
        self._cors = cors
        self._https_only = _HTTPS_ONLY if https_only else []
        self._calls = _Lane("call", threads)
        self._operators = _Lane("operator", _OPERATORS_THREADS)
        self._most_bytes = most_bytes
        self._body_seconds = body_seconds
        self._free_bytes = _MOST_BODIES * most_bytes  # counted on the event loop alone, hence without locks

    def in_progress(self) -> int:
        """Requests that have a thread or wait for one, without probes."""
        return self._calls.taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and close the connection where the request was not read to its end."""
        body = _Body()
        read = False
        try:
            length = await self._collect(scope["headers"], receive, body)
            read = length <= self._most_bytes
            lane = self._operators if scope["raw_path"].startswith(_OPERATORS) else self._calls
            answer = await lane.run(self._call, scope, body, length)
        except _Refused as refused:
            answer = refused.answer
            log_not_heard(answer.status)
            added = [*self._https_only, *self._for_browsers(dict(scope["headers"]).get(b"origin", b""))]
            answer = Answer(answer.status, [*answer.headers, *added], answer.body)
        finally:
            self._free_bytes += body.held
        headers = answer.headers if read else [*answer.headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        if not read:
            await _linger(receive)

    def _for_browsers(self, origin: bytes) -> list[Header]:
        headers = self._cors.origin_headers(origin.decode("latin-1"))
        return [(name.lower().encode(), text.encode("latin-1")) for name, text in headers]

    async def _collect(self, headers: Sequence[Header], receive: Receive, body: _Body) -> int:
        """Read the body into `body`, unless it is too large, and return its length.

        Raises _Refused: 400 for a body that breaks off, 408 for a slow one, 503 where there is no memory left for it.
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
                        raise _Refused(*_BROKEN)
                    chunk = message.get("body", b"")
                    length += len(chunk)
                    if length > self._most_bytes:
                        return length
                    self._hold(chunk, body)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise _Refused(*_LATE) from None
        return length

    def _hold(self, chunk: bytes, body: _Body) -> None:
        if len(chunk) > self._free_bytes:
            raise _Refused(*_BUSY)
        self._free_bytes -= len(chunk)
        body.held += len(chunk)
        body.chunks.append(chunk)

    def _call(self, scope: Scope, body: _Body, length: int) -> Answer:
        # Joined in the thread that frees it: joining 1 MB on the event loop costs twice the page faults.
        whole = b"".join(body.chunks)
        body.chunks.clear()
        return call(self._application, scope, whole, length)


def _declared_length(headers: Sequence[Header]) -> int | None:
    """The length of the body according to its headers, None for a chunked body."""
    names = dict(headers)
    if b"transfer-encoding" in names:
        return None
    return int(names.get(b"content-length", 0))


async def _linger(receive: Receive) -> None:
    """Read a little of the rest: closing at once would reset the connection, and the client would lose the answer."""
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
