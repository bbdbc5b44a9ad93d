"""`judge`: the chart of one patient, one order, one day: one row. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cards.evaluate import SectionUnobtainable, Triage, evaluate, triage
from cards.fhir.bundle import read_entry
from cards.fhir.dates import DateRange
from cards.fhir.draft_orders import DraftOrder, condition_id
from cards.fhir.resources import BundleEntry, CodeableConcept
from cards.record.patient_record import PatientRecord, Section, read_patient, read_section
from cards.topic import Topic
from cds_service.backtest.history import HistoryEntry, Placed, read_history
from cds_service.backtest.plan import Plan
from cds_service.backtest.reading.partition import CONDITION, PATIENT, read_draft
from cds_service.backtest.rows import UNKNOWN, Answer, CardRow, PlacedOrder, Row, age_band

Entries = dict[str, list[BundleEntry | None]]  # by resource type

NOT_OURS = ("order-not-ours", "the service does not apply to this order")
UNREADABLE = ("order-unreadable", "the order cannot be read")
CARDS_OFF = ("cards-off", "this site has turned the cards off")


@dataclass(frozen=True)
class PatientOrders:
    """The orders of one patient, and the lines of the chart by resource type. `entries_seen`: in the whole export."""

    patient: str
    orders: tuple[PlacedOrder, ...]
    lines: Mapping[str, Sequence[bytes]]
    entries_seen: int


@dataclass(frozen=True)
class Chart:
    """The chart of one patient, decoded once for all orders."""

    patient: str
    entries: Mapping[str, Sequence[HistoryEntry]]
    birth_date: DateRange | None


def judge_patient(patient: PatientOrders, plan: Plan) -> list[Row]:
    """A row for each order of a patient."""
    entries = {name: [read_history(line) for line in lines] for name, lines in patient.lines.items() if name != PATIENT}
    facts = [read_patient(read_entry(line)) for line in patient.lines.get(PATIENT, ())]
    births = [fact.birth_date for fact in facts if fact and fact.birth_date]
    chart = Chart(patient.patient, entries, births[0] if births else None)
    has_chart = patient.entries_seen > 0
    return [judge(chart, order, plan, has_chart=has_chart) for order in patient.orders]


def judge(chart: Chart, order: PlacedOrder, plan: Plan, *, has_chart: bool = True) -> Row:
    """What the service would have said to this order on its day, with what the chart held by then."""
    known: Entries = {}
    dated: Entries = {}
    has_undated = False
    for name, entries in chart.entries.items():
        for entry in entries:
            placed = entry.placed(order, plan.exported_on)
            if placed is Placed.AFTER:
                continue
            known.setdefault(name, []).append(entry.as_of(order, plan.exported_on))
            if placed is Placed.BEFORE:
                dated.setdefault(name, []).append(known[name][-1])
            else:
                has_undated = True
    case = _Case(order, read_draft(order), chart, plan)
    topic, *others = plan.topics
    served, unread = case.answer(topic, known)
    return Row(
        order.reference,
        order.patient,
        order.on,
        order.category,
        order.clinician,
        _age_band(chart.birth_date, order.on),
        served,
        case.answer(topic, dated)[0] if has_undated else None,
        case.answer(others[0], known)[0] if others else None,
        unread,
        has_chart,
    )


@dataclass(frozen=True)
class _Case:
    """One order with the chart of its patient. `draft` None: the order cannot be read."""

    order: PlacedOrder
    draft: DraftOrder | None
    chart: Chart
    plan: Plan

    def answer(self, topic: Topic, entries: Entries) -> tuple[Answer, dict[str, int]]:
        """What a topic says with these entries; and how many of them could not be read, by type and reason."""
        if self.draft is None:
            return Answer(False, silence=UNREADABLE), {}
        ours = triage(topic, [self.draft], _looked_up(self.draft, self.chart))
        if ours is None:
            return Answer(False, silence=NOT_OURS), {}
        record = self._record(topic, entries)
        unread = {
            f"{name}: {why}": count
            for name, section in record.sections.items()
            for why, count in section.unread.items()
        }
        return self._decide(topic, ours, record), unread

    def _record(self, topic: Topic, entries: Entries) -> PatientRecord:
        """The sections that the topic's prefetch asks for. A type that the export has no file of was not obtained."""
        sections = {
            name: read_section(
                Section(entries.get(name, ()), obtained=name in self.plan.present_types),
                name,
                self.chart.patient,
                topic.chart,
                self.order.on,
            )
            for name in topic.service.resource_types.values()
        }
        return PatientRecord(self.chart.patient, sections, None, self.chart.birth_date)

    def _decide(self, topic: Topic, ours: Triage, record: PatientRecord) -> Answer:
        try:
            cards = evaluate(topic, ours, record, self.order.on)
        except SectionUnobtainable as missing:
            words = f"the export has no {missing.key}, which this order needs"
            return Answer(True, silence=(f"{missing.key}-missing", words))
        if not cards:
            return Answer(True, silence=topic.explain(ours, record, self.order.on).silence())
        shown = [card for card in cards if card.key not in self.plan.cards_off]
        if not shown:
            return Answer(True, silence=CARDS_OFF)
        rows = tuple(CardRow(card.key, card.classification or "", card.indicator) for card in shown)
        findings = frozenset((entry.role, entry.value_set) for card in shown for entry in card.provenance)
        return Answer(True, rows, None, findings)


def _looked_up(draft: DraftOrder, chart: Chart) -> dict[str, CodeableConcept]:
    """The Conditions that an order names as its reason, by reference, where they are this patient's."""
    conditions = {entry.resource.id: entry.resource for entry in chart.entries.get(CONDITION, ()) if entry.resource}
    named = {reference: condition_id(reference) for reference in draft.reason_references}
    return {reference: conditions[id_].concept() for reference, id_ in named.items() if id_ in conditions}


def _age_band(born: DateRange | None, on: date) -> str:
    if born is None or born.first > on:
        return UNKNOWN
    day = born.first
    return age_band(on.year - day.year - ((on.month, on.day) < (day.month, day.day)))


def names_ours(order: PlacedOrder, conditions: Sequence[bytes], plan: Plan) -> bool:
    """Whether these Conditions, which the order names, make it one that the topic speaks about."""
    chart = Chart(order.patient, {CONDITION: [read_history(line) for line in conditions]}, None)
    draft = read_draft(order)
    return draft is not None and any(triage(topic, [draft], _looked_up(draft, chart)) for topic in plan.topics)
