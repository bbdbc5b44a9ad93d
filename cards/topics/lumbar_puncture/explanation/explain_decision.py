"""What the orders and the chart come to in this topic, and why a card did not come, in plain English.

For the developer or analyst who has the request; no card is written from it. It reads the results of the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cards.fhir.dates import Days, days_from, exactly
from cards.fhir.resources import CodeableConcept
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.terminology.value_set_index import Terminology
from cards.topic import Fact
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment, WhySilent, counts
from cards.topics.lumbar_puncture.decision.pain import PainClass, WhyUnknown
from cards.topics.lumbar_puncture.explanation.explain_chart import (
    ago,
    describe_evidence,
    describe_puncture,
    describe_roles,
    load_switched_off,
    name_finding,
    no_puncture,
    span,
)

_UNKNOWN = {
    WhyUnknown.CONDITIONS_NOT_READ: "the conditions could not be read",
    WhyUnknown.NO_PAIN: "no back pain is coded or written, in chart or orders",
    WhyUnknown.ONSET_MISSING: "the pain has no onset",
    WhyUnknown.ONSET_IMPRECISE: "its onset is too imprecise",
    WhyUnknown.PUNCTURE_MISSING: "the puncture has no date",
    WhyUnknown.PUNCTURE_IMPRECISE: "the date of the puncture is too imprecise",
}


@dataclass(frozen=True)
class DecisionExplanation:
    """Why the cards of a call came or did not."""

    assessment: Assessment
    topic: Topic

    def roles(self, entry: ChartEntry) -> Sequence[str]:
        return describe_roles(entry, self.assessment, self.topic)

    def roles_without_match(self, concept: CodeableConcept) -> Sequence[str]:
        off = self._switched_off.match(concept)
        return [f"no finding: the kind {match.value_set} is switched off in service.yaml" for match in off]

    @cached_property
    def _switched_off(self) -> Terminology:
        return load_switched_off(self.topic)

    def decision(self) -> Iterator[Fact]:
        assessment, topic = self.assessment, self.topic
        yield from (("orders", line) for line in _orders(assessment, topic))
        yield from (("chart", line) for line in _gaps(assessment.record))
        for puncture in assessment.punctures.all:
            yield "punctures", f"{_reference(puncture.entry)}: {describe_puncture(puncture, assessment)}"
        if not assessment.punctures.all:
            yield "punctures", no_puncture("lumbar puncture", assessment, topic)
        yield from (("pain", line) for line in _pain(assessment, topic))
        yield "nerve symptom", _nerve_symptom(assessment, topic)
        for escalator in assessment.escalators:
            yield "escalators", escalator.label
        yield from (("red flags", line) for line in _red_flags(assessment))
        for finding in assessment.findings:
            yield "findings", f"{name_finding(finding)}: {_references(finding.entries)}"
        if not assessment.findings:
            yield "findings", _none("none", assessment)

    def why_not(self, card_key: str) -> str:
        return _why_not(card_key, self.assessment, self.topic)

    def silence(self) -> Fact:
        assessment = self.assessment
        before = assessment.why_silent_before if assessment.triage.lumbar_punctures else None
        why = before or assessment.why_silent_after
        return (why.name.lower().replace("_", "-"), str(why)) if why else ("none", "a card came")


def _none(words: str, assessment: Assessment) -> str:
    """That there is none; or, where nobody could look, that this is not known."""
    if assessment.record.section("Condition").obtained:
        return words
    return "not known: the conditions could not be read"


def _orders(assessment: Assessment, topic: Topic) -> Iterator[str]:
    triage = assessment.triage
    if triage.lumbar_punctures:
        count = len(triage.lumbar_punctures)
        yield f"{count} for a lumbar puncture{', urgent' * triage.urgent}"
    for work_up in triage.work_ups:
        is_counted = counts(work_up, assessment.punctures, assessment.problems, assessment.flag_rule, topic)
        yield f"a work-up, {work_up.basis}: {'counts' if is_counted else 'does not count by itself'}"


def _gaps(record: PatientRecord) -> Iterator[str]:
    """What of the chart is not known, so that "none" below is not taken for more than it says."""
    for name, section in (("conditions", record.section("Condition")), ("procedures", record.section("Procedure"))):
        if not section.obtained:
            yield f"the {name} could not be read"
        elif not section.complete:
            yield f"there are more {name} than these"
        if section.unread_count:
            yield f"{section.unread_count} of the {name} could not be read"


def _pain(assessment: Assessment, topic: Topic) -> Iterator[str]:
    """The class of pain, and each pair of dates with the number of days it was measured against."""
    pain, on, settings = assessment.pain, assessment.punctures.last_on, topic.service.after_puncture
    if assessment.why_silent_after:
        yield f"not judged: {_why_silent(assessment, topic)}"
        return
    why = f" ({', '.join(_UNKNOWN[reason] for reason in pain.why_unknown)})" if pain.why_unknown else ""
    yield f"{pain.pain_class}{why}" + (f": {_reference(pain.entry)}" if pain.entry else "")
    problem = assessment.problems.of(*topic.service.complaints.pain)
    for source in problem.present:
        yield f"{_reference(source.entry)}: {describe_evidence(source, problem, assessment)}"
    if on:
        limits = f"expected: up to {settings.expected_days}, rule out first: up to {settings.rule_out_days}"
        yield f"the puncture was {ago(on, assessment.today)} ({limits})"
    if pain.onset and on and pain.pain_class is not PainClass.PRE_EXISTING:
        limit = f"late onset: more than {settings.late_onset_days}"
        yield f"onset {_relation(days_from(on, pain.onset))} the puncture ({limit})"
        lasted = span(days_from(pain.onset, exactly(assessment.today)))
        yield f"it has lasted {lasted} (chronic: more than {settings.chronic_days})"


def _nerve_symptom(assessment: Assessment, topic: Topic) -> str:
    nerve, days = assessment.nerve_symptom, topic.service.after_puncture.nerve_symptom_warning_days
    if nerve is None:
        return _none("none that may be new since a puncture", assessment)
    lasts = {True: f"for more than {days} days", False: f"for {days} days at most", None: "for an unknown time"}
    return f"{_references(nerve.entries)}, {lasts[nerve.lasts]}{', began late' * nerve.began_late}"


def _red_flags(assessment: Assessment) -> Iterator[str]:
    for flag in assessment.red_flags:
        yield f"{flag.kind.label} ({flag.kind.indicator}): {_references(flag.entries)}"
    for flag in assessment.flags.long_ago:
        yield f"{flag.kind.label}: evidence older than {flag.kind.present_days} days, so listed as a finding"
    if not assessment.red_flags:
        yield _none("none applies", assessment)


def _why_not(key: str, assessment: Assessment, topic: Topic) -> str:
    if assessment.red_flags:
        flags = [flag.kind.label for flag in assessment.red_flags]
        return f"silenced by the red flag{'s' * (len(flags) > 1)} {', '.join(flags)}"
    if key == "red-flags":
        return "no red flag counts" if assessment.punctures.all else no_puncture("lumbar puncture", assessment, topic)
    listed_in = "covered in pain-after-puncture" if assessment.shows_pain else "covered in nerve-symptoms"
    if key in ("pain-after-puncture", "nerve-symptoms"):
        if assessment.why_silent_after:
            return _why_silent(assessment, topic)
        if key == "nerve-symptoms" and assessment.nerve_symptom is None:
            return "no nerve symptom that may be new since the puncture"
        return listed_in
    if not assessment.triage.lumbar_punctures:
        return "no lumbar puncture is ordered"
    if assessment.why_silent_before:
        return str(assessment.why_silent_before)
    if key == "what-to-expect":
        return "new pain has to be ruled out first"
    if not assessment.findings:
        return _none("no finding", assessment)
    return listed_in if assessment.lists_contributors(topic) else "the puncture is urgent: what-to-expect alone"


def _why_silent(assessment: Assessment, topic: Topic) -> str:
    """Why there is nothing to say of what followed a puncture; where there is none, which were looked for."""
    if assessment.why_silent_after is WhySilent.NO_PUNCTURE:
        return no_puncture("completed lumbar puncture", assessment, topic)
    return str(assessment.why_silent_after)


def _references(entries: Iterable[ChartEntry]) -> str:
    return ", ".join(_reference(entry) for entry in entries)


def _reference(entry: ChartEntry) -> str:
    return f"{entry.resource_type}/{entry.id}" if entry.id else f"a {entry.resource_type} without id"


def _relation(days: Days) -> str:
    """ "2 days after", "3 to 33 days before", "on the day of"."""
    if days.least == days.most == 0:
        return "on the day of"
    if days.least >= 0:
        return f"{span(days)} after"
    if days.most <= 0:
        return f"{span(Days(-days.most, -days.least))} before"
    before, after = Days(-days.least, -days.least), Days(days.most, days.most)
    return f"from {span(before)} before to {span(after)} after"
