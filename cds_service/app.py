"""create_app: the only wiring."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request
from requests.adapters import BaseAdapter
from werkzeug.exceptions import BadRequest, HTTPException

from cards.checks.run_all import review_due
from cards.topic import Topic
from cds_service.cds_hooks.cors import Cors
from cds_service.cds_hooks.hook_call import Services
from cds_service.cds_hooks.http_message import error_answer
from cds_service.cds_hooks.issuing import CardIssuer
from cds_service.cds_hooks.silencing import Silencer
from cds_service.clients.key_fetcher import KeyFetcher
from cds_service.clients.registry import Registry, registry_of
from cds_service.clients.token_check import ClientAuth
from cds_service.clients.token_replay import SeenTokens
from cds_service.errors import Broken, NoSuchAddress, ServiceError, UnreadableRequest
from cds_service.event_log.events import configure as configure_logging
from cds_service.event_log.events import log_fault, observe_with
from cds_service.fhir_client.reader import FhirReader
from cds_service.flask_door import open_door, refuse_hook
from cds_service.operations.health import DatabaseCheck, Health, health_blueprint
from cds_service.operations.housekeeping import Housekeeping
from cds_service.operations.metrics import Metrics, metrics_blueprint
from cds_service.operations.tracing import start_tracing
from cds_service.pages.evidence_page import evidence_blueprint
from cds_service.pages.infobutton import infobutton_blueprint
from cds_service.pages.openapi import openapi_blueprint
from cds_service.pages.override_reasons import override_reasons_blueprint
from cds_service.pages.patient_pages import patient_pages_blueprint
from cds_service.served_content import served_topics
from cds_service.settings.cards_off import SwitchedOff, switched_off_cards
from cds_service.settings.settings import Settings, read_settings
from cds_service.storage.call_counts import CallCounts
from cds_service.storage.database import Database
from cds_service.storage.ledger import Ledger
from cds_service.storage.writer import Writer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    *,
    topics: Mapping[str, Topic] | None = None,
    clock: Callable[[], datetime] = _now,
    fhir_transport: BaseAdapter | None = None,
) -> Flask:
    """The WSGI application. `clock` and `fhir_transport` are the two edges of the world that tests replace; `topics`
    is content that is loaded already, by the id of its service.

    Raises ContentError where the clinical content is not fit to be served, and NotReady where the registered clients
    are not. The database is not touched yet; `app.extensions["housekeeping"]` is what a serving process starts.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # done by _OneSlash instead: a redirect would fail a CORS preflight
    app.wsgi_app = _OneSlash(app.wsgi_app)  # type: ignore[method-assign]
    topics = topics or served_topics(settings)
    cards_off = switched_off_cards(settings.cards_off, topics)
    registry = registry_of(settings, KeyFetcher(settings.ca_file))
    if not settings.is_production:
        registry = _add_sandbox(app, settings, topics, registry, clock)
    _add_endpoints(app, settings, topics, registry, cards_off, clock, fhir_transport)
    app.register_blueprint(evidence_blueprint(topics, cards_off))
    app.register_blueprint(infobutton_blueprint(topics, settings.base_url))
    app.register_blueprint(override_reasons_blueprint(topics.values()))
    app.register_blueprint(patient_pages_blueprint(topics.values(), settings.base_url))
    app.register_blueprint(openapi_blueprint(list(topics.values()), settings))
    static = f"{urlsplit(settings.base_url).path}/static"  # as a browser sees it, behind a proxy that adds a path, too
    app.context_processor(lambda: {"static": static})
    app.before_request(_refuse_odd_query)
    app.after_request(partial(_add_headers, _page_headers(settings)))
    app.register_error_handler(ServiceError, _service_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)
    return app


