"""What an order says besides what it orders: its reasons, its own words and its notes, compared with the value sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cards.fhir.draft_orders import DraftOrder
from cards.fhir.resources import CodeableConcept
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.problem import Change
from cards.terminology.match import Match
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.words.tokens import fold

LookedUp = Mapping[str, CodeableConcept]


@dataclass(frozen=True)
class OrderReading:
    """An order, and the matches of what is ordered: for each concept of `what`, in its order."""

    order: DraftOrder
    by_concept: tuple[tuple[Match, ...], ...]

    @classmethod
    def of(cls, order: DraftOrder, topic: Topic) -> OrderReading:
        """Compare what is ordered with the value sets."""
        what = order.what
        if order.beside:  # "MRI", and as its body site the lumbar spine
            what = tuple(CodeableConcept(one.coding, " ".join((*one.texts[:1], *order.beside))) for one in what)
        return cls(order, tuple(topic.orders.match_all(what)))

    @property
    def matches(self) -> list[Match]:
        """Every match, certain or not."""
        return [match for matches in self.by_concept for match in matches]

    @property
    def certain(self) -> list[Match]:
        """The certain matches."""
        return [match for match in self.matches if match.certain]


def stated_reasons(order: DraftOrder, looked_up: LookedUp) -> Iterator[CodeableConcept]:
    """The reasons of an order, those it refers to included, as far as they were read."""
    yield from order.reasons
    yield from (looked_up[reference] for reference in order.reason_references if reference in looked_up)


def states_all_reasons(order: DraftOrder, looked_up: LookedUp, topic: Topic) -> bool:
    """Whether the order states reasons and every one of them was read. One that cannot be read counts as not stated."""
    reasons = list(stated_reasons(order, looked_up))
    is_complete = all(reference in looked_up for reference in order.reason_references)
    return bool(reasons) and is_complete and all(topic.orders.is_readable(reason) for reason in reasons)


def read_words(reading: OrderReading, looked_up: LookedUp, topic: Topic) -> Iterator[ChartEntry]:
    """What an order says of the patient, as if the chart said it today, one entry for each concept it uses."""
    order = reading.order
    reasons = list(stated_reasons(order, looked_up))
    others = [*reasons, *(CodeableConcept(text=text) for text in order.notes)]
    matches_of_others = topic.orders.match_all(others) if others else []
    ordered = {match.value_set for match in reading.certain}
    meanings = {
        problem.value_set: problem.means
        for problem in topic.service.orders.placed_by_order
        if problem.ordered in ordered
    }
    concepts = zip((*others, *order.what), (*matches_of_others, *reading.by_concept), strict=True)
    for place, (concept, matches) in enumerate(concepts):
        if matches and place >= len(reasons) and _is_observation(order, topic):
            matches = tuple(match for match in matches if _is_observed(match))
        if matches:
            placed = tuple(_placed(match, meanings) for match in matches)
            certain = all(match.certain for match in placed if not match.is_past)
            yield ChartEntry(order.resource_type, order.id, concept, placed, Standing.CURRENT, certain, None, None)


def _is_observation(order: DraftOrder, topic: Topic) -> bool:
    """Whether it orders to watch the patient: its words, but for its reasons, say what to watch for."""
    words = tuple(topic.service.orders.observation_words)
    return any(fold(text).startswith(words) for concept in order.what for text in concept.texts)


def _is_observed(match: Match) -> bool:
    """Whether such words say that something is there already: by a code, or as new, acute or worse."""
    return match.mention is None or match.is_past or not match.mention.modifiers.isdisjoint(Change)


def is_new(match: Match) -> bool:
    """Whether words say since when it is there: since a puncture, or that it is new, acute or worse."""
    said = match.mention
    return said is not None and (said.since is not None or not said.modifiers.isdisjoint(Change))


def _placed(match: Match, meanings: Mapping[str, str]) -> Match:
    """What words name without a place, at the place of what is ordered: "r/o abscess" of a spine image."""
    return replace(match, value_set=meanings.get(match.value_set, match.value_set))
