"""The shape of service.yaml, as far as every topic has it. Each file explains its own keys.

A topic adds its own part in a subclass of Service, and says in the methods what the rest of `cards` must know of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

import msgspec

from cards.card import Coding

INDICATORS = ("critical", "warning", "info")  # most urgent first
_SEARCH = re.compile(r"([A-Za-z]+)\?")


class Part(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A part of a YAML file: kebab-case keys, unknown ones refused."""


class ListSettings(Part):
    """How many findings a card lists and its summary names, and how many entries of the chart it names for each."""

    most_findings_listed: int
    most_findings_in_summary: int
    most_entries_named: int


class CardSettings(Part):
    indicator: str
    pages: list[str] = []
    links: list[str] = []
    fallback_links: list[str] = []
    always_shown: bool = False


class SourceSettings(Part):
    label: str
    evidence: str


class OverrideReasons(Part):
    system: str
    codes: dict[str, str]


class PageLink(Part):
    label: str
    url: str


class PatientLink(Part):
    """A page for the patient, by language."""

    en: PageLink
    checked_on: date
    es: PageLink | None = None


class Evidence(Part):
    citation: str
    strength: str
    checked_on: date
    url: str | None = None


@dataclass(frozen=True)
class Exclusive:
    """Two value sets that must not share a code, and why; `why_at_site`: also not through a site's own codes."""

    value_set: str
    other: str
    why: str
    why_at_site: str | None = None


@dataclass(frozen=True)
class ServiceFault:
    """Something in service.yaml that must not be served, and words of the file that stand where it is."""

    what: str
    words: str


class Service(Part):
    """The part of service.yaml that every topic has."""

    id: str
    title: str
    description: str
    usage_requirements: str
    hooks: list[str]
    prefetch: dict[str, str]
    owner: str
    reviewed_on: date
    review_every_days: int
    languages: list[str]
    patient_languages: list[str]
    settings: ListSettings
    cards: dict[str, CardSettings]
    source: SourceSettings
    topic: Coding
    override_reasons: OverrideReasons
    links: dict[str, PatientLink]
    evidence: dict[str, Evidence]

    @property
    def resource_types(self) -> dict[str, str]:
        """The FHIR resource type of each search in the prefetch, by key; reads, as of the Patient, are left out."""
        searches = ((key, _SEARCH.match(template)) for key, template in self.prefetch.items())
        return {key: search[1] for key, search in searches if search}

    def text_names(self) -> Iterator[str]:
        """The names of all texts of the topic."""
        yield from self.cards

    def page_names(self) -> Iterator[str]:
        """The names of all patient pages that cards link to."""
        yield from dict.fromkeys(page for card in self.cards.values() for page in card.pages)

    def terminologies(self) -> Mapping[str, Sequence[str]]:
        """The value sets that something is compared with: `orders`, `chart`, and what else the topic needs, by name."""
        return {"orders": (), "chart": ()}

    def value_sets(self) -> frozenset[str]:
        """Every value set of the topic, those that are switched off included."""
        return frozenset(chain.from_iterable(self.terminologies().values()))

    def exclusive(self) -> Iterator[Exclusive]:
        """Pairs of value sets that must not share a code."""
        return iter(())

    def indicators(self) -> Iterator[str]:
        """Every indicator that a card of the topic may have."""
        yield from (card.indicator for card in self.cards.values())

    def boundaries(self) -> Iterator[str]:
        """The paths of the numbers that decide something, such as `settings.most-findings-listed`."""
        yield from (
            f"settings.{key}" for key in ("most-findings-listed", "most-findings-in-summary", "most-entries-named")
        )

    def faults(self) -> Iterator[ServiceFault]:
        """What the shape of the file does not forbid, and must not be served."""
        for card in self.cards.values():
            for link in (*card.links, *card.fallback_links):
                if link not in self.links:
                    yield ServiceFault(f"a card links to {link!r}, which is not among the links", link)
        if self.source.evidence not in self.evidence:
            yield ServiceFault("source.evidence is not among the evidence", "\nsource:")
        for indicator in self.indicators():
            if indicator not in INDICATORS:
                what = f"an indicator is info, warning or critical: {indicator}"
                yield ServiceFault(what, f"indicator: {indicator}")
        types = list(self.resource_types.values())
        for resource_type in types:
            if types.count(resource_type) > 1:
                what = f"two keys of prefetch ask for {resource_type}: one section of the chart has one key"
                yield ServiceFault(what, "\nprefetch:")
