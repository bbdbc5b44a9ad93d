"""What of a chart belongs on a timeline: punctures, pain, nerve symptoms, red flags, findings, each with its dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import msgspec

from cards.catalogue import Topic
from cards.fhir.dates import DateRange, until
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import OtherPatient, PatientRecord, Section, read_section
from cards.topics.lumbar_puncture.decision.punctures import Puncture, find_punctures, onset_of
from cds_service.fhir_client.prefetch import sort_value


class Kind(StrEnum):
    """What an entry of the chart is on the timeline; the value is its name in the legend."""

    PUNCTURE = "lumbar puncture"
    RED_FLAG = "red flag"
    PAIN = "back pain"
    NERVE_SYMPTOM = "nerve symptom"
    FINDING = "finding"


@dataclass(frozen=True)
class Event:
    """One line of the timeline. `on`: since when, or when; None where the chart does not say.

    `only_recorded`: `on` is when it was entered, not when it began. `lasts`: it goes on today.
    """

    kind: Kind
    words: str
    resource: str
    on: DateRange | None
    only_recorded: bool
    lasts: bool
    remark: str


@dataclass(frozen=True)
class Timeline:
    """All of it, the oldest first, what has no date last. `puncture_on`: when the latest completed puncture was."""

    today: date
    events: tuple[Event, ...]
    puncture_on: DateRange | None


def read_timeline(prefetch: Mapping[str, msgspec.Raw], patient_id: str, topic: Topic, today: date) -> Timeline | None:
    """The timeline of a complete prefetch; None where what is there is about somebody else."""
    sections = {}
    try:
        for key, resource_type in (("conditions", "Condition"), ("procedures", "Procedure")):
            section = Section(sort_value(prefetch.get(key)).entries)
            sections[key] = read_section(section, resource_type, patient_id, topic.chart, today)
    except OtherPatient:
        return None
    record = PatientRecord(patient_id, sections["conditions"], sections["procedures"])
    punctures = find_punctures(record, topic, today)
    events = [_puncture(one) for one in punctures.all]
    events += [event for entry in record.conditions.found for event in _condition(entry, topic, today)]
    events += [event for entry in record.procedures.found for event in _operation(entry, topic, today)]
    return Timeline(today, tuple(sorted(events, key=_by_date)), punctures.last_on)


def _puncture(puncture: Puncture) -> Event:
    entry = puncture.entry
    remark = "" if puncture.completed else "not completed"
    return Event(Kind.PUNCTURE, _words(entry, "Lumbar puncture"), _resource(entry), puncture.on, False, False, remark)


def _condition(entry: ChartEntry, topic: Topic, today: date) -> Iterator[Event]:
    """The entry under the gravest kind it belongs to; nothing where it belongs to none."""
    kind = next(iter(_kinds(entry, topic)), None)
    if kind is None:
        return
    onset = onset_of(entry, today)
    recorded = until(entry.recorded, today)
    remarks = [] if entry.confirmed else ["unconfirmed"]
    remarks += ["resolved"] if entry.standing is Standing.RESOLVED else []
    yield Event(
        kind,
        _words(entry, kind.value),
        _resource(entry),
        onset or recorded,
        onset is None and recorded is not None,
        entry.is_active,
        ", ".join(remarks),
    )


def _operation(entry: ChartEntry, topic: Topic, today: date) -> Iterator[Event]:
    """A Procedure that is a finding: earlier surgery of the spine."""
    if Kind.FINDING in _kinds(entry, topic):
        on = until(entry.began, today)
        yield Event(Kind.FINDING, _words(entry, "Procedure"), _resource(entry), on, False, False, "")


def _kinds(entry: ChartEntry, topic: Topic) -> Iterator[Kind]:
    after = topic.service.after_puncture
    if any(entry.match_in(flag.value_set) for flag in topic.service.red_flags):
        yield Kind.RED_FLAG
    if entry.match_in(after.pain):
        yield Kind.PAIN
    if entry.match_in(after.nerve_symptom):
        yield Kind.NERVE_SYMPTOM
    if any(kind.enabled and entry.match_in(kind.value_set) for kind in topic.service.contributors):
        yield Kind.FINDING


def _words(entry: ChartEntry, otherwise: str) -> str:
    return entry.words or otherwise[:1].upper() + otherwise[1:]


def _resource(entry: ChartEntry) -> str:
    return f"{entry.resource_type}/{entry.id}" if entry.id else f"{entry.resource_type} without id"


def _by_date(event: Event) -> tuple[object, ...]:
    on = event.on
    return (on is None, on.first if on else date.max, on.last if on else date.max, event.resource)
