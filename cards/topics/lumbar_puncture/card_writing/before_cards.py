"""The cards of an order for a lumbar puncture."""

from __future__ import annotations

from cards.card import Action, Card, Suggestion
from cards.content.texts import Citations
from cards.fhir.draft_update import with_patient_instruction
from cards.topics.lumbar_puncture.card_writing.finding_words import (
    list_findings,
    summary_with,
    tell_contributors,
    trace_findings,
)
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment
from cards.topics.lumbar_puncture.decision.findings import split_serious
from cards.writing.card_parts import card_links, make_card
from cards.writing.wording import not_read


def what_to_expect(assessment: Assessment, topic: Topic) -> Card:
    """What is common, what is rare, when to seek help."""
    found, record = assessment.found, assessment.record
    summary = topic.texts["what-to-expect"].head[
        "summary" if record.section("Condition").obtained else "summary-not-checked"
    ]
    return make_card(
        "what-to-expect",
        summary,
        {"not_read": not_read(record, topic)},
        topic,
        citations=Citations(),
        links=card_links("what-to-expect", (), record, topic),
        suggestions=() if found.urgent else _patient_instruction(assessment, topic),
    )


def confounders(assessment: Assessment, topic: Topic) -> Card:
    """What in this chart may contribute to back pain, and what needs evaluation in its own right."""
    findings, citations = assessment.findings, Citations()
    contributors, serious = split_serious(findings)
    head = topic.texts["confounders"].head
    template = head["summary-both" if contributors else "summary-serious"] if serious else head["summary"]
    values = {
        "contributors": tell_contributors(contributors, citations, topic),
        "serious": list_findings(serious, topic),
        "not_read": not_read(assessment.record, topic),
    }
    return make_card(
        "confounders",
        summary_with(template, serious or contributors, topic),
        values,
        topic,
        citations=citations,
        links=card_links("confounders", [one.kind.link for one in contributors], assessment.record, topic),
        provenance=trace_findings(findings, topic),
    )


def _patient_instruction(assessment: Assessment, topic: Topic) -> tuple[Suggestion, ...]:
    """One suggestion that updates every lumbar puncture order which does not hold the instruction yet."""
    text = topic.texts["patient-instruction"]
    updates = [with_patient_instruction(one, text.plain_body) for one in assessment.found.lumbar_punctures]
    actions = tuple(Action("update", text.head["action"], update) for update in updates if update is not None)
    return (Suggestion("patient-instruction", text.head["suggestion"], actions),) if actions else ()
