"""The explanation of a call, put together from what the topic says and what all topics share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cards.card import Card
from cards.evaluate import SectionUnobtainable, evaluate
from cards.explanation.chart import ChartExplainer
from cards.explanation.orders import explain_orders
from cards.explanation.words import Paragraph
from cards.fhir.bundle import Entries
from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.fhir.tolerant_reading import JsonBytes
from cards.record.patient_record import PatientRecord
from cards.topic import Explanation, Fact, Topic, Triage, Verdict

_NO_ORDER = "no order is ours"


@dataclass(frozen=True)
class SessionToExplain:
    """The orders of a call and what was read for them, as the service reads it.

    `orders`: those that were read from `draft_orders`. `triage` and `record` are None where the topic speaks about no
    order. `entries`: of each search of the prefetch, by key. `elsewhere`: what the service does about a reason of an
    order that the call does not contain.
    """

    draft_orders: JsonBytes
    orders: Sequence[DraftOrder]
    looked_up: Mapping[str, CodeableConcept]
    triage: Triage | None
    record: PatientRecord | None
    entries: Mapping[str, Entries]
    elsewhere: str


@dataclass(frozen=True)
class Explained:
    """What each order and entry was taken for, what they come to, and a verdict for each card that the topic has."""

    orders: tuple[Paragraph, ...]
    chart: tuple[Paragraph, ...]
    decision: tuple[Fact, ...]
    verdicts: tuple[Verdict, ...]


def explain(topic: Topic, session: SessionToExplain, today: date) -> Explained:
    """Explain a call in plain English; the result quotes the chart."""
    orders = explain_orders(session.draft_orders, session.orders, topic, session.looked_up, session.elsewhere)
    if session.triage is None or session.record is None:
        return Explained(
            tuple(orders),
            (("not read: no order is ours", []),),
            (("orders", "none is ours: the chart is not read"),),
            tuple(Verdict(key, False, _NO_ORDER) for key in topic.service.cards),
        )
    explanation = topic.explain(session.triage, session.record, today)
    explainer = ChartExplainer(topic, explanation, session.record, today)
    types = topic.service.resource_types
    chart = [paragraph for key in types for paragraph in explainer.explain(session.entries[key], types[key])]
    try:
        verdicts = _verdicts(topic, evaluate(topic, session.triage, session.record, today), explanation)
    except SectionUnobtainable as missing:
        why = f"412: the {missing.key} could not be read"
        verdicts = (Verdict(key, False, why) for key in topic.service.cards)
    return Explained(tuple(orders), tuple(chart), tuple(explanation.decision()), tuple(verdicts))


def _verdicts(topic: Topic, cards: Iterable[Card], explanation: Explanation) -> Iterable[Verdict]:
    by_key = {card.key: card for card in cards}
    for key in topic.service.cards:
        card = by_key.get(key)
        if card is None:
            yield Verdict(key, False, explanation.why_not(key))
        else:
            offers = tuple(suggestion.key for suggestion in card.suggestions)
            yield Verdict(key, True, card.summary, card.indicator, offers)
