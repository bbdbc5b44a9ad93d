"""What each entry of `draftOrders` was taken for, in plain English."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from cards.explanation.words import Paragraph, list_codes, name_resource, quote_words
from cards.fhir.bundle import split_entries
from cards.fhir.draft_orders import DraftOrder, read_draft_orders
from cards.fhir.resources import CodeableConcept, Order, RawBundle, RawEntry
from cards.fhir.tolerant_reading import ABSENT, JsonBytes, Reader, Unreadable
from cards.topic import Fact, Topic

_RAW_BUNDLE, _RAW_ENTRY, _ORDER = Reader(RawBundle), Reader(RawEntry), Reader(Order)


def explain_orders(
    draft_orders: JsonBytes,
    orders: Iterable[DraftOrder],
    topic: Topic,
    looked_up: Mapping[str, CodeableConcept],
    elsewhere: str,
) -> Iterator[Paragraph]:
    """Each entry of the Bundle by its name, with labeled facts; `orders` is what was read from it.

    `elsewhere`: what the service does about a reason that the call does not contain.
    """
    placed = iter(orders)
    for index, entry in enumerate(split_entries(_RAW_BUNDLE.read(draft_orders)[0])):
        if _is_placed(entry):
            order = next(placed)
            facts = [*_order_facts(order, looked_up, elsewhere), ("taken for", topic.order_meaning(order, looked_up))]
            yield name_resource(order.resource_type, order.id, index), facts
        else:
            yield _passed_over(index, entry)


def _order_facts(order: DraftOrder, looked_up: Mapping[str, CodeableConcept], elsewhere: str) -> Iterator[Fact]:
    yield "words", quote_words(order.what)
    yield "codes", list_codes(order.what)
    for reason in order.reasons:
        yield "reason", _concept_words(reason)
    for reference in order.reason_references:
        concept = looked_up.get(reference)
        words = _concept_words(concept) if concept else f"not told in the call: {elsewhere}"
        yield "reason", f"{reference}: {words}"
    if order.priority:
        yield "priority", order.priority


def _concept_words(concept: CodeableConcept) -> str:
    return f"{quote_words([concept])}; codes: {list_codes([concept])}"


def _passed_over(index: int, entry: JsonBytes) -> Paragraph:
    """An entry that is no placed service order, and why."""
    try:
        wrapper, _ = _RAW_ENTRY.read(entry)
        order, _ = _ORDER.read(entry if wrapper.resource is ABSENT else wrapper.resource)
    except Unreadable:
        return name_resource("", None, index), [("taken for", "could not be read")]
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
    return name_resource(order.resource_type, order.id, index), [("taken for", why)]


def _is_placed(entry: JsonBytes) -> bool:
    """Whether this entry, alone, is read as a service order that is not over."""
    return bool(read_draft_orders(b'{"resourceType":"Bundle","entry":[%b]}' % bytes(entry), None))
