"""create_app: the only wiring."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask_cors import CORS
from requests.adapters import BaseAdapter
from werkzeug.exceptions import HTTPException

from cards.catalogue import load_topic
from cds_service.audit import configure as configure_logging
from cds_service.audit import log_fault
from cds_service.chart import ChartReader
from cds_service.errors import ServiceError, operation_outcome
from cds_service.fhir_reader import FhirReader
from cds_service.hooks import HookService, hooks_blueprint
from cds_service.pages import error_page, pages_blueprint
from cds_service.settings import Settings, is_loopback, read_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ISSUE_CODES = {404: "not-found", 405: "not-supported", 413: "too-long"}  # FHIR IssueType by HTTP status
_ADVICE = {
    404: "there is nothing at this address: discovery is at /cds-services",
    405: "this address does not take that method; the Allow header names those it takes",
    413: "the body is larger than this server takes: send fewer resources in prefetch",
}
_ALLOWED_HEADERS = ["Accept", "Authorization", "Content-Type"]  # by name: the wildcard leaves Authorization out
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings, *, clock: Callable[[], datetime] = _now, fhir_transport: BaseAdapter | None = None
) -> Flask:
    """The WSGI application. `clock` and `fhir_transport` are the two edges of the world that tests replace.

    Raises ContentError where the clinical content is not fit to be served.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # done by _OneSlash instead: a redirect would fail a CORS preflight
    app.wsgi_app = _OneSlash(app.wsgi_app)  # type: ignore[method-assign]
    topic = load_topic(local_value_sets=settings.value_sets_dir, drafts=settings.draft_translations)
    reader = FhirReader(
        budget_ms=settings.fhir_budget_ms,
        pool_size=settings.threads,
        is_allowed=is_loopback,
        transport=fhir_transport,
    )
    service = HookService(topic, ChartReader(topic, reader), clock, settings.base_url)
    app.register_blueprint(hooks_blueprint(service))
    app.register_blueprint(pages_blueprint(topic, settings.base_url))
    app.after_request(_add_headers)  # before CORS in order to run after it
    CORS(
        app,
        resources=["/cds-services*"],
        origins="*",  # the development profile has no registered clients to name
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=_ALLOWED_HEADERS,
        max_age=600,
    )
    app.register_error_handler(ServiceError, _service_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)
    return app


def create_app_from_environment() -> Flask:
    """What a server process runs: settings from the environment of the process, events to standard error."""
    configure_logging()
    app = create_app(read_settings(os.environ))
    gc.collect()
    gc.freeze()  # content and libraries live as long as the process: no collection need look at them again
    return app


class _OneSlash:
    """Takes `/cds-services//<id>` for `/cds-services/<id>`: the reference client joins URLs so (clients.md 2)."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "//" in environ["PATH_INFO"]:
            environ["PATH_INFO"] = re.sub("/{2,}", "/", environ["PATH_INFO"])
        return self._application(environ, start_response)


def _outcome(status: int, diagnostics: str, issue_code: str, expression: str | None = None) -> Response:
    body = operation_outcome(diagnostics, issue_code, expression)
    return Response(body, status, mimetype="application/fhir+json")


def _service_error(error: ServiceError) -> Response:
    return _outcome(error.status, error.diagnostics, error.issue_code, error.expression)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None:
        return Response(status=status)
    if request.path.startswith("/cds-services"):
        advice = _ADVICE.get(status, "this request cannot be answered")
        response = _outcome(status, advice, _ISSUE_CODES.get(status, "processing"))
    else:
        response = error_page(status)
    headers: list[Any] = error.get_headers()
    response.headers.extend([(name, value) for name, value in headers if name == "Allow"])
    return response


def _fault(error: Exception) -> Response:
    log_fault(error)
    return _outcome(500, "something broke on our side; the client did nothing wrong", "exception")


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.method == "OPTIONS" and "Access-Control-Allow-Origin" in response.headers:
        response.headers.setdefault("Access-Control-Allow-Headers", ", ".join(_ALLOWED_HEADERS))
    return response
