"""The only door to `cards`: which orders a topic speaks about, and which cards a record then calls for.

Pure: same input, same cards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from cards.card import Card
from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.record.patient_record import PatientRecord
from cards.topic import SectionUnobtainable, Topic, Triage

_NONE_LOOKED_UP: Mapping[str, CodeableConcept] = {}

__all__ = ["SectionUnobtainable", "Triage", "evaluate", "reasons_to_look_up", "triage"]


def reasons_to_look_up(topic: Topic, orders: Sequence[DraftOrder]) -> tuple[str, ...]:
    """References to the Conditions that `triage` needs to know; usually none."""
    return topic.reasons_to_look_up(orders)


def triage(
    topic: Topic, orders: Sequence[DraftOrder], looked_up: Mapping[str, CodeableConcept] = _NONE_LOOKED_UP
) -> Triage | None:
    """Which of these orders the topic speaks about, and which prefetch keys that needs; None: there is no card.

    `looked_up`: the Conditions of `reasons_to_look_up`, by reference, as far as they could be read.
    """
    return topic.triage(orders, looked_up)


def evaluate(topic: Topic, triage: Triage, record: PatientRecord, today: date) -> tuple[Card, ...]:
    """The cards for the orders of a triage, most urgent first.

    Raises SectionUnobtainable where they cannot be judged without a section of the chart that is missing.
    """
    return topic.decide(triage, record, today)