def _add_endpoints(
    app: Flask,
    settings: Settings,
    topics: Mapping[str, Topic],
    registry: Registry,
    cards_off: SwitchedOff,
    clock: Callable[[], datetime],
    fhir_transport: BaseAdapter | None,
) -> None:
    """Discovery, the service and its feedback, with the database behind them."""
    database = Database(settings.database, pool_size=settings.threads)
    writer = Writer(database)
    seen = SeenTokens(database, writer, clock, replay_window_s=settings.replay_window_s)
    reasons = frozenset().union(*(topic.service.override_reasons.known for topic in topics.values()))
    ledger = Ledger(database, writer, clock, reasons, record_before_answer=settings.record_before_answer)
    silencer = Silencer(database, clock, settings.patient_hash_key, cards_off)
    counts = CallCounts(database, clock)
    reader = FhirReader(
        budget_ms=settings.fhir_budget_ms,
        threads=settings.threads,
        ca_bundle=str(settings.ca_file) if settings.ca_file else None,
        transport=fhir_transport,
    )
    cors = app.extensions["cors"] = Cors(registry.cors_origins if settings.is_production else None)
    services = Services(
        topics=topics,
        auth=ClientAuth(registry, seen, clock, required=settings.tokens_required, production=settings.is_production),
        fhir=reader,
        issuer=CardIssuer(ledger, silencer, counts),
        ledger=ledger,
        clock=clock,
        base_url=settings.base_url,
        most_bytes=settings.max_body_bytes,
        cors=cors,
        headers=_page_headers(settings),
        discovery_needs_token=settings.tokens_required and not settings.open_discovery,
        store_comments=settings.store_comments,
    )
    open_door(app, services)
    longest_hours = max((client.card_limits.quiet_period_hours or 0 for client in registry.clients), default=0)
    app.extensions["database"] = database
    app.extensions["writer"] = writer
    metrics = _add_health(app, settings, topics.values(), registry, database, clock)
    metrics.writes_waiting = lambda: writer.waiting
    app.extensions["housekeeping"] = Housekeeping(
        [counts.flush, seen.prune, partial(silencer.prune, longest_hours)],
        frequent=[registry.warm, metrics.publish, writer.refuse_overdue],
        at_end=[writer.close],
    )


def _add_health(
    app: Flask,
    settings: Settings,
    topics: Collection[Topic],
    registry: Registry,
    database: Database,
    clock: Callable[[], datetime],
) -> Metrics:
    """What operators ask: the probes, and the metrics, which observe every event from now on."""
    due = min(map(review_due, topics))
    health = Health(DatabaseCheck(database), registry, due, clock, keys_needed=settings.tokens_required)
    metrics = app.extensions["metrics"] = Metrics(topics, registry)
    observe_with(metrics)
    app.register_blueprint(health_blueprint(health))
    if settings.metrics_token or not settings.is_production:
        app.register_blueprint(metrics_blueprint(metrics, health, topics, due, settings.metrics_token))
    return metrics


def _add_sandbox(
    app: Flask, settings: Settings, topics: Mapping[str, Topic], registry: Registry, clock: Callable[[], datetime]
) -> Registry:
    """The sandbox at `/` and below /sandbox/; the registry with its page as one more client."""
    from cds_service.sandbox.blueprint import Sandbox  # production never imports it

    sandbox = Sandbox(topics, settings, clock)
    app.register_blueprint(sandbox.blueprint())
    return Registry([*registry.clients, *filter(None, [sandbox.client])])


def create_app_from_environment() -> Flask:
    """What a server process runs: settings from the environment of the process, events to standard error."""
    configure_logging()
    settings = read_settings(os.environ)
    app = create_app(settings, topics=served_topics(settings))
    tracing = start_tracing(os.environ)
    if tracing:
        observe_with(app.extensions["metrics"], tracing)
    app.extensions["housekeeping"].start()
    gc.enable()
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


def _service_error(error: ServiceError) -> Response:
    answer = error_answer(error)
    return Response(answer.body, answer.status, list(answer.headers))


def _http_error(error: HTTPException) -> Response:
    """What Flask refuses before or without a view of ours; where a hook may have been meant, as an OperationOutcome."""
    status = error.code or 500
    if error.response is not None:
        return Response(status=status)
    if request.path.startswith("/cds-services"):
        return refuse_hook(NoSuchAddress() if status == 404 else UnreadableRequest())
    page = render_template("error.html", status=status)
    response = Response(page, status, mimetype="text/html")
    headers: list[Any] = error.get_headers()
    response.headers.extend([(name, value) for name, value in headers if name == "Allow"])
    return response


def _fault(error: Exception) -> Response:
    log_fault(error)
    return _service_error(Broken())


def _refuse_odd_query() -> None:
    """A query of other bytes than UTF-8 is the client's fault; whoever reads `request.args` would call it ours."""
    try:
        request.query_string.decode()
    except UnicodeDecodeError:
        raise BadRequest from None


def _page_headers(settings: Settings) -> dict[str, str]:
    """What every answer tells a browser."""
    return _HEADERS | (_HTTPS_ONLY if settings.is_production else {})


def _add_headers(headers: Mapping[str, str], response: Response) -> Response:
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
