"""One request whose body is complete, from RSGI to WSGI and back (PEP 3333; ADR 9 says why no library does it)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cds_service.cds_hooks.http_message import HttpAnswer, HttpRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from granian.rsgi import Scope

_SERVER: WSGIEnvironment = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def call(application: WSGIApplication, scope: Scope, request: HttpRequest) -> HttpAnswer:
    """The complete answer of the application, whose answers are small. Raises what the application raises."""
    started: list[Any] = []
    pieces: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], Any]:
        started[:] = [int(status[:3]), tuple(headers)]
        return pieces.append

    result = application(environ(scope, request), start_response)
    try:
        pieces.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started
    return HttpAnswer(status, headers, b"".join(pieces))


def environ(scope: Scope, request: HttpRequest) -> WSGIEnvironment:
    """The request as PEP 3333 has it. Its length is told whether it came with Content-Length or in chunks."""
    version = scope.http_version
    server, client = _host_and_port(scope.server), _host_and_port(scope.client)
    variables = _SERVER | {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": _latin_1(request.path),
        "QUERY_STRING": _latin_1(scope.query_string),
        "SERVER_PROTOCOL": f"HTTP/{version}" if "." in version else f"HTTP/{version}.0",
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[1],
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": client[1],
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(request.body),
    }
    for name, text in request.headers.items():
        variables[f"HTTP_{name.upper().replace('-', '_')}"] = text
    variables.pop("HTTP_CONTENT_LENGTH", None)
    variables.pop("HTTP_TRANSFER_ENCODING", None)
    variables["CONTENT_LENGTH"] = str(request.length)
    if "HTTP_CONTENT_TYPE" in variables:
        variables["CONTENT_TYPE"] = variables.pop("HTTP_CONTENT_TYPE")
    return variables


def _latin_1(text: str) -> str:
    """The bytes of a text as PEP 3333 wants them: each as the character of the same number."""
    return text.encode().decode("latin-1")


def _host_and_port(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port
