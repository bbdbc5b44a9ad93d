"""The shape of service.yaml, as far as every topic has it. Each file explains its own keys.

A topic adds its own part in a subclass of Service, and says in the methods what the rest of `cards` must know of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import chain
from typing import Any

import msgspec

from cards.card import Coding

INDICATORS = ("critical", "warning", "info")  # most urgent first
EQUIVALENCES = ("equivalent", "wider", "narrower", "relatedto")  # of the target, as seen from our code
_SEARCH = re.compile(r"([A-Za-z]+)\?")
_SUBTITLE = re.compile(r": | - ")
_KEY = re.compile(r"\[([a-z0-9-]+)\]")
_PATH = re.compile(r"\{([a-z0-9.-]+)\}")
_FEWEST_REASONS, _MOST_REASONS = 3, 5  # a list that is read, not searched


class Part(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A part of a YAML file: kebab-case keys, unknown ones refused."""


class ListSettings(Part):
    """How many findings a card lists and its summary names, and how many entries of the chart it names for each."""

    most_findings_listed: int
    most_findings_in_summary: int
    most_entries_named: int


class CardSettings(Part):
    """One card. `source`: a key of the evidence. `override_reasons`: their codes."""

    indicator: str
    source: str
    override_reasons: list[str]
    pages: list[str] = []
    links: list[str] = []
    fallback_links: list[str] = []
    always_shown: bool = False


class OverrideReason(Part):
    """A reason in clinicians' words, and the code of the standard code system that it is counted under.

    `equivalence`: how that code stands to ours, as in a ConceptMap (https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html).
    `fits_always_shown`: it says that the danger was acted on or that the chart is wrong, so that it may stand on a card
    that is always shown.
    """

    display: str
    mapped_to: str
    equivalence: str
    fits_always_shown: bool = False


class OverrideReasons(Part):
    """`system`: our CodeSystem. `mapped_system`: the CodeSystem of the codes that ours are mapped to.

    `mapped_codes`: its codes that ours are mapped to, and those that earlier cards offered, with its own displays.
    """

    system: str
    mapped_system: str
    codes: dict[str, OverrideReason]
    mapped_codes: dict[str, str]

    @property
    def known(self) -> frozenset[tuple[str, str]]:
        """Every reason that feedback may name, by system and code."""
        return frozenset(self.displays)

    @property
    def displays(self) -> dict[tuple[str, str], str]:
        """The words of every reason that feedback may name, by system and code."""
        ours = {(self.system, code): reason.display for code, reason in self.codes.items()}
        return ours | {(self.mapped_system, code): display for code, display in self.mapped_codes.items()}

    @property
    def counted_under(self) -> dict[tuple[str, str], tuple[str, str]]:
        """For each reason of ours, by system and code, the standard one that it is counted under."""
        return {(self.system, code): (self.mapped_system, reason.mapped_to) for code, reason in self.codes.items()}

    def codes_mapped_to(self, codes: Iterable[str]) -> frozenset[str]:
        """These codes, and those of ours that are mapped to one of them."""
        wanted = frozenset(codes)
        return wanted.union(code for code, reason in self.codes.items() if reason.mapped_to in wanted)


class PageLink(Part):
    label: str
    url: str


class PatientLink(Part):
    """A page for the patient, by language."""

    en: PageLink
    checked_on: date
    es: PageLink | None = None


class Evidence(Part):
    """A source, as service.yaml explains it. Everything is shown on the evidence page, except `working_notes`."""

    short: str
    authors: str
    title: str
    published_in: str
    issued: str
    type: str
    strength: str
    limits: str
    supports: str
    checked_on: date
    working_notes: str
    url: str | None = None

    @property
    def label(self) -> str:
        """What a link to it is called: its short name, and its title up to a colon or dash."""
        return f"{self.short}: {_SUBTITLE.split(self.title)[0]}"

    @property
    def citation(self) -> str:
        """The full citation, without the address."""
        parts = (self.authors, self.title, f"{self.published_in}; {self.issued}")
        return " ".join(part if part.endswith((".", "?")) else f"{part}." for part in parts)

    @property
    def related(self) -> tuple[str, ...]:
        """The keys of the evidence that `limits` refers to."""
        return tuple(dict.fromkeys(_KEY.findall(self.limits)))


