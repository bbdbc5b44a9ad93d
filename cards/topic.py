"""What a clinical question must bring to be served: the Topic protocol.

A topic is one folder with a `topic.py`, whose function `load(*, local_value_sets=None, drafts=False)` returns a Topic.
`cards.catalogue` finds these folders in `cards/topics` and, in other packages, through the entry-point group
`cds_cards.topics` (name: the topic's name; value: `package.module:load`). `cards.topic_content.TopicContent` loads the
files of a folder and has a default for whatever a topic may leave out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from cards.card import Card
from cards.content.phrases import PageWords, Phrases, SectionNotes
from cards.content.rules import ContentRules
from cards.content.service import Service
from cards.content.texts import Text
from cards.content.topic_files import TopicFiles
from cards.fhir.draft_orders import DraftOrder, FhirVersion
from cards.fhir.resources import CodeableConcept
from cards.order_catalogue import OrderCatalogue
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.terminology.value_set_index import Terminology
from cards.timeline import Timeline

Fact = tuple[str, str]  # a label and what it says


class SectionUnobtainable(Exception):
    """The orders cannot be judged, because a section of the chart is missing (R-2.86).

    `key`: of the prefetch. The message tells the client what is missing and what to send.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Triage(Protocol):
    """The orders of a session that a topic speaks about."""

    @property
    def orders(self) -> tuple[DraftOrder, ...]: ...

    @property
    def fhir_version(self) -> FhirVersion:
        """The version in which suggestions are written."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The keys of the service's prefetch that the decision needs."""

    @property
    def urgent(self) -> bool:
        """Whether the answer must not wait: nothing is fetched then."""


class Explanation(Protocol):
    """Why the cards of one call came or did not, in plain English, for the developer or analyst with the request."""

    def roles(self, entry: ChartEntry) -> Sequence[str]:
        """What part an entry of the chart plays in the decision; empty where it plays none."""

    def roles_without_match(self, concept: CodeableConcept) -> Sequence[str]:
        """Why a concept outside the value sets of the topic plays no part, where there is more to say than that."""

    def decision(self) -> Iterable[Fact]:
        """What the orders and the chart come to, with the dates and numbers that were compared."""

    def why_not(self, card_key: str) -> str:
        """Why this card of the topic did not come."""

    def silence(self) -> Fact:
        """Why no card came, where none did: a key to count it under, such as "no-allergy", and the same in words."""


@dataclass(frozen=True)
class Verdict:
    """Whether a card of the topic, by its key, comes of a request. `words`: its summary, or why it does not come.

    `indicator` and `offers` (the keys of its suggestions) are empty for a card that does not come.
    """

    card: str
    fires: bool
    words: str
    indicator: str = ""
    offers: tuple[str, ...] = ()


class Content(Protocol):
    """The content of a topic: settings, words and value sets."""

    @property
    def service(self) -> Service:
        """service.yaml; a topic's own part of it stands in a subclass."""

    @property
    def phrases(self) -> Phrases:
        """text/phrases.en.yaml; a topic's own part of it stands in a subclass."""

    @property
    def texts(self) -> Mapping[str, Text]:
        """The texts of the cards, by name."""

    @property
    def patient_pages(self) -> Mapping[str, Mapping[str, Text]]:
        """The pages for patients, by page, then by language."""

    @property
    def page_words(self) -> Mapping[str, PageWords]:
        """The words around a patient page, by language."""

    @property
    def orders(self) -> Terminology:
        """The value sets that an order, its reasons and its notes are compared with.

        An order of which nothing matches any of them is not one that the topic speaks about.
        """

    @property
    def chart(self) -> Terminology:
        """The value sets that a resource of the chart is compared with."""

    @property
    def version(self) -> str:
        """The version of the content: a hash over every file it comes from."""

    @property
    def files(self) -> TopicFiles:
        """Where the content was loaded from."""

    @property
    def section_notes(self) -> Mapping[str, SectionNotes]:
        """What a card says of a section of the chart that was not read, by key of the prefetch."""


class Topic(Content, Protocol):
    """One clinical question, served as one CDS service.

    Call `reasons_to_look_up`, `triage` and `decide` through `cards.evaluate`.
    """

    @property
    def rules(self) -> ContentRules:
        """What the checks must know of the topic's content files."""

    @property
    def provenance_roles(self) -> Mapping[str, frozenset[str]]:
        """The roles of a card's provenance that a vignette's `findings` and `flags` list."""

    @property
    def order_catalogue(self) -> OrderCatalogue:
        """Orders to try the topic with."""

    @property
    def own_words(self) -> frozenset[str]:
        """Words of this topic, in lower case. No module outside its folder may use one of them."""

    def load(self, files: TopicFiles, *, local_value_sets: Path | None = None, drafts: bool = False) -> Topic:
        """The same rules with the content in other files, such as those of another version. Raises ContentError."""

    def without_drafts(self) -> Topic:
        """The topic without the patient pages that await their translator."""

    def reasons_to_look_up(self, orders: Sequence[DraftOrder]) -> tuple[str, ...]:
        """References to the Conditions that `triage` needs to know; usually none."""

    def triage(self, orders: Sequence[DraftOrder], looked_up: Mapping[str, CodeableConcept]) -> Triage | None:
        """Which of these orders the topic speaks about; None: none of them, so there is no card.

        `looked_up`: the Conditions of `reasons_to_look_up`, by reference, as far as they could be read.
        """

    def decide(self, triage: Any, record: PatientRecord, today: date) -> tuple[Card, ...]:
        """The cards, most urgent first. `triage`: what `triage` returned. Raises SectionUnobtainable."""

    def order_meaning(self, order: DraftOrder, looked_up: Mapping[str, CodeableConcept]) -> str:
        """What an order is to this topic, in plain English, for an explanation."""

    def explain(self, triage: Any, record: PatientRecord, today: date) -> Explanation:
        """Why the cards come or do not. `triage`: what `triage` returned."""

    def timeline(self, record: PatientRecord, today: date) -> Timeline:
        """What of a chart the topic looks at, in time."""
