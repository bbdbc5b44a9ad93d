"""Every topic, loaded once at start. What is incomplete is refused here, by file and line, and never during a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from cards.card import Coding
from cards.content import ContentError, parse_yaml, read_text
from cards.text_terms import TermsFile, TextTerms
from cards.texts import Text, load_text
from cards.value_set import Terminology, ValueSet, load_value_set

_ROOT = Path(__file__).parent
TOPICS = _ROOT / "topics"
VALUE_SETS = _ROOT / "value_sets"
PATIENT_PAGES = _ROOT / "patient_pages"


class _Part(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A part of service.yaml: kebab-case keys, unknown ones refused."""


class OrderSettings(_Part):
    lumbar_puncture: str
    unless_into_a_device: str
    device_words: list[str]
    near_miss: str
    urgent_priorities: list[str]


class Settings(_Part):
    most_findings_listed: int
    most_findings_in_summary: int
    most_entries_named: int
    levels: list[str]


class CardSettings(_Part):
    indicator: str
    pages: list[str] = []
    links: list[str] = []


class SourceSettings(_Part):
    label: str
    evidence: str


class OverrideReasons(_Part):
    system: str
    codes: dict[str, str]


class ContributorKind(_Part):
    """A kind of finding, as service.yaml explains it."""

    value_set: str
    label: str
    lasting: bool
    look_back_days: int | None = None
    link: str | None = None
    serious: bool = False
    enabled: bool = True


class PageLink(_Part):
    label: str
    url: str


class PatientLink(_Part):
    """A page for the patient, by language."""

    en: PageLink
    checked_on: date
    es: PageLink | None = None


class Evidence(_Part):
    citation: str
    strength: str
    checked_on: date
    url: str | None = None


class Service(_Part):
    """The whole of service.yaml."""

    id: str
    title: str
    description: str
    usage_requirements: str
    hooks: list[str]
    prefetch: dict[str, str]
    owner: str
    reviewed_on: date
    orders: OrderSettings
    settings: Settings
    levels: dict[str, str]
    cards: dict[str, CardSettings]
    source: SourceSettings
    topic: Coding
    override_reasons: OverrideReasons
    contributors: list[ContributorKind]
    links: dict[str, PatientLink]
    evidence: dict[str, Evidence]


class SectionNotes(_Part):
    not_obtained: str
    not_complete: str
    unread: str


class Phrases(_Part):
    """The whole of text/phrases.<lang>.yaml."""

    evidence: str
    more: str
    and_: str = msgspec.field(name="and")
    levels: dict[str, str]
    standings: dict[str, str]
    since: str
    performed: str
    recorded_on: str
    no_date: str
    unconfirmed: str
    finding: str
    name_with_level: str
    words: str
    by_code: str
    by_text: str
    from_: str = msgspec.field(name="from")
    further_entries: str
    without_id: str
    conditions: SectionNotes
    procedures: SectionNotes


@dataclass(frozen=True)
class Topic:
    """One clinical question: its settings, its words, and the value sets it asks."""

    service: Service
    phrases: Phrases
    texts: Mapping[str, Text]
    orders: Terminology
    findings: Terminology
    levels: Terminology
    patient_pages: Mapping[str, Text]


def load_topic(folder: Path = TOPICS / "lumbar_puncture", value_sets: Path = VALUE_SETS) -> Topic:
    """Load one topic folder. Raises ContentError at the first fault."""
    path = folder / "service.yaml"
    service = parse_yaml(path, read_text(path), Service)
    words = folder / "text" / "phrases.en.yaml"
    phrases = parse_yaml(words, read_text(words), Phrases)
    texts = {name: load_text(folder / "text" / f"{name}.en.md") for name in (*service.cards, "patient-instruction")}
    pages = {name: load_text(PATIENT_PAGES / f"{name}.en.md") for card in service.cards.values() for name in card.pages}
    orders = service.orders
    order_sets = [orders.lumbar_puncture, orders.unless_into_a_device, orders.near_miss]
    terms_path = value_sets / "text_terms.yaml"
    terms = parse_yaml(terms_path, read_text(terms_path), TermsFile)

    def terminology(names: list[str]) -> Terminology:
        sets: list[ValueSet] = [load_value_set(value_sets / f"{name}.json") for name in names]
        return Terminology(sets, TextTerms(terms, names))

    for card in service.cards.values():
        for link in card.links:
            _require(link in service.links, path, f"a card links to {link!r}, which is not among the links")
    for kind in service.contributors:
        _require(kind.link is None or kind.link in service.links, path, f"no link {kind.link!r} for {kind.value_set}")
    _require(service.source.evidence in service.evidence, path, "source.evidence is not among the evidence")
    return Topic(
        service,
        phrases,
        texts,
        orders=terminology(order_sets),
        findings=terminology([kind.value_set for kind in service.contributors if kind.enabled]),
        levels=terminology(list(service.levels.values())),
        patient_pages=pages,
    )


def _require(holds: bool, path: Path, what: str) -> None:
    if not holds:
        raise ContentError(path, what)
