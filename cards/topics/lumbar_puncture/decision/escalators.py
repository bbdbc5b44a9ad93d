"""What makes pain after a puncture weigh more: bleeding risk, weak defenses, urgency, words such as "severe"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.triage import Triage


@dataclass(frozen=True)
class Escalator:
    """One reason to look more closely. `label`: as a card names it. `is_bleeding_risk`: also said before a puncture."""

    label: str
    is_bleeding_risk: bool = False
    entry: ChartEntry | None = None


def find_escalators(triage: Triage, record: PatientRecord, topic: Topic) -> tuple[Escalator, ...]:
    """Every escalator of the chart, the session's medications and the orders, each kind once."""
    by_label: dict[str, Escalator] = {}
    for escalator in _escalators(triage, record, topic):
        by_label.setdefault(escalator.label, escalator)
    return tuple(by_label.values())


def _escalators(triage: Triage, record: PatientRecord, topic: Topic) -> Iterator[Escalator]:
    settings = topic.service.escalators
    sources = (*triage.medications, *triage.words, *record.section("Condition").matched)
    entries: dict[str, ChartEntry] = {}
    for entry in sources:
        if entry.is_active:
            for match in entry.matches:
                if not match.is_past:
                    entries.setdefault(match.value_set, entry)
    for risk in settings.risks:
        if risk.value_set in entries:
            yield Escalator(risk.label, risk.bleeding, entries[risk.value_set])
    modifiers = {name for entry in triage.words for name in _complaint_modifiers(entry, topic)}
    yield from (Escalator(label) for name, label in settings.words.items() if name in modifiers)
    priorities = {work_up.order.priority for work_up in triage.work_ups}
    if not priorities.isdisjoint(settings.priorities):
        yield Escalator(settings.priority_label)


def _complaint_modifiers(entry: ChartEntry, topic: Topic) -> Iterable[str]:
    """The modifiers of the complaints and red flags that an order's words state."""
    service = topic.service
    wanted = {*service.complaints.value_sets, *(flag.value_set for flag in service.red_flags)}
    for match in entry.matches:
        if match.value_set in wanted and match.mention is not None and not match.is_past:
            yield from match.mention.modifiers