class PatientAttributes(Part):
    """How the decision uses each attribute of a patient (45 CFR 170.315(b)(11)(iv)(A)(5) to (13))."""

    race: str
    ethnicity: str
    language: str
    sexual_orientation: str
    gender_identity: str
    sex: str
    date_of_birth: str
    social_determinants_of_health: str
    health_status_assessments: str


class Education(Part):
    """What GET /infobutton answers with for a code of these value sets: `pages` for patients, evidence of `cards`.

    `related`: such a code does not say that the pages are for this patient. A person sees their titles first.
    """

    value_sets: list[str]
    pages: list[str]
    cards: list[str]
    related: bool = False


class About(Part):
    """What an evidence page says of the whole service. `decisions`: how each card is decided, by card.

    `{a.b}` in a decision, or in a patient attribute, is the number or text at that path of the file.
    """

    developer: str
    funding: str
    released_on: date
    revised_on: date
    report_problems: str
    patient_attributes: PatientAttributes
    decisions: dict[str, str]


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


class Service(Part, dict=True):
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
    topic: Coding
    override_reasons: OverrideReasons
    links: dict[str, PatientLink]
    evidence: dict[str, Evidence]
    about: About
    education: list[Education]

    @cached_property
    def resource_types(self) -> dict[str, str]:
        """The FHIR resource type of each search in the prefetch, by key; reads, as of the Patient, are left out."""
        searches = ((key, _SEARCH.match(template)) for key, template in self.prefetch.items())
        return {key: search[1] for key, search in searches if search}

    def text_names(self) -> Iterator[str]:
        """The names of all texts of the topic."""
        yield from self.cards

    def texts_of(self, card: str) -> tuple[str, ...]:
        """The names of all texts that may stand on a card."""
        return (card,)

    def decision_of(self, card: str) -> str:
        """How this card is decided, with its numbers filled in. Raises KeyError where one is not in the file."""
        return self._with_numbers(self.about.decisions[card])

    def use_of_patient_attributes(self) -> dict[str, str]:
        """How each patient attribute is used, by its name, with numbers filled in. Raises KeyError as above."""
        attributes = msgspec.to_builtins(self.about.patient_attributes)
        return {name: self._with_numbers(use) for name, use in attributes.items()}

    def _with_numbers(self, words: str) -> str:
        settings = msgspec.to_builtins(self)
        return _PATH.sub(lambda path: _at(settings, path[1]), words)

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
        yield from ("settings.most-findings-listed", "settings.most-findings-in-summary")

    def faults(self) -> Iterator[ServiceFault]:
        """What the shape of the file does not forbid, and must not be served."""
        for card in self.cards.values():
            for link in (*card.links, *card.fallback_links):
                if link not in self.links:
                    yield ServiceFault(f"a card links to {link!r}, which is not among the links", link)
            yield from self.source_faults(card.source)
        yield from self._reason_faults()
        yield from self._evidence_faults()
        yield from self._about_faults()
        yield from self._education_faults()
        for indicator in self.indicators():
            if indicator not in INDICATORS:
                what = f"an indicator is info, warning or critical: {indicator}"
                yield ServiceFault(what, f"indicator: {indicator}")
        types = list(self.resource_types.values())
        for resource_type in types:
            if types.count(resource_type) > 1:
                what = f"two keys of prefetch ask for {resource_type}: one section of the chart has one key"
                yield ServiceFault(what, "\nprefetch:")

    def source_faults(self, key: str) -> Iterator[ServiceFault]:
        """Why this evidence cannot be the source of a card, which links to it."""
        if key not in self.evidence:
            yield ServiceFault(f"source: {key!r} is not among the evidence", f"source: {key}")
        elif self.evidence[key].url is None:
            yield ServiceFault(f"the source of a card needs a url: {key}", f"\n  {key}:")

    def _evidence_faults(self) -> Iterator[ServiceFault]:
        """A source without one of its parts, or beside one that is not there."""
        for key, source in self.evidence.items():
            parts = msgspec.to_builtins(source)
            for name, value in parts.items():
                if value is not None and not str(value).strip():
                    yield ServiceFault(f"evidence {key}: {name} is empty", f"\n  {key}:")
            for other in source.related:
                if other not in self.evidence:
                    yield ServiceFault(f"evidence {key}: {other!r} is not among the evidence", f"[{other}]")

    def _reason_faults(self) -> Iterator[ServiceFault]:
        """A card with too few, too many, or unfit reasons; a reason with an unknown equivalence."""
        codes = self.override_reasons.codes
        for name, card in self.cards.items():
            if not _FEWEST_REASONS <= len(card.override_reasons) <= _MOST_REASONS:
                what = f"card {name}: offer {_FEWEST_REASONS} to {_MOST_REASONS} override reasons"
                yield ServiceFault(what, f"\n  {name}:")
            for code in card.override_reasons:
                if code not in codes:
                    yield ServiceFault(f"a card offers {code!r}, which is not among the override reasons", code)
                elif card.always_shown and not codes[code].fits_always_shown:
                    what = (
                        f"card {name}: {code!r} invites to wave away a card that is always shown; "
                        "offer reasons with fits-always-shown: true"
                    )
                    yield ServiceFault(what, f"\n  {name}:")
        for code, reason in codes.items():
            if reason.equivalence not in EQUIVALENCES:
                what = f"override reason {code}: {reason.equivalence!r} is none of {', '.join(EQUIVALENCES)}"
                yield ServiceFault(what, f"equivalence: {reason.equivalence}")
            if reason.mapped_to not in self.override_reasons.mapped_codes:
                what = f"override reason {code}: {reason.mapped_to!r} is not among the mapped-codes"
                yield ServiceFault(what, f"mapped-to: {reason.mapped_to}")

    def _about_faults(self) -> Iterator[ServiceFault]:
        """A card whose decision is not explained, or is explained by a number that is not in the file."""
        for card in self.cards:
            if not self.about.decisions.get(card, "").strip():
                yield ServiceFault(f"about.decisions: {card} is missing", "\nabout:")
                continue
            try:
                self.decision_of(card)
            except KeyError as missing:
                yield ServiceFault(f"about.decisions: {card}: there is no {missing.args[0]}", "\nabout:")
        try:
            self.use_of_patient_attributes()
        except KeyError as missing:
            yield ServiceFault(f"about.patient-attributes: there is no {missing.args[0]}", "\nabout:")
        for card in self.about.decisions:
            if card not in self.cards:
                yield ServiceFault(f"about.decisions: there is no card {card}", f"    {card}:")

    def _education_faults(self) -> Iterator[ServiceFault]:
        """Education about a value set that no code is compared with, or with a page or card that is not there."""
        terminologies = self.terminologies()
        compared = {*terminologies["orders"], *terminologies["chart"]}
        known = {"value set": compared, "patient page": {*self.page_names()}, "card": {*self.cards}}
        for education in self.education:
            named = {"value set": education.value_sets, "patient page": education.pages, "card": education.cards}
            for kind, names in named.items():
                for name in names:
                    if name not in known[kind]:
                        yield ServiceFault(f"education: the service uses no {kind} {name}", "\neducation:")


def _at(settings: Any, path: str) -> str:
    """The number or text at a path such as "section.name". Raises KeyError."""
    node = settings
    for step in path.split("."):
        if not isinstance(node, dict) or step not in node:
            raise KeyError(path)
        node = node[step]
    return str(node)
