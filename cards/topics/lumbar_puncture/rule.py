"""Lumbar puncture and back pain.

When   an order for a lumbar puncture is placed (order-select: is among the selected ones)
Then   `what-to-expect`: soreness is common, chronic pain described as exceedingly rare, when to seek help, with the
       patient instructions as a suggestion for the order                                       [spineinfo] [nhs-2023]
And    where the chart holds possible contributors to back pain: `confounders`                            [spineinfo]
But    serial punctures without a complaint since the first get neither

When   back pain or numbness is worked up and a lumbar puncture was completed within the look-back; or another puncture
       is ordered and a complaint is new since the last one
Then   `pain-after-puncture`: one of seven classes, contributors, what to evaluate, referrals              [spineinfo]
Or     `nerve-symptoms`, where there is numbness and no pain                                               [spineinfo]
       and the contributors are listed there, not in a second card
But    a work-up that states another reason, where nothing began since the puncture, gets no card

When   a red flag may have come of a puncture
Then   `red-flags`, and nothing else: no reassurance beside it                     [sinclair-2009] [bmj-cauda-equina]

But    an urgent puncture gets `what-to-expect` alone, without suggestions, or `red-flags`, from what came with the
       call: no puncture is delayed
And    a patient under 18 gets `red-flags` or nothing: the rates on the other cards are those of adults
"""

from __future__ import annotations

from datetime import date

from cards.card import Card
from cards.content.service import INDICATORS
from cards.record.patient_record import PatientRecord
from cards.topic import SectionUnobtainable
from cards.topics.lumbar_puncture.card_writing.after_cards import nerve_symptoms, pain_after_puncture, red_flags
from cards.topics.lumbar_puncture.card_writing.before_cards import confounders, what_to_expect
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment, all_kinds, assess
from cards.topics.lumbar_puncture.decision.pain import PainClass
from cards.topics.lumbar_puncture.decision.triage import Basis, Triage

_PROCEDURES_NEEDED = (
    "the patient's procedures are needed to judge this order, and are not available: send them in "
    "prefetch.procedures, or a fhirServer (with fhirAuthorization) that gives them"
)


def decide(triage: Triage, record: PatientRecord, topic: Topic, today: date) -> tuple[Card, ...]:
    """The cards, most urgent first, three at most. Raises SectionUnobtainable (R-2.86)."""
    assessment = assess(triage, record, topic, today)
    cards = _cards(assessment, topic)
    if not cards and needs_procedures(assessment, topic):
        raise SectionUnobtainable("procedures", _PROCEDURES_NEEDED)
    return tuple(sorted(cards, key=lambda card: INDICATORS.index(card.indicator)))


def _cards(assessment: Assessment, topic: Topic) -> list[Card]:
    if assessment.red_flags:
        return [red_flags(assessment, topic)]
    cards = []
    if assessment.shows_pain:
        cards.append(pain_after_puncture(assessment, topic))
    if assessment.shows_nerve_symptom:
        cards.append(nerve_symptoms(assessment, topic))
    if assessment.triage.lumbar_punctures and assessment.why_silent_before is None:
        if not (assessment.shows_pain and assessment.pain.pain_class is PainClass.RULE_OUT_FIRST):
            cards.append(what_to_expect(assessment, topic))
        if assessment.findings and not assessment.lists_contributors(topic) and not assessment.triage.urgent:
            cards.append(confounders(assessment, topic))
    return cards


def needs_procedures(assessment: Assessment, topic: Topic) -> bool:
    """Whether a puncture in what was not read of the procedures could still call for a card on a work-up."""
    procedures, conditions = assessment.record.section("Procedure"), assessment.record.section("Condition")
    if (
        (procedures.obtained and procedures.complete and procedures.unread_count < max(procedures.seen_count, 1))
        or assessment.punctures.completed
        or not assessment.triage.work_ups
    ):
        return False
    bases = {work_up.basis for work_up in assessment.triage.work_ups if not work_up.states_other_reasons}
    if not bases.isdisjoint({Basis.COMPLAINT, Basis.ITSELF}):
        return not assessment.is_child
    if Basis.RED_FLAG in bases and _states_critical_flag(assessment, topic):
        return True
    is_read = conditions.obtained and conditions.complete
    return not (is_read and not any(assessment.problems.of(kind).present for kind in all_kinds(topic)))


def _states_critical_flag(assessment: Assessment, topic: Topic) -> bool:
    critical = {flag.value_set for flag in topic.service.red_flags if flag.indicator == "critical" and not flag.beside}
    return any(not critical.isdisjoint(entry.value_sets) for entry in assessment.triage.words)
