"""What part each entry of a chart plays in the decision, in plain English: the second part of an explanation.

It asks the rule's own functions and reads their results. Where they only say no, it asks again with one thing changed,
and tells what was in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import msgspec

from cards.catalogue import VALUE_SETS, Topic
from cards.content.files import parse_yaml, read_text
from cards.content.service import RedFlagKind
from cards.fhir.bundle import Entries
from cards.fhir.dates import DateRange, Days, days_from, exactly, until
from cards.fhir.resources import ChartResource, Condition, Procedure
from cards.fhir.tolerant_reading import ABSENT, read_elements
from cards.record.chart_entry import ChartEntry, Standing, read_chart_entry
from cards.record.patient_record import PatientRecord, Section, SectionRead, read_section
from cards.terminology.text_terms import TermsFile, TextTerms
from cards.terminology.value_set import Terminology, load_value_set
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import UNSPECIFIED, Finding, find_contributors
from cards.topics.lumbar_puncture.decision.pain import find_pain
from cards.topics.lumbar_puncture.decision.punctures import Puncture, Punctures, find_punctures
from cards.topics.lumbar_puncture.decision.red_flags import counts
from cards.topics.lumbar_puncture.explanation.explain_orders import (
    Fact,
    Paragraph,
    tell_codes,
    tell_matches,
    tell_words,
)

_MOST_NAMED = 20  # entries that match nothing, each by name
_STANDINGS = {
    Standing.CURRENT: "current",
    Standing.NOT_RECORDED: "no status, so it counts as current",
    Standing.RESOLVED: "resolved",
    Standing.DONE: "completed",
    Standing.UNFINISHED: "not completed",
}
_UNREAD = {
    "no code": "no code: neither a code nor words to judge by",
    "patient not resolved": "patient not resolved: nothing in the call tells whose it is",
    "not a resource": "not a resource",
}
_DATES = (
    "onset_date_time", "onset_period", "performed_date_time", "performed_period", "performed_string",
    "occurrence_date_time", "occurrence_period", "occurrence_string",
)  # fmt: skip


class ChartExplainer:
    """Explains the entries of one chart."""

    def __init__(self, given: Assessment, topic: Topic) -> None:
        self._given = given
        self._topic = topic
        self._switched_off = load_switched_off(topic)

    def explain(self, entries: Entries, resource_type: str) -> Iterator[Paragraph]:
        """Each entry of this type by its name, with labelled facts; many that match nothing in one line."""
        record = self._given.record
        section = record.conditions if resource_type == "Condition" else record.procedures
        yield f"{resource_type}s: {_section_words(section)}", []
        told: list[tuple[bool, Paragraph]] = []
        patients = [one for one in entries if one and one.resource and one.resource.resource_type == "Patient"]
        for index, entry in enumerate(entries):
            # one at a time by the service's own reader, with the Patients to whom an entry may refer
            alone = Section([entry, *patients])
            read = read_section(alone, resource_type, record.patient_id, self._topic.chart, self._given.today)
            resource = entry.resource if entry else None
            name = f"{resource_type}/{resource.id}" if resource and resource.id else f"{resource_type} [{index}]"
            if read.unread or resource is None:
                told.append((True, (name, [("unread", _UNREAD.get(why, why)) for why in sorted(read.unread)])))
            elif read.seen_count:
                matters, facts = self._tell(resource)
                told.append((matters, (name, facts)))
        plain = sum(not matters for matters, _ in told)
        yield from (paragraph for matters, paragraph in told if matters or plain <= _MOST_NAMED)
        if plain > _MOST_NAMED:
            yield f"{plain} more {resource_type}s, in none of our value sets", []

    def _tell(self, resource: ChartResource) -> tuple[bool, list[Fact]]:
        """Whether a resource is worth a look, and all there is to say of it."""
        concept, today = resource.concept(), self._given.today
        matches = self._topic.chart.match(concept)
        entry = read_chart_entry(resource, matches, today)
        if entry is None:
            roles = [f"none: {_never(resource)}"]
        elif matches:
            roles = tell_roles(entry, self._given, self._topic)
        else:
            off = self._switched_off.match(concept)
            roles = [f"no finding: the kind {match.value_set} is switched off in service.yaml" for match in off]
            denied = sorted(self._topic.chart.mentioned(concept))
            roles += [f"none: its words name {name}, and deny it or mean something else" for name in denied]
        facts = [("words", tell_words([concept])), ("codes", tell_codes([concept]))]
        if entry is not None:
            facts.append(("standing", _standing(entry, resource, today)))
        facts.append(("in", tell_matches(matches) or "none of our value sets"))
        return bool(matches or roles), facts + [("role", role) for role in roles or ["none"]]


def _never(resource: ChartResource) -> str:
    if resource.resource_type == "Condition":
        return "refuted or entered in error"
    status = read_elements(resource, Procedure).status
    return f"not performed (status {status.strip()})" if status else "not performed"


def _section_words(section: SectionRead) -> str:
    if not section.obtained:
        return "could not be had"
    partial = "" if section.complete else ", and there are more"
    unread = f", {section.unread_count} of them not understood" if section.unread_count else ""
    return f"{section.seen_count} in the call{partial}{unread}"


def _standing(entry: ChartEntry, resource: ChartResource, today: date) -> str:
    """ "current; unconfirmed; since 2026-06-24; recorded 2026-07-30"."""
    told = [_STANDINGS[entry.standing]]
    if not entry.confirmed:
        told.append("unconfirmed")
    ahead = ", which lies ahead and is no date"
    if entry.began:
        word = "performed" if entry.resource_type == "Procedure" else "since"
        told.append(f"{word} {entry.began.text}{ahead * (until(entry.began, today) is None)}")
    elif any(getattr(resource, name) is not ABSENT for name in _DATES):
        told.append("a date that could not be read")
    abated = read_elements(resource, Condition).abatement_date_time
    if abated:
        told.append(f"abated {abated}")
    if entry.recorded:
        told.append(f"recorded {entry.recorded.text}{ahead * (until(entry.recorded, today) is None)}")
    return "; ".join(told if len(told) > 1 + (not entry.confirmed) else [*told, "undated"])


def load_switched_off(topic: Topic) -> Terminology:
    """The value sets of the kinds of finding that service.yaml switches off, so that no chart is asked for them."""
    names = [kind.value_set for kind in topic.service.contributors if not kind.enabled]
    terms = VALUE_SETS / "text_terms.yaml"
    words = TextTerms(parse_yaml(terms, read_text(terms), TermsFile), names)
    return Terminology([load_value_set(VALUE_SETS / f"{name}.json") for name in names], words)


def tell_roles(entry: ChartEntry, given: Assessment, topic: Topic) -> list[str]:
    """What part an entry of the chart plays in the decision; empty where it plays none."""
    roles: list[str] = []
    if entry.resource_type == "Procedure":
        roles += _puncture_roles(entry, given, topic)
    else:
        roles += _complaint_roles(entry, given, topic)
        kinds = [kind for kind in topic.service.red_flags if entry.match_in(kind.value_set)]
        roles += [f"red flag, {kind.label}: {_flag_role(entry, kind, given, topic)}" for kind in kinds]
    return [*roles, *_finding_roles(entry, given, topic)]


def _puncture_roles(entry: ChartEntry, given: Assessment, topic: Topic) -> Iterator[str]:
    orders, look_back = topic.service.orders, topic.service.after_puncture.look_back_days
    if not any(entry.match_in(name) for name in (orders.lumbar_puncture, orders.unless_into_a_device)):
        if entry.match_in(orders.near_miss):
            yield "near miss, not a lumbar puncture"
        return
    found = next((one for one in given.punctures.all if one.entry == entry), None)
    if found is not None:
        yield tell_puncture(found, given)
    elif find_punctures(_chart_of(replace(entry, began=None)), topic, given.today).all:
        yield f"lumbar puncture longer ago than the look-back of {look_back} days"
    elif entry.confirmed:
        yield "not a lumbar puncture, for it speaks of a reservoir or a pump"
    else:
        yield "not a lumbar puncture: its words doubt it"


def tell_puncture(puncture: Puncture, given: Assessment) -> str:
    when = f"on {puncture.on.text}, {tell_ago(puncture.on, given.today)}" if puncture.on else "undated"
    if not puncture.completed:
        return f"lumbar puncture, not completed: counts for red flags only; {when}"
    latest = ", the latest" * (puncture == given.punctures.last)
    return f"lumbar puncture in the look-back, {when}{latest}" if puncture.on else "lumbar puncture, undated: counts"


def _complaint_roles(entry: ChartEntry, given: Assessment, topic: Topic) -> Iterator[str]:
    settings = topic.service.after_puncture
    if entry.match_in(settings.pain):
        active = entry in find_pain(given.record, topic)
        yield "back pain, active" if active else "back pain that has abated, so it is no pain"
    if not entry.match_in(settings.nerve_symptom):
        return
    if given.nerve_symptom and entry in given.nerve_symptom.entries:
        yield "nerve symptom since the puncture"
    elif not entry.is_active:
        yield "no nerve symptom: not active"
    elif not given.punctures.completed:
        yield f"no nerve symptom: {no_puncture('completed lumbar puncture', given, topic)}"
    else:
        yield "no nerve symptom: it began before the puncture"


def _flag_role(entry: ChartEntry, kind: RedFlagKind, given: Assessment, topic: Topic) -> str:
    """Whether a red flag counts; if not, what would have to be otherwise."""
    punctures, today = given.punctures, given.today
    if counts(entry, kind, punctures, today):
        return "counts"
    if not entry.is_active:
        return "does not count: not active"
    if not punctures.all:
        return f"does not count: {no_puncture('lumbar puncture', given, topic)}"
    at_any_time = msgspec.structs.replace(kind, within_days=None)
    without_reason = Punctures(
        tuple(replace(one, reason_ids=frozenset(), reason_sets=frozenset()) for one in punctures.all)
    )
    if not counts(entry, at_any_time, without_reason, today):
        return "does not count: it began before the puncture"
    if counts(entry, kind, without_reason, today):
        return "does not count: it is the reason of the puncture"
    if not any(one.on for one in punctures.all):
        return f"does not count: its window of {kind.within_days} days needs the date of the puncture"
    return f"does not count: outside its window of {kind.within_days} days after the puncture"


def _finding_roles(entry: ChartEntry, given: Assessment, topic: Topic) -> Iterator[str]:
    kind = next((kind for kind in topic.service.contributors if kind.enabled and entry.match_in(kind.value_set)), None)
    if kind is None:
        return
    told = next((one for one in given.findings if entry in one.entries), None)
    if told is not None:
        yield f"finding{', serious' * kind.serious}, told as {name_finding(told)}"
    elif find_contributors(_chart_of(entry), topic, given.today):
        yield f"no finding: {kind.label}, not certainly older than the puncture, is the complaint itself"
    elif entry.standing is Standing.UNFINISHED:
        yield f"no finding: {kind.label}, a procedure that was not completed"
    elif find_contributors(_chart_of(current := replace(entry, standing=Standing.CURRENT)), topic, given.today):
        yield f"no finding: {kind.label} is resolved, and heals"
    elif find_contributors(_chart_of(replace(current, began=None, recorded=None)), topic, given.today):
        yield f"no finding: {kind.label}, older than its look-back of {kind.look_back_days} days"
    else:
        yield f"no finding: {kind.label} of the neck only"


def _chart_of(entry: ChartEntry) -> PatientRecord:
    """A chart that holds nothing else, to ask the rule about this one entry."""
    section, nothing = SectionRead((entry,)), SectionRead()
    is_procedure = entry.resource_type == "Procedure"
    return PatientRecord("", nothing if is_procedure else section, section if is_procedure else nothing)


def no_puncture(what: str, given: Assessment, topic: Topic) -> str:
    """That there is none, as far as is known."""
    if not given.record.procedures.obtained:
        return f"no {what} is known: the procedures could not be had"
    return f"no {what} within {topic.service.after_puncture.look_back_days} days"


def name_finding(finding: Finding) -> str:
    return finding.kind.label + ("" if finding.level == UNSPECIFIED else f" ({finding.level})")


def tell_ago(on: DateRange, today: date) -> str:
    return f"{tell_span(days_from(on, exactly(today)))} ago"


def tell_span(days: Days) -> str:
    """ "1 day", "2 to 21 days"."""
    least, most = max(days.least, 0), max(days.most, 0)
    return f"{most} day{'s' * (most != 1)}" if least == most else f"{least} to {most} days"
