"""Gives a request a thread only when its whole body is here, so that slow clients cost some memory and no thread.

An ASGI application around the WSGI one (ADR 9). Bodies arrive on the event loop, within a time and within a total of
bytes; then one of a fixed number of threads runs the WSGI application, which finds a complete body.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from cds_service.app import create_app_from_environment
from cds_service.audit import log_fault
from cds_service.errors import operation_outcome
from cds_service.settings import read_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

BODY_SECONDS = 10.0
_LINGER_SECONDS = 2.0
_MOST_BODIES = 32  # as many bodies of the largest size may be held at once: 256 MB by default
_WAITING_FOR_EACH_THREAD = 4
_LEAST_WAITING = 64  # so that a process of few threads does not refuse a handful of clients
_CLOSE = (b"connection", b"close")
_WSGI: WSGIEnvironment = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[Header]
    body: bytes


class _Refused(Exception):
    """The request gets `answer` instead of a thread."""

    def __init__(self, answer: _Answer) -> None:
        super().__init__()
        self.answer = answer


def _outcome(status: int, issue_code: str, diagnostics: str, *headers: Header) -> _Answer:
    plain = [(b"content-type", b"application/fhir+json"), (b"x-content-type-options", b"nosniff")]
    return _Answer(status, [*plain, *headers], operation_outcome(diagnostics, issue_code))


_BROKEN = _outcome(400, "structure", "the body ended before it was complete")
_LATE = _outcome(408, "timeout", f"the body did not arrive within {BODY_SECONDS:g} seconds: send the request again")
_FAULT = _outcome(500, "exception", "something broke on our side; the client did nothing wrong")
_BUSY = _outcome(503, "throttled", "too many calls at once: send the request again later", (b"retry-after", b"2"))


def create_asgi_app_from_environment() -> Buffered:
    """What a server process runs: the application with the settings of the environment of the process."""
    settings = read_settings(os.environ)
    return Buffered(create_app_from_environment(), settings.threads, settings.max_body_bytes)


class Buffered:
    """The ASGI application. `most_bytes`: the largest body, which is the WSGI application's own limit, too.

    A larger body is not read: the application sees its length and nothing of it, and answers 413 in its own way.
    """

    def __init__(
        self, application: WSGIApplication, threads: int, most_bytes: int, body_seconds: float = BODY_SECONDS
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
        chunks: list[bytes] = []
        read = False
        try:
            length = await self._collect(scope["headers"], receive, chunks)
            read = length <= self._most_bytes
            answer = await self._run(_environ(scope, b"".join(chunks), length))
        except _Refused as refused:
            answer = refused.answer
            if any(name == b"origin" for name, _ in scope["headers"]):
                answer = _Answer(answer.status, [*answer.headers, (b"access-control-allow-origin", b"*")], answer.body)
        finally:
            self._free_bytes += sum(map(len, chunks))
            del chunks[:]
        headers = answer.headers if read else [*answer.headers, _CLOSE]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        if not read:
            await self._linger(receive)

    async def _collect(self, headers: list[Header], receive: Receive, chunks: list[bytes]) -> int:
        """Reads the body into `chunks` and returns its length; a body that is too large is left unread.

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
                    if len(chunk) > self._free_bytes:
                        raise _Refused(_BUSY)
                    self._free_bytes -= len(chunk)
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            raise _Refused(_LATE) from None
        return length

    async def _run(self, environ: WSGIEnvironment) -> _Answer:
        """The application's answer, as soon as a thread is free. Raises _Refused where too many wait already."""
        if not self._free_places:
            raise _Refused(_BUSY)
        self._free_places -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _call, self._application, environ)
        finally:
            self._free_places += 1

    async def _linger(self, receive: Receive) -> None:
        """Takes in a little of what is still sent: closing at once would reset the connection and lose the answer."""
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await receive()).get("more_body", False):
                    pass
        except TimeoutError:
            pass


def _declared_length(headers: list[Header]) -> int | None:
    """The length of the body by its head, None where only its end will tell."""
    names = dict(headers)
    if b"transfer-encoding" in names:
        return None
    return int(names.get(b"content-length", 0))


def _environ(scope: Scope, body: bytes, length: int) -> WSGIEnvironment:
    """The request as PEP 3333 has it. `length` stands for any Content-Length: whoever reads needs to know one way only.

    Names with an underscore are left out: `X_Forwarded_For` would pass for `X-Forwarded-For`.
    """
    version = scope["http_version"]
    server, client = scope.get("server") or ("", ""), scope.get("client") or ("", "")
    environ = _WSGI | {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{version}" if "." in version else f"HTTP/{version}.0",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name or raw_name in (b"content-length", b"transfer-encoding"):
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        name = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        if name in environ:
            value = f"{environ[name]}{'; ' if name == 'HTTP_COOKIE' else ','}{value}"
        environ[name] = value
    if length:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _call(application: WSGIApplication, environ: WSGIEnvironment) -> _Answer:
    """Runs the WSGI application to its end, in the thread it is called in."""
    started: list[Any] = []
    pieces: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], Any]:
        started[:] = [int(status[:3]), headers]
        return pieces.append

    try:
        result = application(environ, start_response)
        try:
            pieces.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = started
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _Answer(status, encoded, b"".join(pieces))
    except Exception as fault:
        log_fault(fault)
        return _FAULT
