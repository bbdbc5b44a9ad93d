"""`partition`: from the lines of one block to the orders that may be ours, or to the entries of the charts that matter.

Pure: the same block gives the same result in every process, however often it is read. What is not ours is only counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import msgspec

from cards.evaluate import reasons_to_look_up, triage
from cards.fhir.bundle import read_entry
from cards.fhir.draft_orders import DraftOrder, condition_id, read_placed_order
from cards.fhir.patient_check import patient_id
from cards.fhir.resources import BundleEntry, ChartResource
from cards.fhir.tolerant_reading import Unreadable
from cds_service.backtest.content import ContentPlace, load
from cds_service.backtest.plan import PROCEDURE, Plan
from cds_service.backtest.reading.order_lines import (
    Unusable,
    days_around,
    hash_reference,
    is_certainly_outside,
    name_category,
    order_of_procedure,
    read_order_line,
    week_of,
)
from cds_service.backtest.reading.sieve import Sieve
from cds_service.backtest.rows import PlacedOrder

PATIENT = "Patient"
CONDITION = "Condition"
_MONTH_LENGTH = len("2025-01")
_ID = re.compile(rb'"id"\s*:\s*"([^"]{1,64})"')
_PATIENT = re.compile(rb'Patient/([^"/?#\\]{1,128})')
_UUID = re.compile(rb'"urn:uuid:([^"]{1,64})"')
ClinicianWeek = tuple[int, str]


@dataclass
class OrdersRead:
    """The orders of a block. `seen`: placed in the period; `not_placed`: in the period, but never placed as an order.

    `ours`: those that the topic speaks about. `undecided`: those that may be ours by the Conditions they name.
    `patients`: a hash of each patient with an order, kept only where the export has no Patient to count.
    """

    lines: int = 0
    seen: int = 0
    not_placed: int = 0
    ours: list[PlacedOrder] = field(default_factory=list)
    undecided: list[PlacedOrder] = field(default_factory=list)
    by_month: Counter[str] = field(default_factory=Counter)
    by_category: Counter[str] = field(default_factory=Counter)
    clinician_weeks: set[ClinicianWeek] = field(default_factory=set)
    patients: set[int] = field(default_factory=set)
    unread: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Wanted:
    """Whose chart is read: ids of patients. `conditions`: ids of Conditions that orders name as their reason."""

    patients: frozenset[str]
    conditions: frozenset[str]


@dataclass
class ChartRead:
    """The entries of a block that matter, by patient; `entries_seen` counts all entries of these patients."""

    lines: int = 0
    by_patient: dict[str, list[bytes]] = field(default_factory=dict)
    entries_seen: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)


def partition_orders(lines: Iterable[bytes], plan: Plan) -> OrdersRead:
    """The orders that were placed in the period."""
    read = OrdersRead()
    sieves = _sieves(plan.content)
    days = days_around(plan.first_day, plan.last_day)
    for line in lines:
        read.lines += 1
        if is_certainly_outside(line, days):
            continue
        try:
            _sort_order(line, plan, sieves, read)
        except Unusable as why:
            read.unread[str(why)] += 1
    return read


def _sort_order(line: bytes, plan: Plan, sieves: Collection[Sieve], read: OrdersRead) -> None:
    order = read_order_line(line, plan.order_types)
    on, moment = order.placed_on()
    if not plan.first_day <= on <= plan.last_day:
        return
    patient, reference = order.patient, order.reference
    if not order.was_placed:
        read.seen += 1
        read.not_placed += 1
        return
    category = name_category(bytes(order.category))
    clinician = hash_reference(order.clinician, plan.hash_key) if order.clinician else None
    if any(sieve.may_be_ours(order) for sieve in sieves):
        raw = order_of_procedure(line) if plan.orders_from == PROCEDURE else line
        _triage(PlacedOrder(reference, raw, patient, on, moment, category, clinician), plan, read)
    read.seen += 1
    read.by_month[on.isoformat()[:_MONTH_LENGTH]] += 1
    read.by_category[category] += 1
    if clinician is not None:
        read.clinician_weeks.add((clinician, week_of(on)))
    if PATIENT not in plan.present_types:
        read.patients.add(hash_reference(patient, plan.hash_key))


def _triage(placed: PlacedOrder, plan: Plan, read: OrdersRead) -> None:
    """Keep the order where it is ours, or may be by what it refers to. Raises Unusable."""
    order = read_draft(placed)
    if order is None:
        raise Unusable("order-unreadable")
    conditions = tuple(filter(None, (condition_id(reference) for reference in order.reason_references)))
    placed = replace(placed, conditions=conditions)
    if any(triage(topic, [order]) for topic in plan.topics):
        read.ours.append(placed)
    elif any(reasons_to_look_up(topic, [order]) for topic in plan.topics):
        read.undecided.append(placed)


def read_draft(placed: PlacedOrder) -> DraftOrder | None:
    """The order as the topic reads it; None where it cannot be read."""
    try:
        return read_placed_order(placed.raw)
    except Unreadable:
        return None


@lru_cache(maxsize=2)
def _sieves(place: ContentPlace) -> tuple[Sieve, ...]:
    return tuple(Sieve(topic) for topic in load(place) if topic is not None)


def partition_reasons(lines: Iterable[bytes], plan: Plan, conditions: frozenset[str]) -> dict[str, bytes]:
    """Those of these Conditions that may make an order ours: they match a value set of the topic's orders. By id."""
    matching: dict[str, bytes] = {}
    for line in lines:
        if conditions.isdisjoint(_ids_in(line)):
            continue
        resource = _resource(read_entry(line))
        if resource is None or resource.id not in conditions:
            continue
        concept = resource.concept()
        if any(topic.orders.match(concept) for topic in plan.topics):
            matching[resource.id] = line
    return matching


