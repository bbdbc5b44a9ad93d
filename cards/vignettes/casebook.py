"""Vignettes, the tests that a clinician writes: a chart and orders in a few lines, and the cards that must come."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from cards.card import Card
from cards.content.files import ContentError, compose, line_of_node, parse_yaml, read_text
from cards.evaluate import SectionUnobtainable, evaluate, reasons_to_look_up, triage
from cards.fhir.bundle import read_entry
from cards.fhir.dates import read_date
from cards.fhir.draft_orders import DraftOrder, FhirVersion, condition_id, read_draft_orders
from cards.fhir.resources import CodeableConcept
from cards.record.patient_record import PatientRecord, Section, SectionRead, read_section
from cards.topic import Topic
from cards.vignettes.fhir_builder import (
    PATIENT_ID,
    Concept,
    ConditionLine,
    FhirBuilder,
    MedicationLine,
    OrderLine,
    ProcedureLine,
    ResourceLine,
    is_date,
)


class Expected(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """What a card must be: only what is set is compared.

    `findings`, `flags`: the value sets of the card's provenance in the roles that the topic assigns to each.
    """

    indicator: str | None = None
    class_: str | None = msgspec.field(name="class", default=None)
    findings: list[str] | None = None
    flags: list[str] | None = None
    offers: list[str] | None = None
    links: list[str] | None = None
    says: list[str] = []
    never_says: list[str] = []


class Vignette(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A chart, its orders, and the cards expected: none at all where `expect` is empty.

    `not_read`, `partly_read`: keys of the prefetch.
    """

    name: str
    expect: dict[str, Expected]
    orders: list[OrderLine]
    fhir: FhirVersion = FhirVersion.R4
    medications: list[MedicationLine] = []
    conditions: list[ConditionLine] = []
    procedures: list[ProcedureLine] = []
    resources: list[ResourceLine] = []
    language: str | None = None
    born: str | None = None
    not_read: list[str] = []
    partly_read: list[str] = []
    refused: bool = False
    boundary: dict[str, list[int]] = {}


