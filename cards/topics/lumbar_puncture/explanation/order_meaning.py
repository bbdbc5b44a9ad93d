"""What an order is to this topic, in plain English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cards.explanation.words import list_matches, matched_by
from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.terminology.value_set import Match
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.triage import (
    has_work_up_reason,
    is_lumbar_puncture,
    reasons_to_look_up,
    works_up_by_itself,
)


def order_meaning(order: DraftOrder, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> str:
    """What an order is to us, and whether it is among the selected ones, which alone are spoken of."""
    settings = topic.service.orders
    certain = [match for found in topic.orders.match_all(order.what) for match in found if match.certain]
    if is_lumbar_puncture(order, topic):
        names = (settings.lumbar_puncture, settings.unless_into_a_device)
        meaning = (
            f"a lumbar puncture, {matched_by(next(one for name in names for one in certain if one.value_set == name))}"
        )
    elif works_up_by_itself(order, topic):
        meaning = f"works up back pain: {list_matches(one for one in certain if one.value_set in settings.work_up)}"
    elif has_work_up_reason(order, topic, looked_up):
        reasons = [*order.reasons, *(looked_up[one] for one in order.reason_references if one in looked_up)]
        matches = [match for found in topic.orders.match_all(reasons) for match in found]
        named = list_matches(one for one in matches if one.value_set in settings.work_up_reasons)
        meaning = f"works up back pain because of its reason: {named}"
    else:
        undecided = [one for one in reasons_to_look_up([order], topic) if one not in looked_up]
        unless = f" (unless {' or '.join(undecided)} is back pain or numbness)" if undecided else ""
        return _why_not_ours(order, certain, topic) + unless
    return meaning if order.selected else f"not selected; it would be: {meaning}"


def _why_not_ours(order: DraftOrder, certain: Sequence[Match], topic: Topic) -> str:
    settings = topic.service.orders
    near = [match for match in certain if match.value_set == settings.near_miss]
    if near:
        return f"near miss: {list_matches(near)}"
    if any(match.value_set == settings.unless_into_a_device for match in certain):
        return f"not a lumbar puncture, for it speaks of a reservoir or a pump: {list_matches(certain)}"
    if certain:
        return f"not ours: a reason, not an order: {list_matches(certain)}"
    spoken_of = sorted({name for concept in order.what for name in topic.orders.mentioned(concept)})
    if spoken_of:
        what = "a lumbar puncture" if settings.lumbar_puncture in spoken_of else ", ".join(spoken_of)
        return f"not ours: {what} in words only, denied, doubted or part of another name"
    codes = sum(bool(coding.code) for concept in order.what for coding in concept.coding)
    if codes:
        return f"not ours: {codes} code{'s' * (codes != 1)} looked up, none in our value sets"
    return "not ours: no code, and words we do not know" if order.what else "not ours: neither code nor words"
