"""POST /cds-services/<id>: decode, ask whether it is ours, only then read the chart, answer. No clinical word here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from cards.card import Card
from cards.catalogue import Topic
from cards.evaluate import ProceduresUnobtainable, evaluate
from cds_service.audit import CallLog, log_call
from cds_service.chart import ChartReader
from cds_service.discovery import discovery_document
from cds_service.errors import BadRequest, PreconditionFailed, UnknownService, UnsupportedMediaType
from cds_service.session import read_session
from cds_service.wire import HookRequest, IssuedCard, decode_request, encode_response

_CARD_NAMESPACE = UUID("5f0a51c4-5d1c-5d8f-9f6b-0d9e0c1f7a11")  # ours; a change would change every card's id
_JSON = frozenset({"application/json", "application/fhir+json", "application/json+fhir"})


class HookService:
    """One CDS service: from the bytes of a call to the bytes of its answer."""

    def __init__(self, topic: Topic, charts: ChartReader, clock: Callable[[], datetime], base_url: str) -> None:
        self.id = topic.service.id
        self.content_version = topic.version
        self.discovery = discovery_document(topic)
        self._topic = topic
        self._charts = charts
        self._clock = clock
        self._base_url = base_url

    def answer(self, body: bytes, log: CallLog) -> bytes:
        """The answer to one hook call, as JSON. Raises BadRequest.

        An order that is not ours decodes no prefetch, reads no chart and calls no server.
        """
        call = decode_request(body, self._topic.service.hooks)
        log.hook, log.hook_instance = call.hook, call.hook_instance
        cards = self._cards(call, log)
        issued = [_issue(card, call.hook_instance, self.id) for card in cards]
        log.outcome = "cards" if cards else "silent"
        log.cards = [card.key for card in cards]
        log.card_uuids = [card.uuid for card in issued]
        return encode_response(issued, self._base_url)

    def _cards(self, call: HookRequest, log: CallLog) -> Sequence[Card]:
        deadline = self._charts.deadline()
        found = read_session(call, self._topic, self._charts, log.chart, deadline).found
        if found is None:
            return ()
        today = self._clock().astimezone(UTC).date()
        record = self._charts.read(call, found.needs, today, log.chart, None if found.urgent else deadline)
        try:
            return evaluate(self._topic, found, record, today)
        except ProceduresUnobtainable:
            raise PreconditionFailed(
                "the patient's procedures are needed to judge this order, and could not be had: send them in "
                "prefetch.procedures, or a fhirServer (with fhirAuthorization) that gives them",
                expression="prefetch.procedures",
            ) from None


def _issue(card: Card, hook_instance: str, service_id: str) -> IssuedCard:
    """Ids that are a function of hookInstance, service and card: a call that is tried again gets the same answer."""
    name = f"{hook_instance}/{service_id}/{card.key}"
    suggestions = {one.key: str(uuid5(_CARD_NAMESPACE, f"{name}/{one.key}")) for one in card.suggestions}
    return IssuedCard(card, str(uuid5(_CARD_NAMESPACE, name)), suggestions)


def hooks_blueprint(service: HookService) -> Blueprint:
    """The discovery endpoint and the endpoint of the service."""
    blueprint = Blueprint("hooks", __name__)

    @blueprint.get("/cds-services")
    def discover() -> Response:
        return Response(service.discovery, mimetype="application/json")

    @blueprint.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        if service_id != service.id:
            raise UnknownService(f"no service has this id; this server has {service.id}")
        g.call_log = CallLog(service.id, service.content_version)
        _require_json()
        body = service.answer(_read_body(), g.call_log)
        return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})

    @blueprint.after_request
    def log(response: Response) -> Response:
        if "call_log" in g:
            if response.status_code >= 500:
                g.call_log.outcome = "fault"
            log_call(g.call_log, response.status_code)
        return response

    return blueprint


def _read_body() -> bytes:
    """The body in one piece. Flask's own reader takes it in pieces of 64 kB, which halves what one process serves.

    Raises RequestEntityTooLarge (413), and BadRequest where the client hung up early.
    """
    most, length = current_app.config["MAX_CONTENT_LENGTH"], request.content_length
    incoming = request.environ["wsgi.input"]
    if length is None:
        chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
        body: bytes = incoming.read(most + 1) if chunked else b""
        if len(body) > most:
            raise RequestEntityTooLarge
        return body
    if length > most:
        raise RequestEntityTooLarge
    body = incoming.read(length)
    if len(body) < length:
        raise BadRequest("the body is shorter than its Content-Length")
    return body


def _require_json() -> None:
    """Plain JSON in UTF-8 (R-2.13); compressed bodies are not taken, so that no small body unpacks into a large one."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype not in _JSON or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("send the body with Content-Type: application/json, in UTF-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without Content-Encoding: compressed bodies are not taken")
