"""GET /cds-services and POST /cds-services/<id>: who is calling, is the order ours, only then the chart, the answer.

No clinical word here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, Response, g, request

from cards.card import Card
from cards.evaluate import SectionUnobtainable, evaluate
from cards.topic import Topic
from cds_service.cds_hooks.discovery import discovery_document
from cds_service.cds_hooks.issuing import CardIssuer
from cds_service.cds_hooks.patient_chart import ChartReader
from cds_service.cds_hooks.request_body import read_json_body, refuse_deep
from cds_service.cds_hooks.request_decoder import EarlyLook, RequestDecoder
from cds_service.cds_hooks.session import read_session
from cds_service.cds_hooks.wire import HookRequest, encode_response
from cds_service.clients.token_check import ClientAuth, TrustedClient
from cds_service.errors import PreconditionFailed, UnknownService
from cds_service.event_log.events import CallLog
from cds_service.fhir_client.base_url import parse_base


class HookService:
    """One CDS service: from the bytes of a call to the bytes of its answer."""

    def __init__(
        self, topic: Topic, charts: ChartReader, issuer: CardIssuer, clock: Callable[[], datetime], base_url: str
    ) -> None:
        self.id = topic.service.id
        self.content_version = topic.version
        self.discovery = discovery_document(topic)
        self._topic = topic
        self._decoder = RequestDecoder(topic, topic.service.resource_types)
        self._charts = charts
        self._issuer = issuer
        self._clock = clock
        self._base_url = base_url

    def answer(self, body: bytes, client: TrustedClient, log: CallLog) -> bytes:
        """The answer to one hook call, as JSON. Raises BadRequest and PreconditionFailed.

        An order that is not ours decodes no prefetch, reads no chart, calls no server and writes nothing.
        """
        call, look = self._decoder.decode(body)
        log.hook, log.hook_instance = call.hook, call.hook_instance
        server = parse_base(call.fhir_server or "")
        call = replace(call, server=server if server and client.may_read(server) else None)
        if look is None:
            refuse_deep(call.draft_orders, "context.draftOrders")
        log.lap("decode")
        issued = self._issuer.issue(call, client, self._cards(call, look, log), log)
        answer = encode_response(issued, self._base_url)
        log.lap("encode")
        return answer

    def _cards(self, call: HookRequest, look: EarlyLook | None, log: CallLog) -> Sequence[Card]:
        deadline = self._charts.deadline()
        found = read_session(call, self._topic, self._charts, log.chart, deadline, look).found
        log.lap("triage")
        if found is None:
            return ()
        today = self._clock().astimezone(UTC).date()
        record = self._charts.read(call, found.needs, today, log.chart, None if found.urgent else deadline)
        log.lap("chart")
        try:
            cards = evaluate(self._topic, found, record, today)
        except SectionUnobtainable as missing:
            raise PreconditionFailed(str(missing), expression=f"prefetch.{missing.key}") from None
        log.lap("rule")
        return cards


def hooks_blueprint(service: HookService, auth: ClientAuth, base_url: str, *, open_discovery: bool) -> Blueprint:
    """The discovery endpoint and the endpoint of the service."""
    blueprint = Blueprint("hooks", __name__)
    address = f"{base_url}/cds-services"

    @blueprint.get("/cds-services")
    def discover() -> Response:
        if not open_discovery:
            g.call_log = CallLog("cds_hooks.discovery", None, service.content_version)
            auth.identify(request.headers.get("Authorization"), {address}, g.call_log)
            g.call_log.outcome = "discovery"
        return Response(service.discovery, mimetype="application/json")

    @blueprint.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        known = service_id == service.id
        g.call_log = CallLog("cds_hooks.call", service.id if known else None, service.content_version)
        client = auth.identify(request.headers.get("Authorization"), {f"{address}/{service_id}"}, g.call_log)
        if not known:
            raise UnknownService(f"no service has this id; this server has {service.id}")
        body = service.answer(read_json_body(), client, g.call_log)
        return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})

    return blueprint
