"""The orders of a session: read, and those that are ours told apart, before anything of the chart is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cards.evaluate import Triage, reasons_to_look_up, triage
from cards.fhir.draft_orders import DraftOrder, NotABundle, OtherPatient, read_draft_orders, refuse_other_patients
from cards.fhir.resources import CodeableConcept
from cards.topic import Topic
from cds_service.cds_hooks.patient_chart import ChartLog, ChartReader
from cds_service.cds_hooks.request_decoder import EarlyLook
from cds_service.cds_hooks.wire import HookRequest
from cds_service.errors import BadRequest


@dataclass(frozen=True)
class Session:
    """`orders`: all of the session; `looked_up`: the reasons they refer to; `found` None: no order is ours."""

    orders: tuple[DraftOrder, ...]
    looked_up: Mapping[str, CodeableConcept]
    found: Triage | None


def read_session(
    call: HookRequest,
    topic: Topic,
    charts: ChartReader,
    log: ChartLog,
    deadline: float,
    look: EarlyLook | None = None,
) -> Session:
    """Read the orders of a call. Raises BadRequest where they are no Bundle, or one of ours is for somebody else.

    `look`: what is known of them already.
    """
    try:
        orders = look.orders if look else read_draft_orders(call.draft_orders, call.selections)
    except NotABundle:
        raise BadRequest(
            "context.draftOrders is not a Bundle: send a FHIR Bundle with all unsigned orders of the session",
            expression="context.draftOrders",
        ) from None
    references = reasons_to_look_up(topic, orders)
    looked_up = charts.look_up(call, references, log, deadline) if references else {}
    found = look.found if look and not references else triage(topic, orders, looked_up)
    try:
        refuse_other_patients(found.orders if found else (), call.patient_id)
    except OtherPatient:
        raise BadRequest(
            "an order in context.draftOrders is for another patient: send orders for context.patientId only",
            expression="context.draftOrders",
            issue_code="business-rule",
        ) from None
    return Session(orders, looked_up, found)
