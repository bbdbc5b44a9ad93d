"""Lumbar puncture and back pain.

When   an order for a lumbar puncture is placed (order-select: is among the selected ones)
Then   `what-to-expect`: soreness is common, chronic pain described as exceedingly rare, when to seek help, with the
       patient instructions as a suggestion for the order                                       [spineinfo] [nhs-2023]
And    where the chart holds possible contributors to back pain: `confounders`                            [spineinfo]

When   back pain or numbness is worked up (spine imaging, nerve conduction, a referral, any service order for it) and a
       lumbar puncture was completed within the look-back; or another puncture is ordered and a complaint is dated since
Then   `pain-after-puncture`: one of six classes, contributors, what to evaluate, referrals               [spineinfo]
Or     `nerve-symptoms`, where there is numbness and no pain                                              [spineinfo]
       and the contributors are told there, not in a second card
But    a work-up that states another reason, in a chart without complaints, is left in peace

When   a red flag may have come of a puncture
Then   `red-flags`, and nothing else: no reassurance beside it                    [sinclair-2009] [bmj-cauda-equina]

But    an urgent puncture gets `what-to-expect` alone, without suggestions, or `red-flags`, from what came with the
       call: no puncture is delayed
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
from cards.topics.lumbar_puncture.decision.assessment import Assessment, assess
from cards.topics.lumbar_puncture.decision.triage import Triage

_PROCEDURES_NEEDED = (
    "the patient's procedures are needed to judge this order, and could not be had: send them in "
    "prefetch.procedures, or a fhirServer (with fhirAuthorization) that gives them"
)


def decide(found: Triage, record: PatientRecord, topic: Topic, today: date) -> tuple[Card, ...]:
    """The cards, most urgent first, three at most. Raises SectionUnobtainable."""
    assessment = assess(found, record, topic, today)
    cards = _cards(assessment, topic)
    if not cards and not assessment.punctures.completed and not _is_certainly_silent(assessment):
        raise SectionUnobtainable("procedures", _PROCEDURES_NEEDED)
    return tuple(sorted(cards, key=lambda card: INDICATORS.index(card.indicator)))


def _cards(assessment: Assessment, topic: Topic) -> list[Card]:
    if assessment.red_flags:
        return [red_flags(assessment, topic)]
    cards = []
    if assessment.is_pain_told:
        cards.append(pain_after_puncture(assessment, topic))
    if assessment.is_nerve_symptom_told:
        cards.append(nerve_symptoms(assessment, topic))
    if assessment.found.lumbar_punctures:
        cards.append(what_to_expect(assessment, topic))
        if assessment.findings and not assessment.are_contributors_told(topic) and not assessment.found.urgent:
            cards.append(confounders(assessment, topic))
    return cards


def _is_certainly_silent(assessment: Assessment) -> bool:
    """Whether no puncture in what could not be read of the procedures would change that there is nothing to say."""
    procedures, conditions = assessment.record.section("Procedure"), assessment.record.section("Condition")
    if procedures.obtained and procedures.complete:
        return True
    without_complaint = conditions.obtained and conditions.complete and not assessment.complaints
    return assessment.found.explained and without_complaint