class _File(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    today: date
    concepts: dict[str, Concept]
    vignettes: list[Vignette]


@dataclass(frozen=True)
class Outcome:
    """What came of a vignette. `record` None: the topic speaks about none of the orders.

    `refused`: the prefetch key without which the orders cannot be judged (HTTP 412), None where they can.
    """

    cards: tuple[Card, ...]
    record: PatientRecord | None
    refused: str | None = None


@dataclass(frozen=True)
class Casebook:
    """All vignettes of a topic."""

    today: date
    concepts: Mapping[str, Concept]
    vignettes: tuple[Vignette, ...]

    def find(self, name: str) -> Vignette | None:
        """The vignette of this name."""
        return next((vignette for vignette in self.vignettes if vignette.name == name), None)

    def orders(self, vignette: Vignette) -> tuple[DraftOrder, ...]:
        """The orders of the session, as order-select sends them: all, of which the chosen ones are `selected`."""
        builder = FhirBuilder(vignette.fhir, self.today, self.concepts)
        drafts = [builder.order(line, at) for at, line in enumerate(vignette.orders, 1)]
        medications = [builder.medication(line, at) for at, line in enumerate(vignette.medications, 1)]
        bundle = {"resourceType": "Bundle", "entry": [{"resource": draft} for draft in [*drafts, *medications]]}
        chosen = [
            f"{draft['resourceType']}/{draft['id']}"
            for draft, line in zip(drafts, vignette.orders, strict=True)
            if line.selected
        ]
        return read_draft_orders(msgspec.json.encode(bundle), chosen)

    def run(self, vignette: Vignette, topic: Topic) -> Outcome:
        """The cards of one vignette, computed as those of a hook call: from the bytes of FHIR resources."""
        resources = self._resources(vignette)
        orders = self.orders(vignette)
        looked_up = _look_up(reasons_to_look_up(topic, orders), resources.get("Condition", []))
        ours = triage(topic, orders, looked_up)
        if ours is None:
            return Outcome((), None)
        types = topic.service.resource_types
        sections = {}
        for key, resource_type in types.items():
            section = Section(
                [read_entry(raw) for raw in resources.get(resource_type, [])],
                obtained=key not in vignette.not_read,
                complete=key not in vignette.partly_read,
            )
            sections[resource_type] = read_section(section, resource_type, PATIENT_ID, topic.chart, self.today)
        record = PatientRecord(PATIENT_ID, sections, vignette.language, read_date(vignette.born or ""))
        try:
            return Outcome(evaluate(topic, ours, record, self.today), record)
        except SectionUnobtainable as missing:
            return Outcome((), record, refused=missing.key)

    def _resources(self, vignette: Vignette) -> dict[str, list[bytes]]:
        """The resources of the chart as JSON, by type."""
        builder = FhirBuilder(vignette.fhir, self.today, self.concepts)
        resources = [builder.condition(line, number) for number, line in enumerate(vignette.conditions, 1)]
        resources += [builder.procedure(line, number) for number, line in enumerate(vignette.procedures, 1)]
        resources += [builder.resource(line, number) for number, line in enumerate(vignette.resources, 1)]
        by_type: dict[str, list[bytes]] = {}
        for resource in resources:
            by_type.setdefault(resource["resourceType"], []).append(msgspec.json.encode(resource))
        return by_type

    def find_failures(self, vignette: Vignette, topic: Topic) -> list[str]:
        """What is not as expected, in clinical words, one line each; empty where all is."""
        return list(_compare(vignette, self.run(vignette, topic), topic))

    def marked_boundaries(self) -> dict[str, set[int]]:
        """For each setting, the steps (+1, -1) that some vignette says it would notice."""
        marked: dict[str, set[int]] = {}
        for vignette in self.vignettes:
            for setting, steps in vignette.boundary.items():
                marked.setdefault(setting, set()).update(steps)
        return marked


def load_vignettes(path: Path, sections: Collection[str]) -> Casebook:
    """Read a vignettes.yaml. `sections`: the keys of the prefetch that a vignette may call unread.

    Raises ContentError, with the line of the vignette that is at fault: also for a duplicate name, an unknown
    concept or section, or an invalid date.
    """
    text = read_text(path)
    file = parse_yaml(path, text, _File)
    seen: set[str] = set()
    for place, vignette in enumerate(file.vignettes):
        fault = next(_faults(vignette, seen, file.concepts, sections), None)
        if fault:
            root = compose(text)
            raise ContentError(path, fault, line_of_node(root, ("vignettes", place)))
        seen.add(vignette.name)
    return Casebook(file.today, file.concepts, tuple(file.vignettes))


def _faults(
    vignette: Vignette, seen: Container[str], concepts: Container[str], sections: Collection[str]
) -> Iterator[str]:
    """Faults of a vignette that the shape of the file does not forbid."""
    name = vignette.name
    if name in seen:
        yield f"the name is listed twice: {name}"
    for concept in _concept_names(vignette):
        if concept not in concepts:
            yield f"{name}: {concept!r} is not among the concepts"
    for key in (*vignette.not_read, *vignette.partly_read):
        if key not in sections:
            yield f"{name}: {key!r} is not a section of the chart; there are {', '.join(sections)}"
    days = [day for line in vignette.conditions for day in (line.onset, line.recorded, line.abated)]
    days += [vignette.born, *(line.performed for line in vignette.procedures)]
    days += [day for line in vignette.resources for day in (line.onset, line.recorded)]
    yield from (f"{name}: {day!r} is not a date" for day in days if day is not None and not is_date(day))


def _concept_names(vignette: Vignette) -> Iterator[str]:
    for order in vignette.orders:
        yield from (name for name in (order.what, order.reason) if name)
    yield from (medication.what for medication in vignette.medications)
    yield from (condition.what for condition in vignette.conditions)
    yield from (resource.what for resource in vignette.resources)
    for procedure in vignette.procedures:
        yield from (name for name in (procedure.what, procedure.reason) if name)


def _look_up(references: Sequence[str], conditions: Sequence[bytes]) -> dict[str, CodeableConcept]:
    """The Conditions that an order refers to, from the chart of the vignette."""
    resources = [entry.resource for raw in conditions if (entry := read_entry(raw)) and entry.resource]
    known = {resource.id: resource.concept() for resource in resources}
    return {reference: known[condition_id(reference)] for reference in references if condition_id(reference) in known}


def _compare(vignette: Vignette, outcome: Outcome, topic: Topic) -> Iterator[str]:
    if bool(outcome.refused) != vignette.refused:
        if outcome.refused:
            yield f"expected an answer, got 412: the {outcome.refused} could not be read"
        else:
            yield "expected 412, got an answer"
        return
    got = {card.key: card for card in outcome.cards}
    for key in sorted(vignette.expect.keys() - got.keys()):
        yield f"expected card `{key}`, got {_list(got)}; {_what_was_read(outcome)}"
    for key in sorted(got.keys() - vignette.expect.keys()):
        yield f"expected no card `{key}`, got: {got[key].summary}"
    for key, expected in vignette.expect.items():
        if key in got:
            yield from (f"card `{key}`: {what}" for what in _differences(expected, got[key], topic))


def _differences(expected: Expected, card: Card, topic: Topic) -> Iterator[str]:
    findings, flags = (_value_sets(card, topic.provenance_roles.get(part, ())) for part in ("findings", "flags"))
    offers = sorted(suggestion.key for suggestion in card.suggestions)
    links = sorted(link.label for link in card.links)
    for what, wanted, is_ in (
        ("indicator", expected.indicator, card.indicator),
        ("class", expected.class_, card.classification),
        ("findings", _sorted(expected.findings), findings),
        ("flags", _sorted(expected.flags), flags),
        ("offers", _sorted(expected.offers), offers),
        ("links", _sorted(expected.links), links),
    ):
        if wanted is not None and wanted != is_:
            yield f"expected {what} {_say(wanted)}, got {_say(is_)}"
    text = " ".join(f"{card.summary}\n{card.detail}".split())
    for words in expected.says:
        if words not in text:
            yield f"does not say “{words}”"
    for words in expected.never_says:
        if words in text:
            yield f"says “{words}”, which it must not"


def _value_sets(card: Card, roles: Container[str]) -> list[str]:
    """The value sets of the entries that play one of these roles in a card."""
    return sorted({entry.value_set for entry in card.provenance if entry.role in roles})


def _sorted(names: list[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _say(value: object) -> str:
    if isinstance(value, list):
        return _list(value)
    return str(value or "none")


def _list(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _what_was_read(outcome: Outcome) -> str:
    """ "2 conditions read, neither matched; 1 procedure read, it matched"."""
    if outcome.record is None:
        return "no order is one we speak about"
    return "; ".join(_section_words(kind.lower(), section) for kind, section in outcome.record.sections.items())


def _section_words(name: str, section: SectionRead) -> str:
    if not section.obtained:
        return f"{name}s could not be read"
    if not section.seen_count:
        return f"no {name} in the chart"
    count, matched = section.seen_count, len(section.matched)
    if count == 1:
        return f"1 {name} read, it {'matched' if matched else 'did not match'}"
    none = "neither matched" if count == 2 else "none matched"
    return f"{count} {name}s read, {f'{matched} matched' if matched else none}"
