"""What of a chart belongs on a timeline: punctures, pain, nerve symptoms, red flags and findings, with their dates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cards.fhir.dates import until
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord
from cards.record.problem import onset_of
from cards.timeline import Event, EventKind, Timeline, by_date
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.punctures import Puncture, find_punctures

PUNCTURE = EventKind("lumbar puncture", "triangle", is_moment=True)
RED_FLAG = EventKind("red flag", "flag")
PAIN = EventKind("back pain", "circle")
NERVE_SYMPTOM = EventKind("nerve symptom", "diamond")
FINDING = EventKind("finding", "square")
_KINDS = (PUNCTURE, RED_FLAG, PAIN, NERVE_SYMPTOM, FINDING)
_WHEN_EMPTY = "the chart has no lumbar puncture within a year, no pain, and no finding of the spine"


def read_timeline(record: PatientRecord, topic: Topic, today: date) -> Timeline:
    """The timeline of a record; the date that others are compared with is that of the latest completed puncture."""
    punctures = find_punctures(record, None, topic, today)
    events = [_puncture(puncture) for puncture in punctures.all]
    events += [event for entry in record.section("Condition").matched for event in _condition(entry, topic, today)]
    events += [event for entry in record.section("Procedure").matched for event in _operation(entry, topic, today)]
    return Timeline(today, _KINDS, tuple(sorted(events, key=by_date)), punctures.last_on, _WHEN_EMPTY)


def _puncture(puncture: Puncture) -> Event:
    entry = puncture.entry
    remark = "" if puncture.completed else "not completed"
    return Event(PUNCTURE, _words(entry, "Lumbar puncture"), _resource(entry), puncture.on, remark=remark)


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
        _words(entry, kind.label),
        _resource(entry),
        onset or recorded,
        onset is None and recorded is not None,
        entry.is_active,
        ", ".join(remarks),
    )


def _operation(entry: ChartEntry, topic: Topic, today: date) -> Iterator[Event]:
    """A Procedure that is a finding: earlier surgery of the spine."""
    if FINDING in _kinds(entry, topic):
        yield Event(FINDING, _words(entry, "Procedure"), _resource(entry), until(entry.began, today))


def _kinds(entry: ChartEntry, topic: Topic) -> Iterator[EventKind]:
    complaints = topic.service.complaints
    if any(entry.match_in(flag.value_set) for flag in topic.service.red_flags):
        yield RED_FLAG
    if not entry.value_sets.isdisjoint(complaints.pain):
        yield PAIN
    if not entry.value_sets.isdisjoint(complaints.nerve_symptom):
        yield NERVE_SYMPTOM
    if any(kind.enabled and entry.match_in(kind.value_set) for kind in topic.service.contributors):
        yield FINDING


def _words(entry: ChartEntry, otherwise: str) -> str:
    return entry.words or otherwise[:1].upper() + otherwise[1:]


def _resource(entry: ChartEntry) -> str:
    return f"{entry.resource_type}/{entry.id}" if entry.id else f"{entry.resource_type} without id"
