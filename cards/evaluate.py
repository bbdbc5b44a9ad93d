"""The only door to `cards`: which orders are ours to speak about, and which cards a record then calls for.

Pure: same input, same cards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cards.card import Card
from cards.catalogue import Topic
from cards.orders import DraftOrder
from cards.record import PatientRecord
from cards.topics.lumbar_puncture import rule
from cards.topics.lumbar_puncture.rule import Triage

__all__ = ["Triage", "evaluate", "triage"]


def triage(topic: Topic, orders: Sequence[DraftOrder]) -> Triage | None:
    """What of these orders the topic speaks about, and which prefetch keys that needs; None means silence."""
    return rule.triage(orders, topic)


def evaluate(topic: Topic, found: Triage, record: PatientRecord | None, today: date) -> tuple[Card, ...]:
    """The cards for orders that are ours, most urgent first. `record` may be None only where `found.needs` is empty."""
    return rule.decide(found, record, topic, today)
