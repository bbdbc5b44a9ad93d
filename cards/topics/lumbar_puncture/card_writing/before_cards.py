"""The cards of an order for a lumbar puncture."""

from __future__ import annotations

from cards.card import Action, Card, Suggestion
from cards.content.texts import fill
from cards.fhir.draft_update import with_patient_instruction
from cards.topics.lumbar_puncture.card_writing.finding_words import (
    links_about,
    list_findings,
    summary_with,
    trace_findings,
)
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import split_serious
from cards.writing.card_parts import card_links, make_card
from cards.writing.wording import capitalize, not_checked


def what_to_expect(assessment: Assessment, topic: Topic) -> Card:
    """What is common, what is rare, when to seek help; and a risk of bleeding."""
    triage, record = assessment.triage, assessment.record
    text, is_read = topic.texts["what-to-expect"], record.section("Condition").obtained
    risks = [escalator.label for escalator in assessment.escalators if escalator.is_bleeding_risk]
    bleeding = topic.texts["bleeding-risk"]
    return make_card(
        "what-to-expect",
        text.head["summary" if is_read else "summary-not-checked"],
        topic,
        actions=[text],
        findings=[capitalize(fill(bleeding.body.removeprefix("- "), {"risk": risk})) for risk in risks[:1]],
        not_checked=not_checked(record, topic, except_for=() if is_read else ("conditions",)),
        also_cited=[bleeding] if risks else (),
        links=card_links("what-to-expect", (), record, topic),
        suggestions=() if triage.urgent else _patient_instruction(assessment, topic),
        orders=triage.lumbar_punctures,
    )


def confounders(assessment: Assessment, topic: Topic) -> Card:
    """What in this chart may contribute to back pain, and what needs evaluation on its own."""
    findings, text = assessment.findings, topic.texts["confounders"]
    contributors, serious = split_serious(findings)
    named = serious or [finding for finding in contributors if not finding.kind.complaint]
    key = "summary-serious" if serious else "summary" if named else "summary-baseline"
    return make_card(
        "confounders",
        summary_with(text.head[key], named, topic) if named else text.head[key],
        topic,
        actions=[text, *([topic.texts["contributors"]] if contributors else [])],
        findings=list_findings((), findings, topic, assessment.today),
        not_checked=not_checked(assessment.record, topic),
        links=links_about("confounders", findings, assessment, topic),
        provenance=trace_findings(findings, topic),
        orders=assessment.triage.lumbar_punctures,
    )


def _patient_instruction(assessment: Assessment, topic: Topic) -> tuple[Suggestion, ...]:
    """One suggestion that updates every lumbar puncture order which does not hold the instruction yet."""
    text = topic.texts["patient-instruction"]
    updates = [with_patient_instruction(order, text.body) for order in assessment.triage.lumbar_punctures]
    actions = tuple(Action("update", text.head["action"], update) for update in updates if update is not None)
    return (Suggestion("patient-instruction", text.head["suggestion"], actions),) if actions else ()
