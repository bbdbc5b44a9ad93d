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
from cards.terminology.value_set import Terminology
from cards.topic import Fact
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment, WhyQuiet
from cards.topics.lumbar_puncture.decision.pain import WhyUnknown
from cards.topics.lumbar_puncture.decision.triage import Triage
from cards.topics.lumbar_puncture.explanation.explain_chart import (
    load_switched_off,
    name_finding,
    no_puncture,
    tell_ago,
    tell_puncture,
    tell_roles,
    tell_span,
)

_UNKNOWN = {
    WhyUnknown.CONDITIONS_NOT_READ: "the conditions could not be read",
    WhyUnknown.NO_PAIN: "no active back pain is on record",
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
        return tell_roles(entry, self.assessment, self.topic)

    def roles_without_match(self, concept: CodeableConcept) -> Sequence[str]:
        off = self._switched_off.match(concept)
        return [f"no finding: the kind {match.value_set} is switched off in service.yaml" for match in off]

    @cached_property
    def _switched_off(self) -> Terminology:
        return load_switched_off(self.topic)

    def decision(self) -> Iterator[Fact]:
        given, topic = self.assessment, self.topic
        yield "orders", _tell_orders(given.found)
        yield from (("chart", line) for line in _tell_gaps(given.record))
        for puncture in given.punctures.all:
            yield "punctures", f"{_reference(puncture.entry)}: {tell_puncture(puncture, given)}"
        if not given.punctures.all:
            yield "punctures", no_puncture("lumbar puncture", given, topic)
        yield from (("pain", line) for line in _tell_pain(given, topic))
        yield "nerve symptom", _tell_nerve_symptom(given, topic)
        for flag in given.red_flags:
            yield "red flags", f"{flag.kind.label}: {_references(flag.entries)}"
        if not given.red_flags:
            yield "red flags", _none("none counts", given)
        for finding in given.findings:
            yield "findings", f"{name_finding(finding)}: {_references(finding.entries)}"
        if not given.findings:
            yield "findings", _none("none", given)

    def why_not(self, card_key: str) -> str:
        return _why_not(card_key, self.assessment, self.topic)


def _none(words: str, given: Assessment) -> str:
    """That there is none; or, where nobody could look, that this is not known."""
    return words if given.record.section("Condition").obtained else "not known: the conditions could not be read"


def _tell_orders(found: Triage) -> str:
    punctures, work_ups = len(found.lumbar_punctures), len(found.work_ups)
    told = [f"{punctures} for a lumbar puncture{', urgent' * found.urgent}"] if punctures else []
    if work_ups:
        other_reason = ", every one for another reason" if found.explained else ""
        told.append(f"{work_ups} that work{'s' * (work_ups == 1)} up back pain{other_reason}")
    return "; ".join(told)


def _tell_gaps(record: PatientRecord) -> Iterator[str]:
    """What of the chart is not known, so that "none" below is not taken for more than it says."""
    for name, section in (("conditions", record.section("Condition")), ("procedures", record.section("Procedure"))):
        if not section.obtained:
            yield f"the {name} could not be read"
        elif not section.complete:
            yield f"there are more {name} than these"
        if section.unread_count:
            yield f"{section.unread_count} of the {name} could not be understood"


def _tell_pain(given: Assessment, topic: Topic) -> Iterator[str]:
    """The class of pain, and each pair of dates with the number of days it was measured against."""
    pain, on, settings = given.pain, given.punctures.last_on, topic.service.after_puncture
    if given.why_quiet:
        yield f"not asked for: {_why_quiet(given, topic)}"
        return
    why = f" ({', '.join(_UNKNOWN[one] for one in pain.why_unknown)})" if pain.why_unknown else ""
    yield f"{pain.pain_class}{why}" + (f": {_reference(pain.entry)}" if pain.entry else "")
    today = exactly(given.today)
    if pain.entry and pain.onset and on:
        began = "it began" if pain.entry.began else "it was recorded"
        late = f"late onset: more than {settings.late_onset_days}"
        yield f"{began} on {pain.onset.text}, {_relation(days_from(on, pain.onset))} the puncture ({late})"
    if on:
        yield f"the puncture was {tell_ago(on, given.today)} (expected: up to {settings.expected_days})"
    if pain.onset:
        yield f"it has lasted {tell_span(days_from(pain.onset, today))} (chronic: more than {settings.chronic_days})"


def _tell_nerve_symptom(given: Assessment, topic: Topic) -> str:
    nerve, days = given.nerve_symptom, topic.service.after_puncture.nerve_symptom_warning_days
    if nerve is None:
        return _none("none since a puncture", given)
    lasts = {True: f"for more than {days} days", False: f"for {days} days at most", None: "nobody knows for how long"}
    return f"{_references(nerve.entries)}, {lasts[nerve.lasts]}"


def _why_not(key: str, given: Assessment, topic: Topic) -> str:
    if given.red_flags:
        flags = [flag.kind.label for flag in given.red_flags]
        return f"silenced by the red flag{'s' * (len(flags) > 1)} {', '.join(flags)}"
    told_in = "told in pain-after-puncture" if given.is_pain_told else "told in nerve-symptoms"
    if key == "red-flags":
        return "no red flag counts" if given.punctures.all else no_puncture("lumbar puncture", given, topic)
    if key in ("pain-after-puncture", "nerve-symptoms"):
        if given.why_quiet:
            return _why_quiet(given, topic)
        if key == "nerve-symptoms" and given.nerve_symptom is None:
            return "no nerve symptom since the puncture"
        return told_in
    if not given.found.lumbar_punctures:
        return "no lumbar puncture is ordered"
    if not given.findings:
        return (
            "no finding"
            if given.record.section("Condition").obtained
            else "no finding: the conditions could not be read"
        )
    return told_in if given.are_contributors_told(topic) else "the puncture is urgent: what-to-expect alone"


def _why_quiet(given: Assessment, topic: Topic) -> str:
    """Why there is nothing to say of what followed a puncture; where there is none, which were seen."""
    if given.why_quiet is WhyQuiet.NO_PUNCTURE:
        return no_puncture("completed lumbar puncture", given, topic)
    return str(given.why_quiet)


def _references(entries: Iterable[ChartEntry]) -> str:
    return ", ".join(_reference(entry) for entry in entries)


def _reference(entry: ChartEntry) -> str:
    return f"{entry.resource_type}/{entry.id}" if entry.id else f"a {entry.resource_type} without id"


def _relation(days: Days) -> str:
    """ "2 days after", "3 to 33 days before", "on the day of"."""
    if days.least == days.most == 0:
        return "on the day of"
    if days.least >= 0:
        return f"{tell_span(days)} after"
    if days.most <= 0:
        return f"{tell_span(Days(-days.most, -days.least))} before"
    before, after = Days(-days.least, -days.least), Days(days.most, days.most)
    return f"from {tell_span(before)} before to {tell_span(after)} after"
