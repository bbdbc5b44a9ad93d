"""The cards of what followed a lumbar puncture: pain, nerve symptoms, red flags."""

from __future__ import annotations

from collections.abc import Sequence

from cards.card import Action, Card, Provenance, Suggestion
from cards.content.texts import Citations, Markdown, fill_plain
from cards.fhir.draft_orders import condition_id
from cards.fhir.draft_update import with_priority
from cards.fhir.referral import draft_referral
from cards.record.chart_entry import ChartEntry
from cards.topics.lumbar_puncture.card_writing.finding_words import (
    list_findings,
    tell_contributors,
    trace_findings,
    with_findings,
)
from cards.topics.lumbar_puncture.card_writing.timeline import days_since_puncture, tell_timeline
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import Finding, split_serious
from cards.topics.lumbar_puncture.decision.pain import WhyUnknown
from cards.writing.card_parts import card_links, make_card
from cards.writing.provenance import trace
from cards.writing.wording import describe_entries, not_read, summary_naming

_UNKNOWN_SUMMARIES = {
    WhyUnknown.CONDITIONS_NOT_READ: "summary-conditions-not-read",
    WhyUnknown.NO_PAIN: "summary-no-pain",
    WhyUnknown.PUNCTURE_MISSING: "summary-puncture",
    WhyUnknown.PUNCTURE_IMPRECISE: "summary-puncture",
    WhyUnknown.ONSET_MISSING: "summary-onset",
    WhyUnknown.ONSET_IMPRECISE: "summary-onset",
}


def pain_after_puncture(assessment: Assessment, topic: Topic) -> Card:
    """How back pain stands to the puncture, what else may explain it, what to evaluate, and referrals."""
    pain, citations = assessment.pain, Citations()
    text = topic.texts[f"pain-class-{pain.pain_class}"]
    key = _UNKNOWN_SUMMARIES[pain.why_unknown[0]] if pain.why_unknown else "summary"
    settings = topic.service.after_puncture.classes[pain.pain_class]
    numbers = _numbers(assessment, topic) | {"escalator": _first_escalator(assessment)}
    lasting = assessment.is_nerve_symptom_lasting
    findings = assessment.findings if settings.contributors else split_serious(assessment.findings)[1]
    values = {  # in the order of the card, in which the evidence is numbered
        "assessment": text.body(numbers, citations),
        "unknown": _what_is_unknown(assessment, topic),
        "baseline": _baseline(assessment, citations, topic),
        **_common(assessment, [pain.entry] if pain.entry else [], findings, citations, topic),
        "nerve": _nerve_irritation(assessment, citations, topic),
    }
    return make_card(
        "pain-after-puncture",
        with_findings(fill_plain(text.head[key], numbers), _explaining(findings), topic),
        values,
        topic,
        citations=citations,
        indicator="warning" if lasting else settings.indicator,
        links=card_links("pain-after-puncture", _links_of(findings), assessment.record, topic),
        suggestions=_referrals(assessment, topic)
        if (settings.refer and assessment.is_complaint_known) or lasting
        else (),
        provenance=_provenance(assessment, findings, topic),
        classification=pain.pain_class,
    )


def nerve_symptoms(assessment: Assessment, topic: Topic) -> Card:
    """Numbness or tingling since the puncture, where there is no pain."""
    citations = Citations()
    lasting = assessment.is_nerve_symptom_lasting
    numbers = _numbers(assessment, topic)
    head = topic.texts["nerve-symptoms"].head
    values = {  # as above
        "nerve": _nerve_irritation(assessment, citations, topic),
        **_common(assessment, [], assessment.findings, citations, topic),
    }
    return make_card(
        "nerve-symptoms",
        with_findings(fill_plain(head[_nerve_summary(assessment)], numbers), assessment.findings, topic),
        values,
        topic,
        citations=citations,
        indicator="warning" if lasting else None,
        links=card_links("nerve-symptoms", _links_of(assessment.findings), assessment.record, topic),
        suggestions=_referrals(assessment, topic) if lasting else (),
        provenance=_provenance(assessment, assessment.findings, topic),
    )


def red_flags(assessment: Assessment, topic: Topic) -> Card:
    """What must not be explained away. It stands alone: nothing in the same answer reassures."""
    flags = assessment.red_flags
    _, serious = split_serious(assessment.findings)
    values = {
        "flags": Markdown(
            "\n".join(f"- {describe_entries(one.kind.label, one.entries, one.kind.value_set, topic)}" for one in flags)
        ),
        "timeline": tell_timeline(assessment, [one.entries[0] for one in flags], topic),
        "serious": list_findings(serious, topic),
        "not_read": not_read(assessment.record, topic),
    }
    template = topic.texts["red-flags"].head["summary"]
    traced = (one for flag in flags for one in trace("red-flag", flag.entries, flag.kind.value_set, topic))
    return make_card(
        "red-flags",
        summary_naming(template, [flag.kind.label for flag in flags], topic),
        values,
        topic,
        citations=Citations(),
        indicator=flags[0].kind.indicator,
        suggestions=_stat_update(assessment, topic) if flags[0].kind.indicator == "critical" else (),
        provenance=(*_trace_punctures(assessment, topic), *traced, *trace_findings(serious, topic)),
    )


def _common(
    assessment: Assessment,
    complaints: list[ChartEntry],
    findings: Sequence[Finding],
    citations: Citations,
    topic: Topic,
) -> dict[str, str]:
    nerve = [assessment.nerve_symptom.entries[0]] if assessment.nerve_symptom else []
    contributors, serious = split_serious(findings)
    return {
        "timeline": tell_timeline(assessment, complaints + nerve, topic),
        "contributors": tell_contributors(contributors, citations, topic),
        "serious": list_findings(serious, topic),
        "not_read": not_read(assessment.record, topic),
    }


