"""What the orders and the chart come to, and why each card came or did not, in plain English.

For the developer or analyst who holds the request; no card is written from it. It reads the results of the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cards.card import Card
from cards.catalogue import Topic
from cards.fhir.dates import Days, days_from, exactly
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.decision.assessment import Assessment, WhyQuiet
from cards.topics.lumbar_puncture.decision.pain import WhyUnknown
from cards.topics.lumbar_puncture.decision.triage import Triage
from cards.topics.lumbar_puncture.explanation.explain_chart import (
    name_finding,
    no_puncture,
    tell_ago,
    tell_puncture,
    tell_span,
)
from cards.topics.lumbar_puncture.explanation.explain_orders import Fact

_UNKNOWN = {
    WhyUnknown.CONDITIONS_NOT_READ: "the conditions could not be had",
    WhyUnknown.NO_PAIN: "no active back pain is on record",
    WhyUnknown.ONSET_MISSING: "the pain has no onset",
    WhyUnknown.ONSET_IMPRECISE: "its onset is too imprecise",
    WhyUnknown.PUNCTURE_MISSING: "the puncture has no date",
    WhyUnknown.PUNCTURE_IMPRECISE: "the date of the puncture is too imprecise",
}


@dataclass(frozen=True)
class Case:
    """What came of a request. `assessment` None: no order is ours. `cards`, by key; None: the answer is 412."""

    topic: Topic
    assessment: Assessment | None
    cards: Mapping[str, Card] | None


def tell_decision(case: Case) -> Iterator[Fact]:
    """What the orders and the chart come to, with the dates that were compared."""
    given, topic = case.assessment, case.topic
    if given is None:
        yield "orders", "none is ours: the chart is not read"
        return
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


def _none(words: str, given: Assessment) -> str:
    """That there is none; or, where nobody could look, that this is not known."""
    return words if given.record.conditions.obtained else "not known: the conditions could not be had"


def _tell_orders(found: Triage) -> str:
    punctures, work_ups = len(found.lumbar_punctures), len(found.work_ups)
    told = [f"{punctures} for a lumbar puncture{', urgent' * found.urgent}"] if punctures else []
    if work_ups:
        other_reason = ", every one for another reason" if found.explained else ""
        told.append(f"{work_ups} that work{'s' * (work_ups == 1)} up back pain{other_reason}")
    return "; ".join(told)


def _tell_gaps(record: PatientRecord) -> Iterator[str]:
    """What of the chart is not known, so that "none" below is not taken for more than it says."""
    for name, section in (("conditions", record.conditions), ("procedures", record.procedures)):
        if not section.obtained:
            yield f"the {name} could not be had"
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


def tell_cards(case: Case) -> Iterator[Fact]:
    """For each card that the topic has, its summary, or the reason why it stays away."""
    for key in case.topic.service.cards:
        card = (case.cards or {}).get(key)
        if card is None:
            yield key, f"does not fire: {_why_not(key, case)}"
            continue
        offers = ", ".join(one.key for one in card.suggestions)
        yield key, f"fires ({card.indicator}): “{card.summary}”" + (f" It offers {offers}." if offers else "")


def _why_not(key: str, case: Case) -> str:
    given, topic = case.assessment, case.topic
    if given is None:
        return "no order is ours"
    if case.cards is None:
        return "412: the procedures could not be had"
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
        return "no finding" if given.record.conditions.obtained else "no finding: the conditions could not be had"
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
