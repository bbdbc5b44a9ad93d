"""What part an entry of the chart plays in the decision of this topic, in plain English.

It reads what the decision says of problems, punctures and red flags. Where a finding is left out, it tries the rule
again with one thing changed, to say what was in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import lru_cache

from cards.content.topic_files import TopicFiles
from cards.fhir.dates import DateRange, Days, days_from, exactly
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord, SectionRead
from cards.record.problem import Evidence, Problem
from cards.terminology.value_set_index import Terminology
from cards.topic_content import load_terminology, load_words
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import Finding, find_contributors
from cards.topics.lumbar_puncture.decision.punctures import Puncture, find_punctures
from cards.topics.lumbar_puncture.decision.red_flags import Ruling
from cards.topics.lumbar_puncture.settings import UNSPECIFIED, RedFlagKind


def load_switched_off(topic: Topic) -> Terminology:
    """The value sets of the kinds of finding that service.yaml switches off, with which no chart is compared."""
    return _load(topic.files, tuple(kind.value_set for kind in topic.service.contributors if not kind.enabled))


@lru_cache(maxsize=1)
def _load(files: TopicFiles, names: tuple[str, ...]) -> Terminology:
    return load_terminology(files, names, load_words(files), {})


def describe_roles(entry: ChartEntry, assessment: Assessment, topic: Topic) -> list[str]:
    """What part an entry of the chart plays in the decision; empty where it plays none."""
    roles: list[str] = []
    if entry.resource_type == "Procedure":
        roles += _puncture_roles(entry, assessment, topic)
    else:
        roles += _complaint_roles(entry, assessment, topic)
        roles += _flag_roles(entry, assessment, topic)
        roles += _other_roles(entry, topic)
    return [*roles, *_finding_roles(entry, assessment, topic)]


def _puncture_roles(entry: ChartEntry, assessment: Assessment, topic: Topic) -> Iterator[str]:
    orders, look_back = topic.service.orders, topic.service.after_puncture.look_back_days
    if not any(entry.match_in(name) for name in orders.recorded_punctures):
        if entry.match_in(orders.near_miss):
            yield "a similar procedure, not a lumbar puncture"
        return
    puncture = next((known for known in assessment.punctures.all if known.entry == entry), None)
    if puncture is not None:
        yield describe_puncture(puncture, assessment)
    elif entry.standing is Standing.NOT_DONE:
        yield "a lumbar puncture that was not done, and no words say that it was tried"
    elif find_punctures(_chart_of(replace(entry, began=None)), None, topic, assessment.today).all:
        yield f"lumbar puncture longer ago than the look-back of {look_back} days"
    elif entry.confirmed:
        yield "not a lumbar puncture, because it names a reservoir or a pump"
    else:
        yield "not a lumbar puncture: its words doubt it"


def describe_puncture(puncture: Puncture, assessment: Assessment) -> str:
    """ "lumbar puncture in the look-back, on 2026-11-10, 20 days ago, the latest"."""
    when = f"on {puncture.on.text}, {ago(puncture.on, assessment.today)}" if puncture.on else "undated"
    if not puncture.completed:
        return f"lumbar puncture, not completed: counts for red flags only; {when}"
    latest = ", the latest" * (puncture == assessment.punctures.last)
    return f"lumbar puncture in the look-back, {when}{latest}" if puncture.on else "lumbar puncture, undated: counts"


def _complaint_roles(entry: ChartEntry, assessment: Assessment, topic: Topic) -> Iterator[str]:
    complaints = topic.service.complaints
    for name, value_sets in (("pain", complaints.pain), ("nerve symptom", complaints.nerve_symptom)):
        if not entry.value_sets.isdisjoint(value_sets):
            yield f"{name}: {_standing(entry, assessment.problems.of(*value_sets), assessment)}"


def _flag_roles(entry: ChartEntry, assessment: Assessment, topic: Topic) -> Iterator[str]:
    for kind in topic.service.red_flags:
        if entry.match_in(kind.value_set):
            standing = _standing(entry, assessment.problems.of(kind.value_set), assessment)
            yield f"red flag, {kind.label} ({kind.indicator}): {describe_ruling(kind, assessment)}; {standing}"


def describe_ruling(kind: RedFlagKind, assessment: Assessment) -> str:
    """Whether a kind of red flag counts, and if not, why, with the limits that were compared."""
    punctures = assessment.punctures.all
    if not punctures:
        return "does not count: no lumbar puncture within the look-back is known"
    rulings = [assessment.flag_rule.judge(kind, puncture)[0] for puncture in punctures]
    ruling = Ruling.COUNTS if Ruling.COUNTS in rulings else rulings[0]
    if ruling is Ruling.COUNTS:
        return "counts"
    limits = {
        Ruling.OUTSIDE_WINDOW: f" (day {kind.from_day} to {kind.within_days})",
        Ruling.LONG_AGO: f" ({kind.present_days} days)",
        Ruling.ALONE: f" ({', '.join(kind.beside)})",
    }
    return f"does not count: {ruling}{limits.get(ruling, '')}"


def _standing(entry: ChartEntry, problem: Problem, assessment: Assessment) -> str:
    """How the evidence of an entry stands to the latest puncture, with both dates."""
    source = next((evidence for evidence in problem.evidence if evidence.entry is entry), None)
    source = source or next((evidence for evidence in problem.evidence if evidence.entry == entry), None)
    if source is None:
        return "not compared"
    return describe_evidence(source, problem, assessment)


def describe_evidence(source: Evidence, problem: Problem, assessment: Assessment) -> str:
    """ "known before: recorded 2024-11, lumbar puncture 2026-11-10"."""
    on = assessment.punctures.last_on
    if source.is_over:
        return "over, or history"
    if on is None:
        return "present; no lumbar puncture with a date to compare with"
    date_words = f"began {source.began.text}" if source.began else "no date"
    if source.began is None and source.recorded is not None:
        date_words = "the reason of an order at hand" if source.is_order else f"recorded {source.recorded.text}"
    compared = f"{date_words}, lumbar puncture {on.text}"
    if source in problem.new_since(on):
        return f"new since: {compared}"
    if source in problem.known_before(on):
        return f"known before: {compared}"
    if source in problem.may_be_new_since(on):
        return f"present; the dates do not decide: {compared}"
    return f"repeats an older problem: {compared}"


def _other_roles(entry: ChartEntry, topic: Topic) -> Iterator[str]:
    """What makes pain weigh more, and what a puncture is done to find."""
    service = topic.service
    yield from (f"escalator: {risk.label}" for risk in service.escalators.risks if entry.match_in(risk.value_set))
    for disease in service.lp_finds.diseases:
        if entry.match_in(disease.value_set):
            explains = ", ".join(disease.explains) or "nothing else"
            yield f"a disease that a lumbar puncture is done to find; near one it explains {explains}"


def _finding_roles(entry: ChartEntry, assessment: Assessment, topic: Topic) -> Iterator[str]:
    kind = next((kind for kind in topic.service.contributors if kind.enabled and entry.match_in(kind.value_set)), None)
    if kind is None:
        return
    finding = next((listed for listed in assessment.findings if entry in listed.entries), None)
    if finding is not None:
        yield f"finding{', serious' * kind.serious}, listed as {name_finding(finding)}"
    elif find_contributors(_chart_of(entry), topic, assessment.today):
        yield f"no finding: {kind.label}, not certainly older than the puncture, is the complaint itself"
    elif entry.standing in (Standing.UNFINISHED, Standing.NOT_DONE):
        yield f"no finding: {kind.label}, a procedure that was not completed"
    elif find_contributors(_chart_of(current := replace(entry, standing=Standing.CURRENT)), topic, assessment.today):
        yield f"no finding: {kind.label} is resolved, and heals"
    elif find_contributors(_chart_of(replace(current, began=None, recorded=None)), topic, assessment.today):
        yield f"no finding: {kind.label}, older than its look-back of {kind.look_back_days} days"
    else:
        yield f"no finding: {kind.label} of the neck only"


def _chart_of(entry: ChartEntry) -> PatientRecord:
    """A chart with no other entry, to try the decision with this one alone."""
    return PatientRecord(
        "", {"Condition": SectionRead(), "Procedure": SectionRead()} | {entry.resource_type: SectionRead((entry,))}
    )


def no_puncture(what: str, assessment: Assessment, topic: Topic) -> str:
    """That there is none, as far as is known."""
    if not assessment.record.section("Procedure").obtained:
        return f"no {what} is known: the procedures could not be read"
    return f"no {what} within {topic.service.after_puncture.look_back_days} days"


def name_finding(finding: Finding) -> str:
    """ "spinal stenosis (lumbar)"."""
    return finding.kind.label + ("" if finding.level == UNSPECIFIED else f" ({finding.level})")


def ago(on: DateRange, today: date) -> str:
    """ "20 days ago"."""
    return f"{span(days_from(on, exactly(today)))} ago"


def span(days: Days) -> str:
    """ "1 day", "2 to 21 days"."""
    least, most = max(days.least, 0), max(days.most, 0)
    return f"{most} day{'s' * (most != 1)}" if least == most else f"{least} to {most} days"
