"""The only door to `cards`: which orders are ours to speak about, and which cards a record then calls for.

Pure: same input, same cards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from cards.card import Card
from cards.catalogue import Topic
from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture import rule
from cards.topics.lumbar_puncture.decision import triage as first_look
from cards.topics.lumbar_puncture.decision.triage import Triage
from cards.topics.lumbar_puncture.rule import ProceduresUnobtainable

_NOTHING: Mapping[str, CodeableConcept] = {}

__all__ = ["ProceduresUnobtainable", "Triage", "evaluate", "reasons_to_look_up", "triage"]


def reasons_to_look_up(topic: Topic, orders: Sequence[DraftOrder]) -> tuple[str, ...]:
    """References to the Conditions that have to be known before `triage` can tell; nearly always none."""
    return first_look.reasons_to_look_up(orders, topic)


def triage(
    topic: Topic, orders: Sequence[DraftOrder], looked_up: Mapping[str, CodeableConcept] = _NOTHING
) -> Triage | None:
    """What of these orders the topic speaks about, and which prefetch keys that needs; None means silence."""
    return first_look.triage(orders, topic, looked_up)


def evaluate(topic: Topic, found: Triage, record: PatientRecord, today: date) -> tuple[Card, ...]:
    """The cards for orders that are ours, most urgent first.

    Raises ProceduresUnobtainable where a work-up order cannot be judged without the procedures.
    """
    return rule.decide(found, record, topic, today)
