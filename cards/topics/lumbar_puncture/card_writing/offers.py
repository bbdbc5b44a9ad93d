"""What the cards of what followed a puncture offer: a referral, and the client's own draft made STAT."""

from __future__ import annotations

from cards.card import Action, Suggestion
from cards.fhir.draft_orders import condition_id
from cards.fhir.draft_update import with_priority
from cards.fhir.referral import draft_referral
from cards.topics.lumbar_puncture.card_writing.complaint_words import first_complaint
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment


def stat_update(assessment: Assessment, topic: Topic) -> tuple[Suggestion, ...]:
    """One suggestion that makes every work-up of the session STAT: the client's own drafts, only their priority new."""
    text = topic.texts["stat"].head
    orders = [work_up.order for work_up in assessment.triage.work_ups if work_up.order.priority != "stat"]
    updates = [with_priority(order, "stat") for order in orders]
    actions = tuple(Action("update", text["action"], update) for update in updates if update is not None)
    return (Suggestion("stat-update", text["suggestion"], actions),) if actions else ()


def referrals(assessment: Assessment, topic: Topic) -> tuple[Suggestion, ...]:
    """A draft referral for each specialty that the session does not hold yet; the clinician picks at most one."""
    text, triage = topic.texts["referral"].head, assessment.triage
    complaint = first_complaint(assessment)
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
