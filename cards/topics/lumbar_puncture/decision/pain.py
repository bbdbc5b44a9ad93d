"""Back pain after a puncture: which of seven classes, from dates of any precision (ADR 19: pain)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cards.fhir.dates import DateRange, days_from, exactly
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.record.problem import Evidence, Problem
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.escalators import Escalator
from cards.topics.lumbar_puncture.decision.problems import Problems
from cards.topics.lumbar_puncture.decision.punctures import Punctures
from cards.topics.lumbar_puncture.settings import AfterPuncture


class PainClass(StrEnum):
    """How back pain stands to a puncture. The first that holds, in this order."""

    RULE_OUT_FIRST = "rule-out-first"
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
    """The back pain of a call, classed. `evidence`: what tells of it best. `onset`: when it began.

    `baseline`: pain that was known before the puncture.
    """

    pain_class: PainClass
    evidence: Evidence | None
    onset: DateRange | None
    why_unknown: tuple[WhyUnknown, ...] = ()
    baseline: tuple[Evidence, ...] = ()

    @property
    def entry(self) -> ChartEntry | None:
        """The chart entry or order that tells of the pain best."""
        return self.evidence.entry if self.evidence else None


def class_pain(
    problems: Problems,
    punctures: Punctures,
    escalators: Sequence[Escalator],
    record: PatientRecord,
    topic: Topic,
    today: date,
) -> Pain:
    """The class of the back pain that is present. What is not certain is UNKNOWN, with what is missing."""
    settings = topic.service.after_puncture
    on = punctures.last_on
    problem = _pain_problem(problems, on, topic)
    if not problem.present:
        why = WhyUnknown.NO_PAIN if record.section("Condition").obtained else WhyUnknown.CONDITIONS_NOT_READ
        return Pain(PainClass.UNKNOWN, None, None, (why,))
    baseline = problem.known_before(on)
    new = problem.new_since(on)
    possible = problem.may_be_new_since(on)
    if escalators and _needs_ruling_out(problem, on, possible, topic, today):
        shown = new or possible or problem.present
        return Pain(PainClass.RULE_OUT_FIRST, shown[0], problem.onset_since(on) if on else None, (), baseline)
    if on is None:
        missing = () if any(source.best_known_date for source in possible) else (WhyUnknown.ONSET_MISSING,)
        return Pain(PainClass.UNKNOWN, possible[0], possible[0].began, (*missing, WhyUnknown.PUNCTURE_MISSING))
    if not new:
        return _without_new_pain(problem, baseline, on)
    onset = problem.onset_since(on)
    if onset is None:
        return Pain(PainClass.UNKNOWN, new[0], None, (WhyUnknown.ONSET_MISSING,), baseline)
    undated = any(puncture.on is None for puncture in punctures.completed)
    if undated:  # it may have been the latest
        on = DateRange(on.first, today, on.text)
    pain_class = _class_of(on, onset, today, settings)
    why_unknown: tuple[WhyUnknown, ...] = ()
    if pain_class is PainClass.UNKNOWN:
        why_unknown = (WhyUnknown.PUNCTURE_MISSING,) if undated else _imprecise(on, onset)
    return Pain(pain_class, new[0], onset, why_unknown, baseline)


def _pain_problem(problems: Problems, on: DateRange | None, topic: Topic) -> Problem:
    """Pain of the back or legs; without any, pain after a procedure that is new since the puncture."""
    complaints = topic.service.complaints
    problem = problems.of(*complaints.pain)
    without_site = problems.of(*complaints.pain_after)
    return without_site if not problem.present and without_site.new_since(on) else problem


def _needs_ruling_out(
    problem: Problem, on: DateRange | None, possible: Sequence[Evidence], topic: Topic, today: date
) -> bool:
    """Whether pain that may be new, or that the order at hand calls severe, comes so soon after the puncture."""
    severe = topic.service.escalators.severe
    is_severe = any(source.is_order and not source.modifiers.isdisjoint(severe) for source in problem.present)
    if not possible and not is_severe:
        return False
    limit = topic.service.after_puncture.rule_out_days
    return on is not None and days_from(on, exactly(today)).exceed(limit) is not True


def _without_new_pain(problem: Problem, baseline: Sequence[Evidence], on: DateRange) -> Pain:
    """Pain that was known before the puncture; or pain whose dates do not tell."""
    if baseline:
        first = baseline[0]
        return Pain(PainClass.PRE_EXISTING, first, first.best_known_date, (), tuple(baseline))
    source = problem.present[0]
    if source.best_known_date is None:
        return Pain(PainClass.UNKNOWN, source, None, (WhyUnknown.ONSET_MISSING,))
    why = _imprecise(on, source.best_known_date) or (WhyUnknown.ONSET_MISSING,)
    return Pain(PainClass.UNKNOWN, source, source.began, why)


def _class_of(on: DateRange, onset: DateRange, today: date, settings: AfterPuncture) -> PainClass:
    """The first row of the table that certainly holds, UNKNOWN as soon as one is not certain."""
    now = exactly(today)
    is_early = days_from(on, now).exceed(settings.expected_days)
    rows = [
        (PainClass.LATE_ONSET, days_from(on, onset).exceed(settings.late_onset_days)),
        (PainClass.EXPECTED, None if is_early is None else not is_early),
        (PainClass.CHRONIC, days_from(onset, now).exceed(settings.chronic_days)),
    ]
    for pain_class, holds in rows:
        if holds is None:
            return PainClass.UNKNOWN
        if holds:
            return pain_class
    return PainClass.LINGERING


def _imprecise(on: DateRange, onset: DateRange) -> tuple[WhyUnknown, ...]:
    dates = [(onset, WhyUnknown.ONSET_IMPRECISE), (on, WhyUnknown.PUNCTURE_IMPRECISE)]
    return tuple(why for known, why in dates if not known.is_exact)
