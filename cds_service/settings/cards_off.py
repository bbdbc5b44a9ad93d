"""Cards that a site has turned off (CDS_CARDS_OFF). They are decided and recorded like any other, and never shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cards.nearest_names import did_you_mean
from cards.topic import Topic
from cds_service.errors import NotReady

SwitchedOff = frozenset[tuple[str, str]]  # the id of the service, and the key of its card


def switched_off_cards(names: Iterable[str], topics: Mapping[str, Topic]) -> SwitchedOff:
    """The cards that these names mean: "<card>" in every service that has it, or "<service id>/<card>".

    Raises NotReady, with every fault, for a name that no service has, and for a card that is always shown.
    """
    off: set[tuple[str, str]] = set()
    faults = []
    for name in names:
        service_id, _, card = name.rpartition("/")
        cards = {pair for pair in _all_cards(topics) if pair[1] == card and service_id in ("", pair[0])}
        if not cards:
            known = list(dict.fromkeys(key for _, key in _all_cards(topics)))
            faults.append(
                f"CDS_CARDS_OFF: there is no card {name!r}; the cards are {', '.join(known)}{did_you_mean(card, known)}"
            )
        for service, key in sorted(cards):
            if topics[service].service.cards[key].always_shown:
                faults.append(f"CDS_CARDS_OFF must not name {key}: this card is always shown; remove it from the list")
        off |= cards
    if faults:
        raise NotReady(faults)
    return frozenset(off)


def find_switch_faults(names: Iterable[str], topics: Mapping[str, Topic]) -> list[str]:
    """Why a start with these cards turned off is refused."""
    try:
        switched_off_cards(names, topics)
    except NotReady as refusal:
        return list(refusal.reasons)
    return []


def _all_cards(topics: Mapping[str, Topic]) -> Iterator[tuple[str, str]]:
    yield from ((service_id, card) for service_id, topic in topics.items() for card in topic.service.cards)
