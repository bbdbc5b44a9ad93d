"""One call from bytes to bytes: who is calling, is the order ours, only then the chart, the cards, the answer.

No clinical word and no web framework here. A door (flask_door.py) hands over the request, runs the steps and sends what
they return.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256

from cards.card import Card
from cards.evaluate import SectionUnobtainable, Triage, evaluate, reasons_to_look_up, triage
from cards.fhir.draft_orders import OtherPatient, refuse_other_patients
from cards.fhir.resources import CodeableConcept
from cards.nearest_names import did_you_mean
from cards.record.patient_record import PatientRecord
from cards.topic import Topic
from cds_service.cds_hooks.cors import Cors
from cds_service.cds_hooks.discovery import discovery_document
from cds_service.cds_hooks.feedback_request import decode_feedback
from cds_service.cds_hooks.hook_request import HookRequest
from cds_service.cds_hooks.hook_response import encode_response
from cds_service.cds_hooks.http_message import (
    HttpAnswer,
    HttpRequest,
    error_answer,
    is_known,
    json_answer,
    json_body,
    refuse_deep,
)
from cds_service.cds_hooks.issuing import CardIssuer
from cds_service.cds_hooks.patient_chart import PatientChart
from cds_service.cds_hooks.request_decoder import RequestDecoder
from cds_service.clients.token_check import ClientAuth, TrustedClient
from cds_service.errors import (
    BadRequest,
    Broken,
    LedgerUnavailable,
    MethodNotAllowed,
    NoSuchAddress,
    PreconditionFailed,
    ServiceError,
    UnknownService,
)
from cds_service.event_log.call_log import CallLog
from cds_service.event_log.events import log_call, log_fault
from cds_service.fhir_client.reader import FhirReader
from cds_service.steps import Steps
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.ledger import Ledger
from cds_service.storage.ledger_entries import Caller

_ETAG_DIGITS = 32


@dataclass(frozen=True)
class Services:
    """What all calls of a process share. `topics`: one for each CDS service, by the id of the service.

    `most_bytes`: of a body; `headers`: of every answer, beside its own.
    """

    topics: Mapping[str, Topic]
    auth: ClientAuth
    fhir: FhirReader
    issuer: CardIssuer
    ledger: Ledger
    clock: Callable[[], datetime]
    base_url: str
    most_bytes: int
    cors: Cors
    headers: Mapping[str, str]
    discovery_needs_token: bool
    store_comments: bool

    @cached_property
    def discovery(self) -> bytes:
        """The discovery document: the same bytes for everybody."""
        return discovery_document(self.topics.values(), self.base_url)

    @cached_property
    def discovery_etag(self) -> str:
        """The name of these bytes (https://www.rfc-editor.org/rfc/rfc9110#field.etag)."""
        return f'"{sha256(self.discovery).hexdigest()[:_ETAG_DIGITS]}"'

    @cached_property
    def decoders(self) -> Mapping[str, RequestDecoder]:
        """A decoder for the calls of each service."""
        return {service_id: RequestDecoder(topic) for service_id, topic in self.topics.items()}

    def complete(self, request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
        """The answer with the headers that every answer has, and those for browsers."""
        headers = (*answer.headers, *self.cors.headers(request), *self.headers.items())
        return HttpAnswer(answer.status, headers, answer.body)


class HookCall:
    """One request to /cds-services or below: method, path, headers and body in; status, headers and body out."""

    def __init__(self, services: Services, request: HttpRequest) -> None:
        self._services = services
        self._request = request
        self._log: CallLog | None = None

    def answer(self) -> Steps[HttpAnswer]:
        """The complete answer. Raises nothing: an error is an answer, too, and what was called is logged."""
        try:
            answer = yield from self._route()
        except ServiceError as error:
            answer = error_answer(error)
        except Exception as fault:
            log_fault(fault)
            answer = error_answer(Broken())
        if self._log:
            if answer.status == Broken.status:
                self._log.outcome = "fault"
            log_call(self._log, answer.status)
        return self._services.complete(self._request, answer)

    def _route(self) -> Steps[HttpAnswer]:
        """The endpoint at this path, for this method. Any run of slashes counts as one (clients.md 2)."""
        methods: tuple[str, ...]
        match [step for step in self._request.path.split("/") if step][1:]:
            case []:
                methods, endpoint = ("GET", "HEAD", "OPTIONS"), self._discover()
            case [service_id]:
                methods, endpoint = ("OPTIONS", "POST"), self._call_hook(service_id)
            case [service_id, "feedback"]:
                methods, endpoint = ("OPTIONS", "POST"), self._take_feedback(service_id)
            case _:
                raise NoSuchAddress
        if self._request.method not in methods:
            raise MethodNotAllowed(methods)
        if self._request.method == "OPTIONS":
            return HttpAnswer(200, (("Content-Type", "text/html; charset=utf-8"), ("Allow", ", ".join(methods))), b"")
        return (yield from endpoint)

    def _discover(self) -> Steps[HttpAnswer]:
        """The discovery document, or 304 where the client has it; from memory alone where that needs no token."""
        if self._services.discovery_needs_token:
            log = self._begin("cds_hooks.discovery")
            yield from self._identify(log, {self._address()})
            log.outcome = "discovery"
        etag = self._services.discovery_etag
        headers = (("ETag", etag), ("Cache-Control", "no-cache"))  # kept, but asked about before each use
        if is_known(self._request, etag):
            return HttpAnswer(304, headers, b"")
        return json_answer(self._services.discovery, *headers)

    def _call_hook(self, service_id: str) -> Steps[HttpAnswer]:
        """The cards. An order that is not ours reads no chart, calls no server and writes nothing."""
        log = self._begin("cds_hooks.call", service_id)
        client = yield from self._identify(log, {self._address(service_id)})
        topic = self._topic(service_id)

        call = self._services.decoders[service_id].decode(json_body(self._request, self._services.most_bytes))
        log.hook, log.hook_instance = call.hook, call.hook_instance
        refuse_deep(call.draft_orders, "context.draftOrders")
        log.lap("decode")

        chart = PatientChart(call, client.may_read, self._services.fhir, log.chart)
        ours, _ = yield from triage_orders(call, chart)
        log.lap("triage")

        cards: Sequence[Card] = ()
        if ours is not None:
            today = self._services.clock().astimezone(UTC).date()
            record = yield from chart.read(ours.needs, today, fetching=not ours.urgent)
            log.lap("chart")
            cards = _decide(topic, ours, record, today)
            log.lap("rule")

        caller = Caller(service_id, client.name, client.tenant)
        issued = yield from self._services.issuer.issue(caller, client, call, cards, log)
        body = encode_response(issued, service_id, self._services.base_url)
        log.lap("encode")
        return json_answer(body, ("Cache-Control", "no-store"))

    def _take_feedback(self, service_id: str) -> Steps[HttpAnswer]:
        """What became of our cards (R-5.1 to R-5.14): stored before it is acknowledged, or not acknowledged."""
        log = self._begin("cds_hooks.feedback", service_id)
        address = self._address(service_id)
        client = yield from self._identify(log, {address, f"{address}/feedback"})
        topic = self._topic(service_id)
        body = json_body(self._request, self._services.most_bytes)
        refuse_deep(body, "feedback")
        entries = decode_feedback(body)
        log.lap("decode")
        caller = Caller(service_id, client.name, client.tenant)
        final_reasons = topic.service.override_reasons.codes_mapped_to(client.card_limits.final_reasons)
        comments = self._services.store_comments
        try:
            stored = yield from self._services.ledger.store(
                caller, entries, comments=comments, final_reasons=final_reasons
            )
        except DatabaseUnavailable as reason:
            log.unrecorded = str(reason)
            raise LedgerUnavailable("the feedback was not stored, none of it: send it again later") from None
        log.lap("ledger")
        log.outcome = "stored"
        log.feedback = {"new": stored.new, "repeated": stored.repeated, "unknown_card": stored.unknown}
        log.feedback_outcomes = dict(Counter(entry.outcome for entry in entries))
        counts = b'{"repeated":%d,"stored":%d,"unknownCards":%d}\n'
        return json_answer(counts % (stored.repeated, stored.new, stored.unknown))

    def _begin(self, event: str, service_id: str = "") -> CallLog:
        """The log of this call; of an id that no service has it does not say what it was."""
        topics = self._services.topics
        called = [topics[service_id]] if service_id in topics else topics.values()
        versions = " ".join(topic.version for topic in called)
        name = service_id if service_id in topics else None
        self._log = CallLog(event, name, versions, traceparent=self._request.headers.get("traceparent"))
        return self._log

    def _identify(self, log: CallLog, audiences: Collection[str]) -> Steps[TrustedClient]:
        return self._services.auth.identify(self._request.headers.get("authorization"), audiences, log)

    def _address(self, service_id: str = "") -> str:
        return f"{self._services.base_url}/cds-services" + (f"/{service_id}" if service_id else "")

    def _topic(self, service_id: str) -> Topic:
        """The topic of a service. Raises UnknownService; only a client that may call learns which there are."""
        topics = self._services.topics
        topic = topics.get(service_id)
        if topic is None:
            raise UnknownService(
                f"no service has this id; this server has {', '.join(topics)}{did_you_mean(service_id, topics)}"
            )
        return topic


def triage_orders(call: HookRequest, chart: PatientChart) -> Steps[tuple[Triage | None, Mapping[str, CodeableConcept]]]:
    """Which orders of the session are ours (None: none), and the Conditions that were read for it, by reference.

    Raises BadRequest where the orders are no Bundle, or one of ours is for another patient.
    """
    references = reasons_to_look_up(call.topic, call.orders)
    looked_up = (yield from chart.look_up(references)) if references else {}
    ours = triage(call.topic, call.orders, looked_up) if references else call.triage
    try:
        refuse_other_patients(ours.orders if ours else (), call.patient_id)
    except OtherPatient:
        raise BadRequest(
            "an order in context.draftOrders is for another patient: send orders for context.patientId only",
            expression="context.draftOrders",
            issue_code="business-rule",
        ) from None
    return ours, looked_up


def _decide(topic: Topic, ours: Triage, record: PatientRecord, today: date) -> Sequence[Card]:
    try:
        return evaluate(topic, ours, record, today)
    except SectionUnobtainable as missing:
        raise PreconditionFailed(str(missing), expression=f"prefetch.{missing.key}") from None
