"""Which orders are ours to speak about, and what of the chart that takes (ADR 19: which orders)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cards.fhir.draft_orders import DraftOrder, FhirVersion, condition_id
from cards.record.chart_entry import ChartEntry
from cards.terminology.match import Match
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.order_words import (
    LookedUp,
    OrderReading,
    is_new,
    read_words,
    states_all_reasons,
)
from cards.words.tokens import fold

MOST_REASONS_LOOKED_UP = 8  # references to Conditions, in one call (design.md 6)
ABOUT, PLANNED = "about", "planned"  # modifiers of the lexicon: a task about a procedure, one that is yet to come


class Basis(StrEnum):
    """Why an order works up the back or the legs."""

    ITSELF = "what it orders"  # spine imaging, nerve conduction, a referral to a spine service
    COMPLAINT = "its reason is a complaint"
    RED_FLAG = "its reason may be a red flag"
    REFERRAL = "a referral without a reason"  # counts only where something began since the puncture


@dataclass(frozen=True)
class WorkUp:
    """An order that may work up the back or the legs. `states_other_reasons`: it states its reasons, all of them were
    read, and none is a complaint or a red flag. `words`: what the order says of the patient.
    """

    order: DraftOrder
    basis: Basis
    states_other_reasons: bool
    words: tuple[ChartEntry, ...]


@dataclass(frozen=True)
class Triage:
    """The orders we speak about.

    `words`: what these orders, and work-ups of the session that are not selected, say of the patient; `work_up_words`:
    those of the selected work-ups alone. `medications`: what the session orders. `ordered`: value sets of everything
    the session orders, selected or not. `needs`: keys of the service's prefetch. `urgent`: among the punctures is an
    urgent one, so that nothing is fetched.
    """

    lumbar_punctures: tuple[DraftOrder, ...]
    work_ups: tuple[WorkUp, ...]
    words: tuple[ChartEntry, ...]
    work_up_words: tuple[ChartEntry, ...]
    medications: tuple[ChartEntry, ...]
    ordered: frozenset[str]
    urgent: bool
    needs: tuple[str, ...]

    @property
    def orders(self) -> tuple[DraftOrder, ...]:
        return self.lumbar_punctures + tuple(work_up.order for work_up in self.work_ups)

    @property
    def fhir_version(self) -> FhirVersion:
        """The version in which a suggestion is written."""
        return self.orders[0].fhir_version


def triage(orders: Sequence[DraftOrder], topic: Topic, looked_up: LookedUp) -> Triage | None:
    """What of the selected orders is ours to speak about; None, for nearly every order in a hospital, means silence.

    `looked_up`: the Conditions that `reasons_to_look_up` asked for, by the reference to each, as far as found.
    """
    services = [OrderReading.of(order, topic) for order in orders if not order.is_medication]
    selected = [reading for reading in services if reading.order.selected]
    punctures = [reading for reading in selected if is_lumbar_puncture(reading, topic)]
    others = (reading for reading in selected if reading not in punctures)
    work_ups = tuple(work_up for reading in others if (work_up := find_work_up(reading, topic, looked_up)))
    if not punctures and not work_ups:
        return None
    puncture_orders = tuple(reading.order for reading in punctures)
    puncture_words = [entry for reading in punctures for entry in read_words(reading, looked_up, topic)]
    work_up_words = tuple(entry for work_up in work_ups for entry in work_up.words)
    beside = (reading for reading in services if not reading.order.selected and not is_lumbar_puncture(reading, topic))
    not_selected = (work_up for reading in beside if (work_up := find_work_up(reading, topic, looked_up)))
    medications = (OrderReading.of(order, topic) for order in orders if order.is_medication)
    return Triage(
        puncture_orders,
        work_ups,
        words=(*puncture_words, *work_up_words, *(entry for work_up in not_selected for entry in work_up.words)),
        work_up_words=work_up_words,
        medications=tuple(entry for reading in medications for entry in read_words(reading, {}, topic)),
        ordered=frozenset(match.value_set for reading in services for match in reading.certain),
        urgent=is_urgent(puncture_orders, topic),
        needs=tuple(topic.service.prefetch),
    )


def reasons_to_look_up(orders: Sequence[DraftOrder], topic: Topic) -> tuple[str, ...]:
    """References to the Conditions that decide whether an order works up back pain, where its own words do not.

    None beside an urgent puncture, which waits for nothing.
    """
    selected = [order for order in orders if order.selected and not order.is_medication]
    if not any(order.reason_references for order in selected):
        return ()
    readings = [OrderReading.of(order, topic) for order in selected]
    punctures = [reading for reading in readings if is_lumbar_puncture(reading, topic)]
    if is_urgent((reading.order for reading in punctures), topic):
        return ()
    undecided = (
        reading.order
        for reading in readings
        if reading.order.reason_references and reading not in punctures
        if not _stated_kinds(tuple(read_words(reading, {}, topic)), topic)
    )
    references = (reference for order in undecided for reference in order.reason_references)
    return tuple(dict.fromkeys(filter(condition_id, references)))[:MOST_REASONS_LOOKED_UP]


def is_urgent(punctures: Iterable[DraftOrder], topic: Topic) -> bool:
    """Whether one of these lumbar punctures is not to be delayed."""
    return any(order.priority in topic.service.orders.urgent_priorities for order in punctures)


def is_lumbar_puncture(reading: OrderReading, topic: Topic) -> bool:
    """By code, in any code system; else by words. Never a task about a puncture, whatever its code; nor a near miss.

    Intrathecal treatment is a lumbar puncture unless the draft speaks, anywhere, of a reservoir or a pump.
    """
    settings, order = topic.service.orders, reading.order
    certain = [match for match in reading.certain if match.value_set in settings.ordered_punctures]
    if not certain or is_task(order, topic):
        return False
    if any(_is_about(match) for match in reading.matches if match.value_set != settings.near_miss):
        return False
    near_misses = [match for match in reading.certain if match.value_set == settings.near_miss and not _is_about(match)]
    if near_misses and not any(match.code for match in certain):
        return False
    if any(match.value_set == settings.lumbar_puncture for match in certain):
        return True
    return not speaks_of_device(order.raw.decode(errors="replace"), topic)


def _is_about(match: Match) -> bool:
    """Whether words only speak about it: "consent for LP", "LP before blood patch"."""
    return match.mention is not None and ABOUT in match.mention.modifiers


def is_task(order: DraftOrder, topic: Topic) -> bool:
    """Whether the category of an order makes it teaching, counseling or another task, and no procedure."""
    words = (
        text for one in order.categories for text in (one.text, *(c.display or c.code for c in one.coding)) if text
    )
    return any(word in fold(text) for text in words for word in topic.service.orders.task_categories)


def speaks_of_device(text: str, topic: Topic) -> bool:
    """Whether these words name a reservoir or a pump, into which no puncture is needed."""
    folded = fold(text)
    return any(word in folded for word in topic.service.orders.device_words)


def find_work_up(reading: OrderReading, topic: Topic, looked_up: LookedUp) -> WorkUp | None:
    """Why an order may work up the back or the legs; None: it does not."""
    settings, order = topic.service.orders, reading.order
    ordered = {match.value_set for match in reading.certain}
    words = tuple(read_words(reading, looked_up, topic))
    kinds = _stated_kinds(words, topic)
    if settings.near_miss in ordered and ordered.isdisjoint(settings.work_up):
        new = {match.value_set for entry in words for match in entry.matches if is_new(match)}
        kinds = kinds.intersection(new).difference(topic.service.complaints.value_sets, settings.near_miss_treats)
        if not kinds:
            return None
    if not ordered.isdisjoint(settings.work_up):
        is_pain_after = any(not entry.value_sets.isdisjoint(topic.service.complaints.pain_after) for entry in words)
        states_other_reasons = not kinds and not is_pain_after and states_all_reasons(order, looked_up, topic)
        return WorkUp(order, Basis.ITSELF, states_other_reasons, words)
    if not kinds.isdisjoint(topic.service.complaints.value_sets):
        return WorkUp(order, Basis.COMPLAINT, False, words)
    if kinds:
        return WorkUp(order, Basis.RED_FLAG, False, words)
    if not ordered.isdisjoint(settings.referrals_since) and not states_all_reasons(order, looked_up, topic):
        return WorkUp(order, Basis.REFERRAL, False, words)
    return None


def _stated_kinds(words: Sequence[ChartEntry], topic: Topic) -> frozenset[str]:
    """The complaints and red flags that an order's reasons, words and notes state as of today, or suspect."""
    stated = {match.value_set for entry in words for match in entry.matches if not match.is_past}
    if not stated:
        return frozenset()
    service = topic.service
    return frozenset(stated).intersection(
        (*service.complaints.value_sets, *(flag.value_set for flag in service.red_flags))
    )
