"""The server's own door: the RSGI application of a worker (ADR 20).

A hook call goes straight to HookCall, on the event loop: no thread, no WSGI, no Flask. What has to wait goes to a
bounded number of threads, and so do large calls and every other page, which the Flask application answers. No request
has a thread before its whole body has arrived, so that slow clients cost memory and no thread (ADR 9).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cds_service.app import create_app_from_environment
from cds_service.cds_hooks.hook_call import HookCall, Services
from cds_service.cds_hooks.http_message import HttpAnswer, HttpRequest, error_answer
from cds_service.errors import Broken, ServiceError
from cds_service.event_log.events import log_fault, log_not_heard
from cds_service.server.lanes import Lane
from cds_service.server.request_body import BodyLimits, RequestBody
from cds_service.server.wsgi_call import call
from cds_service.settings.settings import read_settings
from cds_service.steps import run_steps, run_steps_on_loop

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from granian._granian import RSGIHeaders, RSGIHTTPProtocol
    from granian.rsgi import Scope

_LONGEST_ON_LOOP = 64 * 1024  # bytes of a body whose call others can wait for (ADR 20)
_OPERATORS = ("/health/", "/metrics")  # paths that have threads of their own
_OPERATORS_THREADS = 3  # one waits for the database, one gathers metrics, one does the rest


def create_door_from_environment() -> Door:
    """The application that a server process runs, with the settings of its environment."""
    settings = read_settings(os.environ)
    application = create_app_from_environment()
    door = Door(
        application,
        application.extensions["cds_services"],
        threads=settings.threads,
        limits=BodyLimits(settings.max_body_bytes),
    )
    application.extensions["metrics"].requests_in_progress = door.in_progress
    return door


class Door:
    """The RSGI application. `services` None: hook calls, too, are answered by the WSGI application."""

    def __init__(
        self,
        application: WSGIApplication,
        services: Services | None,
        *,
        threads: int,
        limits: BodyLimits,
    ) -> None:
        self._application = application
        self._services = services
        self._limits = limits
        self._calls = Lane("call", threads)
        self._operators = Lane("operator", _OPERATORS_THREADS)

    def in_progress(self) -> int:
        """Requests that are being answered or wait for a thread, without probes."""
        return self._calls.taken

    async def __rsgi__(self, scope: Scope, protocol: RSGIHTTPProtocol) -> None:
        """Answer one request, and close the connection where the request was not read to its end."""
        headers = read_headers(scope.headers)
        body = RequestBody(protocol, headers, self._limits)
        request = HttpRequest(scope.method, scope.path, headers)
        try:
            await body.arrive()
            answer = await self._answer(scope, request, body)
        except ServiceError as refusal:
            log_not_heard(refusal.status)
            answer = self._complete(request, error_answer(refusal))
        except Exception as fault:
            log_fault(fault)
            answer = self._complete(request, error_answer(Broken()))
        finally:
            body.release()
        closing = [] if body.is_read else [("Connection", "close")]
        protocol.response_bytes(answer.status, [*answer.headers, *closing], answer.body)
        if not body.is_read:
            await body.linger()

    async def _answer(self, scope: Scope, request: HttpRequest, body: RequestBody) -> HttpAnswer:
        """The answer to a request whose body is here. Raises TooManyCalls."""
        lane = self._operators if request.path.startswith(_OPERATORS) else self._calls
        with lane.place():
            if self._services is None or not _is_for_a_hook(request.path):
                return await lane.run(self._ask_flask, scope, request, body)
            if body.held_bytes > _LONGEST_ON_LOOP:
                return await lane.run(_answer_hook, self._services, request, body)
            return await run_steps_on_loop(HookCall(self._services, _with_body(request, body)).answer(), lane.run)

    def _ask_flask(self, scope: Scope, request: HttpRequest, body: RequestBody) -> HttpAnswer:
        return call(self._application, scope, _with_body(request, body))

    def _complete(self, request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
        return self._services.complete(request, answer) if self._services else answer


def read_headers(headers: RSGIHeaders) -> dict[str, str]:
    """Headers by name, in lower case. Repeated ones are joined, so that two tokens are never taken for one.

    RSGI leaves out values that are not ASCII: such a header is "?", for it must not look as if it had not come. Names
    with an underscore are left out, because in WSGI `X_Forwarded_For` would become `X-Forwarded-For`.
    """
    texts: dict[str, str] = {}
    for name, text in headers.items():
        texts[name] = f"{texts[name]}{'; ' if name == 'cookie' else ','}{text}" if name in texts else text
    names = headers.keys()
    if len(names) > len(texts):
        texts = dict.fromkeys(names, "?") | texts
    return {name: text for name, text in texts.items() if "_" not in name}


def _is_for_a_hook(path: str) -> bool:
    """Whether HookCall answers for this path. Any run of slashes counts as one (clients.md 2)."""
    return path.startswith("/") and path.lstrip("/").partition("/")[0] == "cds-services"


def _with_body(request: HttpRequest, body: RequestBody) -> HttpRequest:
    return HttpRequest(request.method, request.path, request.headers, body.take(), body.length)


def _answer_hook(services: Services, request: HttpRequest, body: RequestBody) -> HttpAnswer:
    return run_steps(HookCall(services, _with_body(request, body)).answer())
