"""Which orders are ours to speak about, and what of the chart that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cards.fhir.draft_orders import DraftOrder, FhirVersion, condition_id
from cards.fhir.resources import CodeableConcept
from cards.terminology.text_terms import fold
from cards.terminology.value_set import Match
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic

MOST_REASONS_LOOKED_UP = 8  # references to Conditions, in one call (design.md 6)


@dataclass(frozen=True)
class Triage:
    """The orders we speak about.

    `for_complaint`: back pain or numbness is the reason of a work-up.
    `work_ups`: orders that work up back pain or numbness. `explained`: every one of them states a reason, and none of
    the reasons is back pain or numbness. `held`: value sets of everything the session orders, selected or not.
    `needs`: keys of the service's prefetch. `urgent`: among the punctures is an urgent one, so that nothing is fetched.
    """

    lumbar_punctures: tuple[DraftOrder, ...]
    work_ups: tuple[DraftOrder, ...]
    urgent: bool
    explained: bool
    for_complaint: bool
    held: frozenset[str]
    needs: tuple[str, ...]

    @property
    def orders(self) -> tuple[DraftOrder, ...]:
        return self.lumbar_punctures + self.work_ups

    @property
    def fhir_version(self) -> FhirVersion:
        """The version in which a suggestion is written."""
        return self.orders[0].fhir_version


def triage(orders: Sequence[DraftOrder], topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> Triage | None:
    """What of the selected orders is ours to speak about; None, for nearly every order in a hospital, means silence.

    `looked_up`: the Conditions that `reasons_to_look_up` asked for, by the reference to each, as far as found.
    """
    selected = [order for order in orders if order.selected]
    are_punctures = [is_lumbar_puncture(order, topic) for order in selected]
    punctures = tuple(order for order, is_one in zip(selected, are_punctures, strict=True) if is_one)
    work_ups = tuple(
        order
        for order, is_one in zip(selected, are_punctures, strict=True)
        if not is_one and (works_up_by_itself(order, topic) or has_work_up_reason(order, topic, looked_up))
    )
    if not punctures and not work_ups:
        return None
    held = frozenset(match.value_set for order in orders for match in _matches(order.what, topic))
    explained = bool(work_ups) and all(_states_other_reason(order, topic, looked_up) for order in work_ups)
    for_complaint = any(has_work_up_reason(order, topic, looked_up) for order in work_ups)
    needs = tuple(topic.service.prefetch)
    return Triage(punctures, work_ups, is_urgent(punctures, topic), explained, for_complaint, held, needs)


def reasons_to_look_up(orders: Sequence[DraftOrder], topic: Topic) -> tuple[str, ...]:
    """References to the Conditions that decide whether an order works up back pain, where its own words do not.

    None beside an urgent puncture, which waits for nothing.
    """
    selected = [order for order in orders if order.selected]
    if not any(order.reason_references for order in selected):
        return ()
    if is_urgent((order for order in selected if is_lumbar_puncture(order, topic)), topic):
        return ()
    undecided = (
        order
        for order in selected
        if order.reason_references and not is_lumbar_puncture(order, topic)
        if not has_work_up_reason(order, topic, {})
    )
    wanted = dict.fromkeys(one for order in undecided for one in order.reason_references if condition_id(one))
    return tuple(wanted)[:MOST_REASONS_LOOKED_UP]


def is_urgent(punctures: Iterable[DraftOrder], topic: Topic) -> bool:
    """Whether one of these lumbar punctures is not to be delayed."""
    return any(order.priority in topic.service.orders.urgent_priorities for order in punctures)


def is_lumbar_puncture(order: DraftOrder, topic: Topic) -> bool:
    """By code, in any code system; by words only where no code decides, and then only if they are certain.

    Intrathecal chemotherapy is a lumbar puncture unless the draft speaks, anywhere, of a reservoir or a pump.
    """
    settings = topic.service.orders
    value_sets = {match.value_set for match in _matches(order.what, topic)}
    if settings.lumbar_puncture in value_sets:
        return True
    if settings.unless_into_a_device in value_sets:
        return not speaks_of_device(order.raw.decode(errors="replace"), topic)
    return False


def speaks_of_device(text: str, topic: Topic) -> bool:
    """Whether these words name a reservoir or a pump, into which no puncture is needed."""
    folded = fold(text)
    return any(word in folded for word in topic.service.orders.device_words)


def works_up_by_itself(order: DraftOrder, topic: Topic) -> bool:
    """Spine imaging, nerve conduction, a referral or a physical therapy evaluation, whatever its reason."""
    value_sets = {match.value_set for match in _matches(order.what, topic)}
    near_miss = topic.service.orders.near_miss in value_sets
    return not near_miss and not value_sets.isdisjoint(topic.service.orders.work_up)


def has_work_up_reason(order: DraftOrder, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> bool:
    """Whether back pain, or numbness of the legs, is among the reasons of the order; a doubtful one counts."""
    wanted = topic.service.orders.work_up_reasons
    return any(match.value_set in wanted for one in _reasons(order, looked_up) for match in topic.orders.match(one))


def _states_other_reason(order: DraftOrder, topic: Topic, looked_up: Mapping[str, CodeableConcept]) -> bool:
    """Whether the order tells all of its reasons, in codes or words, and none is back pain or numbness."""
    reasons = list(_reasons(order, looked_up))
    told = bool(reasons) and all(one.says_something() for one in reasons)
    return (
        told
        and all(one in looked_up for one in order.reason_references)
        and not has_work_up_reason(order, topic, looked_up)
    )


def _reasons(order: DraftOrder, looked_up: Mapping[str, CodeableConcept]) -> Iterable[CodeableConcept]:
    yield from order.reasons
    yield from (looked_up[one] for one in order.reason_references if one in looked_up)


def _matches(concepts: Sequence[CodeableConcept], topic: Topic) -> list[Match]:
    return [match for found in topic.orders.match_all(concepts) for match in found if match.certain]