def _baseline(assessment: Assessment, citations: Citations, topic: Topic) -> str:
    """The pain that was known before the puncture, where there is new pain beside it."""
    pain = assessment.pain
    if not pain.baseline or pain.evidence in pain.baseline:
        return ""
    label = topic.service.after_puncture.pain_label
    entries = [source.entry for source in pain.baseline]
    line = describe_entries(label, entries, _complaint_of(entries[0], topic), topic)
    return topic.texts["baseline"].body({"baseline": Markdown(f"- {line}")}, citations)


def _first_escalator(assessment: Assessment) -> str:
    return assessment.escalators[0].label if assessment.escalators else ""


def _nerve_summary(assessment: Assessment) -> str:
    """The line of the head of nerve-symptoms that fits how long the numbness has lasted, and when it began."""
    nerve = assessment.nerve_symptom
    if nerve is not None and nerve.began_late:
        return "summary-late"
    return "summary-lasting" if assessment.is_nerve_symptom_lasting else "summary"


def _stat_update(assessment: Assessment, topic: Topic) -> tuple[Suggestion, ...]:
    """One suggestion that makes every work-up of the session STAT: the client's own drafts, only their priority new."""
    text = topic.texts["stat"].head
    orders = [work_up.order for work_up in assessment.triage.work_ups if work_up.order.priority != "stat"]
    updates = [with_priority(order, "stat") for order in orders]
    actions = tuple(Action("update", text["action"], update) for update in updates if update is not None)
    return (Suggestion("stat-update", text["suggestion"], actions),) if actions else ()


def _explaining(findings: Sequence[Finding]) -> list[Finding]:
    """What a summary names: the serious first, and no complaint of old, for back pain does not explain back pain."""
    told = [finding for finding in findings if not finding.kind.complaint]
    return sorted(told, key=lambda finding: not finding.kind.serious)


def _links_of(findings: Sequence[Finding]) -> list[str | None]:
    return [one.kind.link for one in split_serious(findings)[0]]


def _numbers(assessment: Assessment, topic: Topic) -> dict[str, str]:
    settings = topic.service.after_puncture
    return {
        "days": days_since_puncture(assessment, topic),
        "expected_days": str(settings.expected_days),
        "late_onset_days": str(settings.late_onset_days),
        "chronic_days": str(settings.chronic_days),
        "nerve_days": str(settings.nerve_symptom_warning_days),
    }


def _what_is_unknown(assessment: Assessment, topic: Topic) -> Markdown:
    pain, on = assessment.pain, assessment.punctures.last_on
    dates = {"onset": pain.onset.text if pain.onset else "", "puncture": on.text if on else ""}
    return Markdown("\n\n".join(fill_plain(topic.phrases.unknown[why], dates) for why in pain.why_unknown))


def _nerve_irritation(assessment: Assessment, citations: Citations, topic: Topic) -> str:
    nerve = assessment.nerve_symptom
    if nerve is None:
        return ""
    label = topic.service.after_puncture.nerve_symptom_label
    value_set = _complaint_of(nerve.entries[0], topic)
    symptoms = Markdown(f"- {describe_entries(label, nerve.entries, value_set, topic)}")
    return topic.texts["nerve-irritation"].body(_numbers(assessment, topic) | {"symptoms": symptoms}, citations)


def _referrals(assessment: Assessment, topic: Topic) -> tuple[Suggestion, ...]:
    """A draft referral for each specialty that the session does not hold yet; the clinician picks at most one."""
    text = topic.texts["referral"].head
    triage, nerve = assessment.triage, assessment.nerve_symptom
    complaint = assessment.pain.entry or (nerve.entries[0] if nerve else None)
    is_condition = complaint is not None and complaint.resource_type == "Condition"
    shown_by = condition_id(f"Condition/{complaint.id}") if complaint and is_condition else None  # only a valid id
    return tuple(
        Suggestion(
            f"refer-{name}",
            text[f"suggestion-{name}"],
            (
                Action(
                    "create",
                    text[f"action-{name}"],
                    draft_referral(
                        triage.fhir_version,
                        assessment.record.patient_id,
                        referral.code,
                        text["reason"],
                        shown_by,
                    ),
                ),
            ),
        )
        for name, referral in topic.service.after_puncture.referrals.items()
        if referral.value_set not in triage.ordered
    )


def _trace_punctures(assessment: Assessment, topic: Topic) -> tuple[Provenance, ...]:
    orders = topic.service.orders
    return tuple(
        one
        for puncture in assessment.punctures.all[: 1 + topic.service.settings.most_entries_named]
        for value_set in (orders.lumbar_puncture, orders.abbreviation, orders.unless_into_a_device)
        if puncture.entry.match_in(value_set)
        for one in trace("puncture", [puncture.entry], value_set, topic)
    )


def _complaint_of(entry: ChartEntry, topic: Topic) -> str:
    """The first value set of complaints that an entry belongs to."""
    return next(name for name in topic.service.complaints.value_sets if name in entry.value_sets)


def _provenance(assessment: Assessment, findings: Sequence[Finding], topic: Topic) -> tuple[Provenance, ...]:
    pain, nerve = assessment.pain.entry, assessment.nerve_symptom
    entries = [*([pain] if pain else []), *(nerve.entries if nerve else ())]
    complaints = (line for entry in entries for line in trace("complaint", [entry], _complaint_of(entry, topic), topic))
    return (*_trace_punctures(assessment, topic), *complaints, *trace_findings(findings, topic))
