"""What part an entry of the chart plays in the decision of this topic, in plain English.

It calls the functions of the decision and reads their results. Where they only say no, it calls them again with one
thing changed, to say what was in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import msgspec

from cards.fhir.dates import DateRange, Days, days_from, exactly
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord, SectionRead
from cards.terminology.value_set import Terminology
from cards.topic_content import load_terminology, load_text_terms
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import Finding, find_contributors
from cards.topics.lumbar_puncture.decision.pain import find_pain
from cards.topics.lumbar_puncture.decision.punctures import Puncture, Punctures, find_punctures
from cards.topics.lumbar_puncture.decision.red_flags import counts
from cards.topics.lumbar_puncture.settings import UNSPECIFIED, RedFlagKind


def load_switched_off(topic: Topic) -> Terminology:
    """The value sets of the kinds of finding that service.yaml switches off, with which no chart is compared."""
    names = [kind.value_set for kind in topic.service.contributors if not kind.enabled]
    return load_terminology(topic.files, names, load_text_terms(topic.files), {})


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
    """A chart with no other entry, to try the decision with this one alone."""
    return PatientRecord(
        "", {"Condition": SectionRead(), "Procedure": SectionRead()} | {entry.resource_type: SectionRead((entry,))}
    )


def no_puncture(what: str, given: Assessment, topic: Topic) -> str:
    """That there is none, as far as is known."""
    if not given.record.section("Procedure").obtained:
        return f"no {what} is known: the procedures could not be read"
    return f"no {what} within {topic.service.after_puncture.look_back_days} days"


def name_finding(finding: Finding) -> str:
    return finding.kind.label + ("" if finding.level == UNSPECIFIED else f" ({finding.level})")


def tell_ago(on: DateRange, today: date) -> str:
    return f"{tell_span(days_from(on, exactly(today)))} ago"


def tell_span(days: Days) -> str:
    """ "1 day", "2 to 21 days"."""
    least, most = max(days.least, 0), max(days.most, 0)
    return f"{most} day{'s' * (most != 1)}" if least == most else f"{least} to {most} days"
