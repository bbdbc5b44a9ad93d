"""What an order is to this topic, in plain English: which rule decided, and by which codes or words."""

from __future__ import annotations

from collections.abc import Mapping

from cards.explanation.words import list_matches
from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.terminology.match import Match
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.order_words import OrderReading, read_words
from cards.topics.lumbar_puncture.decision.triage import (
    ABOUT,
    Basis,
    find_work_up,
    is_lumbar_puncture,
    is_task,
    reasons_to_look_up,
)


def order_meaning(order: DraftOrder, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> str:
    """What an order is, and whether it is among the selected ones, which alone get cards."""
    if order.is_medication:
        return _medication(order, topic)
    settings = topic.service.orders
    reading = OrderReading.of(order, topic)
    matches = reading.matches
    if is_lumbar_puncture(reading, topic):
        named = list_matches(match for match in matches if match.value_set in settings.ordered_punctures)
        meaning = f"a lumbar puncture: {named}"
    else:
        work_up = find_work_up(reading, topic, looked_up)
        if work_up is None:
            return _why_not_ours(order, matches, topic) + _unless(order, topic, looked_up)
        meaning = f"a work-up: {work_up.basis}{_why(order, work_up.basis, topic, looked_up)}"
        if work_up.states_other_reasons:
            meaning += "; it states another reason, so it counts only where something began since the puncture"
    return meaning if order.selected else f"not selected; it would be: {meaning}"


def _why(order: DraftOrder, basis: Basis, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> str:
    """The codes or words that make the order a work-up."""
    settings = topic.service.orders
    if basis in (Basis.ITSELF, Basis.REFERRAL):
        names = {*settings.work_up, *settings.referrals_since}
        matches = OrderReading.of(order, topic).matches
    else:
        names = {*topic.service.complaints.value_sets, *(flag.value_set for flag in topic.service.red_flags)}
        matches = [
            match for entry in read_words(OrderReading.of(order, topic), looked_up, topic) for match in entry.matches
        ]
    named = list_matches(match for match in matches if match.value_set in names)
    return f" ({named})" if named else ""


def _unless(order: DraftOrder, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> str:
    undecided = [reference for reference in reasons_to_look_up([order], topic) if reference not in looked_up]
    return f" (unless {' or '.join(undecided)} is a complaint or a red flag)" if undecided else ""


def _medication(order: DraftOrder, topic: Topic) -> str:
    risks = {risk.value_set for risk in topic.service.escalators.risks}
    named = list_matches(
        match
        for entry in read_words(OrderReading.of(order, topic), {}, topic)
        for match in entry.matches
        if match.value_set in risks
    )
    return f"a medication that adds a risk: {named}" if named else "a medication, which adds no risk that we know"


def _why_not_ours(order: DraftOrder, matches: list[Match], topic: Topic) -> str:
    settings = topic.service.orders
    certain = [match for match in matches if match.certain]
    near = [match for match in certain if match.value_set == settings.near_miss]
    if near:
        return f"a similar order, not a lumbar puncture: {list_matches(near)}"
    about = [match for match in matches if match.mention and ABOUT in match.mention.modifiers]
    if about:
        because = ", ".join(f"“{word}”" for match in about if match.mention for word in match.mention.because)
        return f"a task about a lumbar puncture, and none itself: {because}"
    if is_task(order, topic) and any(match.value_set in settings.ordered_punctures for match in matches):
        return "a task about a lumbar puncture, by its category"
    if any(match.value_set == settings.unless_into_a_device for match in certain):
        return f"not a lumbar puncture, because the draft names a reservoir or a pump: {list_matches(certain)}"
    if any(match.value_set in settings.by_reason_only for match in matches):
        return f"counts only by its reason, and states no complaint and no red flag: {list_matches(matches)}"
    if certain:
        return f"not ours: it states no complaint and no red flag: {list_matches(certain)}"
    mentioned = sorted({name for concept in order.what for name in topic.orders.mentioned(concept)})
    if mentioned:
        return f"not ours: its words mention {', '.join(mentioned)}, and deny it or doubt it"
    codes = sum(bool(coding.code) for concept in order.what for coding in concept.coding)
    if codes:
        return f"not ours: {codes} code{'s' * (codes != 1)} looked up, none in our value sets"
    return "not ours: no code, and words we do not know" if order.what else "not ours: neither code nor words"
