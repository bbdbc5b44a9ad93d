"""Back pain after a puncture: which of six classes, from dates of any precision (design.md 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cards.fhir.dates import DateRange, days_from, earliest, exactly, until
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.punctures import Punctures, began_since, onset_of, witness_of
from cards.topics.lumbar_puncture.settings import AfterPuncture


class PainClass(StrEnum):
    """How back pain stands to a puncture. The first that holds, in this order."""

    PRE_EXISTING = "pre-existing"
    LATE_ONSET = "late-onset"
    UNKNOWN = "unknown"
    EXPECTED = "expected"
    CHRONIC = "chronic"
    LINGERING = "lingering"


class WhyUnknown(StrEnum):
    """What the chart does not tell; each has its words in text/phrases."""

    CONDITIONS_NOT_READ = "conditions-not-read"
    NO_PAIN = "no-pain"
    ONSET_MISSING = "onset-missing"
    ONSET_IMPRECISE = "onset-imprecise"
    PUNCTURE_MISSING = "puncture-missing"
    PUNCTURE_IMPRECISE = "puncture-imprecise"


@dataclass(frozen=True)
class Pain:
    """The back pain of a chart, classed. `entry`: the one that tells of it best. `onset`: when it began."""

    pain_class: PainClass
    entry: ChartEntry | None
    onset: DateRange | None
    why_unknown: tuple[WhyUnknown, ...] = ()


def find_pain(record: PatientRecord, topic: Topic) -> tuple[ChartEntry, ...]:
    """Back pain that is active today; what has abated is no pain."""
    wanted = topic.service.after_puncture.pain
    return tuple(one for one in record.section("Condition").matched if one.is_active and one.match_in(wanted))


def class_pain(
    entries: Iterable[ChartEntry], punctures: Punctures, record: PatientRecord, topic: Topic, today: date
) -> Pain:
    """The class of active back pain. What is not certain is UNKNOWN, with what is missing."""
    pains = sorted(entries, key=lambda one: _order(one, today))
    puncture_on = punctures.last_on
    if not pains:
        return Pain(PainClass.UNKNOWN, None, None, (_why_no_pain(record),))
    predating = next((one for one in pains if began_since(one, puncture_on, today) is False), None)
    if predating:
        return Pain(PainClass.PRE_EXISTING, predating, witness_of(predating, today))
    onset = earliest(found for one in pains if (found := onset_of(one, today)))
    if onset is not None and any(_may_be_earlier(one, onset, today) for one in pains):
        onset = None
    missing = []
    if onset is None:
        missing.append(WhyUnknown.ONSET_MISSING)
    if puncture_on is None:
        missing.append(WhyUnknown.PUNCTURE_MISSING)
    if onset is None or puncture_on is None:
        return Pain(PainClass.UNKNOWN, pains[0], onset, tuple(missing))
    undated = any(one.on is None for one in punctures.completed)
    if undated:  # it may have been the latest
        puncture_on = DateRange(puncture_on.first, today, puncture_on.text)
    pain_class = _class_of(puncture_on, onset, today, topic.service.after_puncture)
    if pain_class is not PainClass.UNKNOWN:
        return Pain(pain_class, pains[0], onset)
    why = (WhyUnknown.PUNCTURE_MISSING,) if undated else _imprecise(puncture_on, onset)
    return Pain(pain_class, pains[0], onset, why)


def _class_of(puncture_on: DateRange, onset: DateRange, today: date, settings: AfterPuncture) -> PainClass:
    """The first row of the table that certainly holds, UNKNOWN as soon as one is not certain."""
    now = exactly(today)
    to_onset = days_from(puncture_on, onset)
    rows = [
        (PainClass.PRE_EXISTING, _not(to_onset.exceed(-1))),
        (PainClass.LATE_ONSET, to_onset.exceed(settings.late_onset_days)),
        (PainClass.EXPECTED, _not(days_from(puncture_on, now).exceed(settings.expected_days))),
        (PainClass.CHRONIC, days_from(onset, now).exceed(settings.chronic_days)),
    ]
    for pain_class, holds in rows:
        if holds is None:
            return PainClass.UNKNOWN
        if holds:
            return pain_class
    return PainClass.LINGERING


def _not(holds: bool | None) -> bool | None:
    return None if holds is None else not holds


def _may_be_earlier(entry: ChartEntry, onset: DateRange, today: date) -> bool:
    """Whether pain without an onset was on record before the earliest onset: that one is then not the first."""
    recorded = until(entry.recorded, today)
    return onset_of(entry, today) is None and recorded is not None and recorded.first < onset.last


def _imprecise(puncture_on: DateRange, onset: DateRange) -> tuple[WhyUnknown, ...]:
    dates = [(onset, WhyUnknown.ONSET_IMPRECISE), (puncture_on, WhyUnknown.PUNCTURE_IMPRECISE)]
    return tuple(why for found, why in dates if not found.is_exact)


def _why_no_pain(record: PatientRecord) -> WhyUnknown:
    return WhyUnknown.NO_PAIN if record.section("Condition").obtained else WhyUnknown.CONDITIONS_NOT_READ


def _order(entry: ChartEntry, today: date) -> tuple[object, ...]:
    """The earliest onset first, undated entries last; then a fixed order."""
    began = until(entry.began, today)
    known = (began.first, began.last) if began else (date.max, date.max)
    return (known, entry.id or "", entry.words)
