"""The topic lumbar puncture and back pain, as the catalogue finds it. What it decides stands in rule.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cards.card import Card
from cards.content.rules import ContentRules
from cards.content.topic_files import TopicFiles
from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.order_catalogue import OrderCatalogue
from cards.record.patient_record import PatientRecord
from cards.timeline import Timeline
from cards.topics.lumbar_puncture.chart_timeline import read_timeline
from cards.topics.lumbar_puncture.content import LumbarPunctureContent
from cards.topics.lumbar_puncture.content_rules import content_rules
from cards.topics.lumbar_puncture.decision.assessment import assess
from cards.topics.lumbar_puncture.decision.triage import Triage, reasons_to_look_up, triage
from cards.topics.lumbar_puncture.explanation.explain_decision import DecisionExplanation
from cards.topics.lumbar_puncture.explanation.order_meaning import order_meaning
from cards.topics.lumbar_puncture.orders_to_try import ORDERS_TO_TRY
from cards.topics.lumbar_puncture.rule import decide


def load(*, local_value_sets: Path | None = None, drafts: bool = False) -> LumbarPuncture:
    """Load this topic, as `cards.topic` describes. Raises ContentError."""
    files = TopicFiles(Path(__file__).parent)
    return LumbarPuncture.load(files, local_value_sets=local_value_sets, drafts=drafts)


@dataclass(frozen=True, repr=False)
class LumbarPuncture(LumbarPunctureContent):
    """The topic, as `cards.topic` describes each of its members."""

    own_words = frozenset(
        {
            "lumbar", "puncture", "punctures", "spine", "spinal", "pain", "pains", "back pain", "nerve", "red flag",
            "red flags", "contributor", "contributors", "complaint", "complaints", "confounder", "confounders",
            "neurology", "cauda", "lp", "lps",
        }
    )  # fmt: skip

    @property
    def rules(self) -> ContentRules:
        return content_rules(self)

    @property
    def provenance_roles(self) -> Mapping[str, frozenset[str]]:
        return {"findings": frozenset({"contributor", "serious"}), "flags": frozenset({"red-flag"})}

    @property
    def order_catalogue(self) -> OrderCatalogue:
        return ORDERS_TO_TRY

    def reasons_to_look_up(self, orders: Sequence[DraftOrder]) -> tuple[str, ...]:
        return reasons_to_look_up(orders, self)

    def triage(self, orders: Sequence[DraftOrder], looked_up: Mapping[str, CodeableConcept]) -> Triage | None:
        return triage(orders, self, looked_up)

    def decide(self, triage: Triage, record: PatientRecord, today: date) -> tuple[Card, ...]:
        return decide(triage, record, self, today)

    def order_meaning(self, order: DraftOrder, looked_up: Mapping[str, CodeableConcept]) -> str:
        return order_meaning(order, self, looked_up)

    def explain(self, triage: Triage, record: PatientRecord, today: date) -> DecisionExplanation:
        return DecisionExplanation(assess(triage, record, self, today), self)

    def timeline(self, record: PatientRecord, today: date) -> Timeline:
        return read_timeline(record, self, today)
