"""One request from ASGI to WSGI and back, once its body is complete (PEP 3333; ADR 9 says why no library does it)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from cds_service.errors import operation_outcome
from cds_service.event_log.events import log_fault

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Scope = dict[str, Any]
Header = tuple[bytes, bytes]

_SERVER: WSGIEnvironment = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


@dataclass(frozen=True)
class Answer:
    """A complete answer. `headers`: names in lower case, as ASGI has them."""

    status: int
    headers: Sequence[Header]
    body: bytes


@cache
def outcome(status: int, issue_code: str, diagnostics: str, *headers: Header) -> Answer:
    """An OperationOutcome as an answer that does not come from the WSGI application."""
    plain = [(b"content-type", b"application/fhir+json"), (b"x-content-type-options", b"nosniff")]
    return Answer(status, [*plain, *headers], operation_outcome(diagnostics, issue_code))


def call(application: WSGIApplication, scope: Scope, body: bytes, length: int) -> Answer:
    """The complete answer of the application, whose answers are small. An exception is logged and gives 500."""
    started: list[Any] = []
    pieces: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], Any]:
        started[:] = [int(status[:3]), headers]
        return pieces.append

    try:
        result = application(environ(scope, body, length), start_response)
        try:
            pieces.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = started
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return Answer(status, encoded, b"".join(pieces))
    except Exception as fault:
        log_fault(fault)
        return outcome(500, "exception", "something broke on our side; the client did nothing wrong")


def environ(scope: Scope, body: bytes, length: int) -> WSGIEnvironment:
    """The request as PEP 3333 has it. `length`: of the body, whether it came with Content-Length or in chunks.

    Header names with an underscore are left out, because `X_Forwarded_For` would become `X-Forwarded-For`.
    """
    version = scope["http_version"]
    server, client = scope.get("server") or ("", ""), scope.get("client") or ("", "")
    variables = _SERVER | {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{version}" if "." in version else f"HTTP/{version}.0",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "CONTENT_LENGTH": str(length),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name or raw_name in (b"content-length", b"transfer-encoding"):
            continue
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        name = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        if name in variables:
            value = f"{variables[name]}{'; ' if name == 'HTTP_COOKIE' else ','}{value}"
        variables[name] = value
    return variables
