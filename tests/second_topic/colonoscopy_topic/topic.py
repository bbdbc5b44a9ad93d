"""Colonoscopy and latex allergy.

When   a colonoscopy is ordered
Then   `preparation`: how the patient prepares
And    where the chart has a latex allergy: `latex-allergy`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cards.card import Card
from cards.content import phrases as generic_phrases
from cards.content import service as generic
from cards.content.phrases import SectionNotes
from cards.content.placeholders import BARE
from cards.content.rules import ContentRules
from cards.content.topic_files import TopicFiles
from cards.fhir.draft_orders import DraftOrder, FhirVersion
from cards.fhir.resources import CodeableConcept
from cards.order_catalogue import Choice, OrderCatalogue, coded
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.timeline import Event, EventKind, Timeline, by_date
from cards.topic import Fact
from cards.topic_content import TopicContent
from cards.writing.card_parts import card_links, make_card
from cards.writing.provenance import trace
from cards.writing.wording import describe_entry, not_checked

ALLERGY = "AllergyIntolerance"
ALLERGY_EVENT = EventKind("allergy", "square")


class Service(generic.Service):
    """The whole of service.yaml."""

    order: str
    allergy: str
    allergy_label: str

    def terminologies(self) -> Mapping[str, Sequence[str]]:
        return {"orders": (self.order,), "chart": (self.allergy,)}

    def boundaries(self) -> Iterator[str]:
        yield "settings.most-entries-named"


class Phrases(generic_phrases.Phrases):
    """The whole of text/phrases.en.yaml."""

    allergies: SectionNotes


@dataclass(frozen=True)
class Triage:
    """The colonoscopies of a session."""

    orders: tuple[DraftOrder, ...]
    needs: tuple[str, ...]

    @property
    def fhir_version(self) -> FhirVersion:
        return self.orders[0].fhir_version

    @property
    def urgent(self) -> bool:
        return any(order.priority == "stat" for order in self.orders)


@dataclass(frozen=True)
class Explanation:
    """Why the cards of a call came or did not."""

    allergies: tuple[ChartEntry, ...]

    def roles(self, entry: ChartEntry) -> Sequence[str]:
        return ["allergy"] if entry in self.allergies else []

    def roles_without_match(self, concept: CodeableConcept) -> Sequence[str]:
        return []

    def decision(self) -> Iterator[Fact]:
        yield "allergies", str(len(self.allergies))

    def why_not(self, card_key: str) -> str:
        return "no active allergy"

    def silence(self) -> Fact:
        return "none", "a colonoscopy always has a card"


def load(*, local_value_sets: Path | None = None, drafts: bool = False) -> Colonoscopy:
    """Load this topic, as `cards.topic` describes. Raises ContentError."""
    return Colonoscopy.load(TopicFiles(Path(__file__).parent), local_value_sets=local_value_sets, drafts=drafts)


@dataclass(frozen=True, repr=False)
class Colonoscopy(TopicContent):
    """The topic, as `cards.topic` describes each of its members."""

    service: Service
    phrases: Phrases

    service_shape = Service
    phrases_shape = Phrases
    own_words = frozenset({"colonoscopy", "colonoscopies", "bowel", "latex"})

    @property
    def section_notes(self) -> Mapping[str, SectionNotes]:
        return {"allergies": self.phrases.allergies}

    @property
    def rules(self) -> ContentRules:
        return ContentRules(
            texts={
                "preparation": (BARE, {"summary": BARE}),
                "latex-allergy": (BARE, {"summary": BARE}),
            },
            phrases={"allergies.unread": "count"},
        )

    @property
    def provenance_roles(self) -> Mapping[str, frozenset[str]]:
        return {"findings": frozenset({"allergy"})}

    @property
    def order_catalogue(self) -> OrderCatalogue:
        cpt = "http://www.ama-assn.org/go/cpt"
        return OrderCatalogue(
            {"Colonoscopy": (Choice("colonoscopy", "Colonoscopy (CPT)", coded(cpt, "45378", "Colonoscopy")),)},
            (Choice("bleeding", "Bleeding", {"text": "Rectal bleeding"}),),
        )

    def triage(self, orders: Sequence[DraftOrder], looked_up: Mapping[str, CodeableConcept]) -> Triage | None:
        ours = tuple(order for order in orders if order.selected and self._is_ours(order))
        return Triage(ours, tuple(self.service.prefetch)) if ours else None

    def decide(self, triage: Triage, record: PatientRecord, today: date) -> tuple[Card, ...]:
        allergies = self._allergies(record)
        cards = [self._latex_allergy(allergies, today)] if allergies else []
        text = self.texts["preparation"]
        preparation = make_card(
            "preparation",
            text.head["summary"],
            self,
            actions=[text],
            not_checked=not_checked(record, self),
            links=card_links("preparation", (), record, self),
        )
        return (*cards, preparation)

    def order_meaning(self, order: DraftOrder, looked_up: Mapping[str, CodeableConcept]) -> str:
        return "a colonoscopy" if self._is_ours(order) else "not ours"

    def explain(self, triage: Triage, record: PatientRecord, today: date) -> Explanation:
        return Explanation(self._allergies(record))

    def timeline(self, record: PatientRecord, today: date) -> Timeline:
        events = [
            Event(ALLERGY_EVENT, entry.words, f"{ALLERGY}/{entry.id}", entry.best_known_date, lasts=True)
            for entry in self._allergies(record)
        ]
        return Timeline(today, (ALLERGY_EVENT,), tuple(sorted(events, key=by_date)))

    def _is_ours(self, order: DraftOrder) -> bool:
        return any(match.certain for matches in self.orders.match_all(order.what) for match in matches)

    def _allergies(self, record: PatientRecord) -> tuple[ChartEntry, ...]:
        return tuple(entry for entry in record.section(ALLERGY).matched if entry.is_active)

    def _latex_allergy(self, allergies: tuple[ChartEntry, ...], today: date) -> Card:
        text = self.texts["latex-allergy"]
        return make_card(
            "latex-allergy",
            text.head["summary"],
            self,
            actions=[text],
            findings=[describe_entry(self.service.allergy_label, allergies[0], self.phrases, today)],
            provenance=trace("allergy", allergies, self.service.allergy, self),
        )