def partition_chart(lines: Iterable[bytes], resource_type: str, plan: Plan, wanted: Wanted) -> ChartRead:
    """The entries of the wanted patients that the topic looks for, that an order names, or that cannot be read."""
    read = ChartRead()
    for line in lines:
        read.lines += 1
        named = _ids_in(line) if resource_type == PATIENT else _patients_in(line)
        candidates = [patient for patient in named if patient in wanted.patients]
        if not candidates:
            continue
        entry = read_entry(line)
        patient = _whose(entry, candidates[0])
        if patient not in wanted.patients:
            continue
        read.entries_seen[patient] += 1
        if resource_type == PATIENT:
            read.by_patient.setdefault(patient, []).append(_without_name(line))
        elif _matters(entry, plan, wanted):
            read.by_patient.setdefault(patient, []).append(line)
    return read


def _whose(entry: BundleEntry | None, otherwise: str) -> str | None:
    """The patient of an entry; `otherwise`, the first that the line names, where that element cannot be read."""
    resource = _resource(entry)
    if resource is None:
        return otherwise
    if resource.resource_type == PATIENT:
        return resource.id
    subject = resource.subject or resource.patient
    if subject is None:
        return None
    return patient_id(subject.reference) if subject.reference else otherwise


def _matters(entry: BundleEntry | None, plan: Plan, wanted: Wanted) -> bool:
    """Whether the topic looks at this entry. One that cannot be read matters, too: it is counted with the answer."""
    resource = _resource(entry)
    if resource is None or resource.code is None or resource.id in wanted.conditions:
        return True
    subject = resource.subject or resource.patient
    if subject is None or not subject.reference:
        return True
    return any(bool(matches) or without_code > 0 for matches, without_code in _sift(resource, plan))


def _sift(resource: ChartResource, plan: Plan) -> Iterable[tuple[Mapping[int, object], int]]:
    return (topic.chart.sift([resource.code]) for topic in plan.topics)


def _resource(entry: BundleEntry | None) -> ChartResource | None:
    return entry.resource if entry else None


class _Birth(msgspec.Struct, rename="camel"):
    id: msgspec.Raw = msgspec.Raw(b"null")
    birth_date: msgspec.Raw = msgspec.Raw(b"null")


def _without_name(line: bytes) -> bytes:
    """A Patient with nothing but id and birth date: the rest of it never leaves the block."""
    try:
        birth = msgspec.json.decode(line, type=_Birth)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b"null"
    return b'{"resourceType":"Patient","id":%b,"birthDate":%b}' % (bytes(birth.id), bytes(birth.birth_date))


def _ids_in(line: bytes) -> Iterator[str]:
    """Every id in a line: that of the resource, and those of what it contains."""
    for match in _ID.finditer(line):
        yield match[1].decode("utf-8", "replace")


def _patients_in(line: bytes) -> Iterator[str]:
    """Every id that a reference to a Patient may name, relative, absolute or as a UUID."""
    if b"\\/" in line:  # some encoders escape slashes
        line = line.replace(b"\\/", b"/")
    for match in _PATIENT.finditer(line):
        yield match[1].decode()
    if b"urn:uuid:" in line:
        for match in _UUID.finditer(line):
            yield match[1].decode()
