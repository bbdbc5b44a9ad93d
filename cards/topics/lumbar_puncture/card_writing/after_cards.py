"""The cards of what followed a lumbar puncture: pain, nerve symptoms, red flags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cards.card import Card, Provenance
from cards.content.texts import Text, fill
from cards.fhir.draft_orders import DraftOrder
from cards.record.chart_entry import ChartEntry
from cards.topics.lumbar_puncture.card_writing.complaint_words import (
    describe_flags,
    describe_nerve_symptom,
    describe_pain,
    numbers,
)
from cards.topics.lumbar_puncture.card_writing.finding_words import links_about, list_findings, trace_findings
from cards.topics.lumbar_puncture.card_writing.offers import referrals, stat_update
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import Finding, split_serious
from cards.topics.lumbar_puncture.decision.pain import WhyUnknown
from cards.topics.lumbar_puncture.decision.red_flags import RedFlag
from cards.writing.card_parts import evidence_links, make_card
from cards.writing.provenance import trace
from cards.writing.wording import not_checked, summary_naming

_UNKNOWN_SUMMARIES = {
    WhyUnknown.CONDITIONS_NOT_READ: "summary-conditions-not-read",
    WhyUnknown.NO_PAIN: "summary-no-pain",
    WhyUnknown.PUNCTURE_MISSING: "summary-puncture",
    WhyUnknown.PUNCTURE_IMPRECISE: "summary-puncture",
    WhyUnknown.ONSET_MISSING: "summary-onset",
    WhyUnknown.ONSET_IMPRECISE: "summary-onset",
}


def pain_after_puncture(assessment: Assessment, topic: Topic) -> Card:
    """What back pain after a puncture may be, what to do, what else may explain it, and referrals."""
    pain, lasting = assessment.pain, assessment.is_nerve_symptom_lasting
    text = topic.texts[f"pain-class-{pain.pain_class}"]
    key = _UNKNOWN_SUMMARIES[pain.why_unknown[0]] if pain.why_unknown else "summary"
    settings = topic.service.after_puncture.classes[pain.pain_class]
    findings = assessment.findings if settings.contributors else split_serious(assessment.findings)[1]
    complaints = [*describe_pain(assessment, topic), *describe_nerve_symptom(assessment, topic)]
    is_said = ("conditions",) if WhyUnknown.CONDITIONS_NOT_READ in pain.why_unknown else ()
    is_referred = (settings.refer and assessment.is_complaint_known) or lasting
    return make_card(
        "pain-after-puncture",
        fill(text.head[key], numbers(assessment, topic)),
        topic,
        actions=[text, *([topic.texts["nerve-beside-pain"]] if assessment.nerve_symptom else [])],
        findings=list_findings(complaints, _without_pain(findings, assessment), topic, assessment.today),
        not_checked=not_checked(assessment.record, topic, except_for=is_said),
        source=settings.source,
        indicator="warning" if lasting else settings.indicator,
        links=links_about("pain-after-puncture", findings, assessment, topic),
        suggestions=referrals(assessment, topic) if is_referred else (),
        provenance=_provenance(assessment, findings, topic),
        classification=pain.pain_class,
        orders=_orders_about(assessment),
    )


def nerve_symptoms(assessment: Assessment, topic: Topic) -> Card:
    """Numbness or tingling since the puncture, where there is no pain."""
    lasting, findings = assessment.is_nerve_symptom_lasting, assessment.findings
    text = topic.texts[f"nerve-class-{_nerve_class(assessment)}"]
    return make_card(
        "nerve-symptoms",
        fill(text.head["summary"], numbers(assessment, topic)),
        topic,
        actions=[text],
        findings=list_findings([*describe_nerve_symptom(assessment, topic)], findings, topic, assessment.today),
        not_checked=not_checked(assessment.record, topic),
        indicator="warning" if lasting else None,
        links=links_about("nerve-symptoms", findings, assessment, topic),
        suggestions=referrals(assessment, topic) if lasting else (),
        provenance=_provenance(assessment, findings, topic),
        orders=_orders_about(assessment),
    )


def red_flags(assessment: Assessment, topic: Topic) -> Card:
    """What must not be explained away. It stands alone: nothing in the same answer reassures."""
    flags, first = assessment.red_flags, assessment.red_flags[0].kind
    _, serious = split_serious(assessment.findings)
    ask = topic.texts["red-flags-child" if assessment.is_child else "red-flags"]
    is_critical = first.indicator == "critical"
    summary = topic.texts["red-flags"].head["summary-critical" if is_critical else "summary-warning"]
    filled = fill(summary, numbers(assessment, topic) | {"what": first.suspect, "findings": "{findings}"})
    sources = [key for flag in flags for key in topic.service.red_flag_actions[flag.kind.action].sources]
    traced = (one for flag in flags for one in trace("red-flag", flag.entries, flag.kind.value_set, topic))
    return make_card(
        "red-flags",
        summary_naming(filled, [flag.kind.label for flag in flags], topic),
        topic,
        actions=[*_actions(flags, topic), ask],
        findings=list_findings([*describe_flags(assessment, topic)], serious, topic, assessment.today),
        not_checked=not_checked(assessment.record, topic),
        source=sources[0],
        indicator=first.indicator,
        links=evidence_links(sources, topic),
        suggestions=stat_update(assessment, topic) if is_critical else (),
        provenance=(*_trace_punctures(assessment, topic), *traced, *trace_findings(serious, topic)),
        orders=assessment.triage.orders,
    )


def _orders_about(assessment: Assessment) -> Sequence[DraftOrder]:
    """The orders that work up what followed a puncture; where there are none, the next puncture."""
    triage = assessment.triage
    return [work_up.order for work_up in triage.work_ups] or triage.lumbar_punctures


def _actions(flags: Sequence[RedFlag], topic: Topic) -> Iterator[Text]:
    """What to do about these flags, each once; what another asks for more urgently is left out."""
    kinds = dict.fromkeys(flag.kind.action for flag in flags)
    for action in kinds:
        if topic.service.red_flag_actions[action].part_of not in kinds:
            yield topic.texts[f"red-flag-{action}"]


def _without_pain(findings: Sequence[Finding], assessment: Assessment) -> list[Finding]:
    """Without the complaints that are listed as the pain or its baseline already."""
    pain = assessment.pain
    listed = {id(source.entry) for source in (pain.evidence, *pain.baseline) if source is not None}
    return [
        finding
        for finding in findings
        if not finding.kind.complaint or listed.isdisjoint(id(entry) for entry in finding.entries)
    ]


def _nerve_class(assessment: Assessment) -> str:
    """The text that fits when the numbness began and how long it has lasted."""
    nerve = assessment.nerve_symptom
    if nerve is not None and nerve.began_late:
        return "late"
    return "lasting" if assessment.is_nerve_symptom_lasting else "usual"


def _trace_punctures(assessment: Assessment, topic: Topic) -> tuple[Provenance, ...]:
    return tuple(
        one
        for puncture in assessment.punctures.all[: 1 + topic.service.settings.most_entries_named]
        for value_set in topic.service.orders.recorded_punctures
        if puncture.entry.match_in(value_set)
        for one in trace("puncture", [puncture.entry], value_set, topic)
    )


def _complaint_of(entry: ChartEntry, topic: Topic) -> str:
    """The first value set of complaints that an entry belongs to."""
    complaints = topic.service.complaints
    return next(name for name in (*complaints.value_sets, *complaints.pain_after) if name in entry.value_sets)


def _provenance(assessment: Assessment, findings: Sequence[Finding], topic: Topic) -> tuple[Provenance, ...]:
    pain, nerve = assessment.pain.entry, assessment.nerve_symptom
    entries = [*([pain] if pain else []), *(nerve.entries if nerve else ())]
    complaints = (line for entry in entries for line in trace("complaint", [entry], _complaint_of(entry, topic), topic))
    return (*_trace_punctures(assessment, topic), *complaints, *trace_findings(findings, topic))
