"""What each entry of `draftOrders` was taken for, in plain English: the first part of an explanation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from cards.catalogue import Topic
from cards.fhir.bundle import split_entries
from cards.fhir.draft_orders import DraftOrder, read_draft_orders
from cards.fhir.resources import CodeableConcept, Order, RawBundle, RawEntry
from cards.fhir.tolerant_reading import ABSENT, JsonBytes, Reader, Unreadable
from cards.terminology.code_systems import find_code_system
from cards.terminology.value_set import Match
from cards.topics.lumbar_puncture.decision.triage import (
    has_work_up_reason,
    is_lumbar_puncture,
    reasons_to_look_up,
    works_up_by_itself,
)

Fact = tuple[str, str]  # a label and what it says
Paragraph = tuple[str, list[Fact]]  # a title and the facts below it

_RAW_BUNDLE, _RAW_ENTRY, _ORDER = Reader(RawBundle), Reader(RawEntry), Reader(Order)


def explain_orders(
    draft_orders: JsonBytes,
    orders: Iterable[DraftOrder],
    topic: Topic,
    looked_up: Mapping[str, CodeableConcept],
    elsewhere: str,
) -> Iterator[Paragraph]:
    """Each entry of the Bundle by its name, with labelled facts; `orders` is what was read from it.

    `elsewhere`: what the service does about a reason that the call does not tell.
    """
    placed = iter(orders)
    for index, entry in enumerate(split_entries(_RAW_BUNDLE.read(draft_orders)[0])):
        if _is_placed(entry):
            order = next(placed)
            facts = [*_tell_order(order, looked_up, elsewhere), ("taken for", _tell_meaning(order, topic, looked_up))]
            yield _name(order.resource_type, order.id, index), facts
        else:
            yield _passed_over(index, entry)


def tell_words(concepts: Iterable[CodeableConcept]) -> str:
    """The chart's own words, each once: “Low back pain”, “Lumbago”."""
    words = [text for one in concepts for text in (one.text, *(coding.display for coding in one.coding)) if text]
    return ", ".join(f"“{text}”" for text in dict.fromkeys(words)) or "none"


def tell_codes(concepts: Iterable[CodeableConcept]) -> str:
    """ "CPT 72148, LP1 of http://example.org/orders, which we do not know"."""
    told = []
    for coding in (coding for one in concepts for coding in one.coding if coding.code):
        system = find_code_system(coding.system)
        unknown = f"{coding.code} of {coding.system or 'no code system'}"
        told.append(f"{system.name} {coding.code}" if system else unknown)
    return ", ".join(dict.fromkeys(told)) or "none"


def tell_matches(matches: Iterable[Match]) -> str:
    """ "back-pain, by ICD-10-CM M54.50; spinal-stenosis, by its words, doubted"."""
    return "; ".join(dict.fromkeys(f"{one.value_set}, {_by(one)}" for one in matches))


def _by(match: Match) -> str:
    doubt = "" if match.certain else ", doubted"
    return f"by {match.code_system} {match.code}" if match.code else f"by its words{doubt}"


def _tell_order(order: DraftOrder, looked_up: Mapping[str, CodeableConcept], elsewhere: str) -> Iterator[Fact]:
    yield "words", tell_words(order.what)
    yield "codes", tell_codes(order.what)
    for reason in order.reasons:
        yield "reason", f"{tell_words([reason])}; codes: {tell_codes([reason])}"
    for one in order.reason_references:
        told = f"{tell_words([looked_up[one]])}; codes: {tell_codes([looked_up[one]])}" if one in looked_up else None
        yield "reason", f"{one}: {told or f'not told in the call: {elsewhere}'}"
    if order.priority:
        yield "priority", order.priority


def _tell_meaning(order: DraftOrder, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> str:
    """What an order is to us, and whether it is among the selected ones, which alone are spoken of."""
    settings = topic.service.orders
    certain = [match for found in topic.orders.match_all(order.what) for match in found if match.certain]
    if is_lumbar_puncture(order, topic):
        names = (settings.lumbar_puncture, settings.unless_into_a_device)
        meaning = f"a lumbar puncture, {_by(next(one for name in names for one in certain if one.value_set == name))}"
    elif works_up_by_itself(order, topic):
        meaning = f"works up back pain: {tell_matches(one for one in certain if one.value_set in settings.work_up)}"
    elif has_work_up_reason(order, topic, looked_up):
        reasons = [*order.reasons, *(looked_up[one] for one in order.reason_references if one in looked_up)]
        matches = [match for found in topic.orders.match_all(reasons) for match in found]
        named = tell_matches(one for one in matches if one.value_set in settings.work_up_reasons)
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
        return f"near miss: {tell_matches(near)}"
    if any(match.value_set == settings.unless_into_a_device for match in certain):
        return f"not a lumbar puncture, for it speaks of a reservoir or a pump: {tell_matches(certain)}"
    if certain:
        return f"not ours: a reason, not an order: {tell_matches(certain)}"
    spoken_of = sorted({name for concept in order.what for name in topic.orders.mentioned(concept)})
    if spoken_of:
        what = "a lumbar puncture" if settings.lumbar_puncture in spoken_of else ", ".join(spoken_of)
        return f"not ours: {what} in words only, denied, doubted or part of another name"
    codes = sum(bool(coding.code) for concept in order.what for coding in concept.coding)
    if codes:
        return f"not ours: {codes} code{'s' * (codes != 1)} looked up, none in our value sets"
    return "not ours: no code, and words we do not know" if order.what else "not ours: neither code nor words"


def _passed_over(index: int, entry: JsonBytes) -> Paragraph:
    """An entry that is no placed service order, and why."""
    try:
        wrapper, _ = _RAW_ENTRY.read(entry)
        order, _ = _ORDER.read(entry if wrapper.resource is ABSENT else wrapper.resource)
    except Unreadable:
        return _name("", None, index), [("taken for", "could not be read")]
    if not order.resource_type:
        why = "could not be read: no resourceType"
    elif order.resource_type == "Condition":
        why = "not an order: a Condition, which may be the reason of one"
    elif not _is_placed(msgspec.json.encode({"resource": {"resourceType": order.resource_type}})):
        why = f"not a service order: {order.resource_type} is passed over"
    elif order.do_not_perform:
        why = "not placed: doNotPerform"
    else:
        why = f"over: status {(order.status or '').strip()}"
    return _name(order.resource_type, order.id, index), [("taken for", why)]


def _is_placed(entry: JsonBytes) -> bool:
    """Whether this entry, alone, is read as a service order that is not over."""
    return bool(read_draft_orders(b'{"resourceType":"Bundle","entry":[%b]}' % bytes(entry), None))


def _name(resource_type: str, resource_id: str | None, index: int) -> str:
    kind = resource_type or "entry"
    return f"{kind}/{resource_id}" if resource_type and resource_id else f"{kind} [{index}]"
