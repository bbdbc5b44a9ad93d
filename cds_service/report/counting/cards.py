"""All cards of the window, read and counted: cells of cards, and what the answers say beyond their counts."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection

from cds_service.report.counting.cells import Cell, Parts
from cds_service.report.counting.ledger_rows import (
    Slice,
    list_slices,
    read_cards,
    read_cards_answered_again,
    read_feedback,
    read_suggestions,
    read_taken_suggestions,
)
from cds_service.report.counting.window import DAY_MS, Window

CardKey = tuple[str, str]  # the id of a service, and the key of one of its cards
Reasons = tuple[str | None, str | None, bool]  # system and code, and whether it is one that the card did not offer
_UNANSWERED, _OVERRIDDEN, _ACCEPTED = 0, 1, 2


class Override(NamedTuple):
    """An overridden card that is critical or never silenced."""

    card_uuid: str
    parts: Parts
    issued_at_ms: int
    reason: Reasons


@dataclass
class Offers:
    """How many cards offered a suggestion, and their outcomes. `taken`: of the accepted ones."""

    offered: int = 0
    accepted: int = 0
    overridden: int = 0
    taken: int = 0


@dataclass
class CountedCards:
    """`reasons`: of overridden cards, by service and card. `suggestions`: by service, card and suggestion."""

    cells: dict[Parts, Cell] = field(default_factory=dict)
    reasons: Counter[tuple[str, str, Reasons]] = field(default_factory=Counter)
    never_silenced_overrides: list[Override] = field(default_factory=list)
    suggestions: dict[tuple[str, str, str], Offers] = field(default_factory=dict)


class _Cards:
    """The cards of one slice: by id their place, and by place what is known of each."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.cells = array("l")  # the place of its cell
        self.issued_ms = array("q")
        self.answers = bytearray()


def count_cards(
    connection: Connection, window: Window, never_silenced: Collection[CardKey], *, with_suggestions: bool
) -> CountedCards:
    """Read and count all cards of the window."""
    counted = CountedCards()
    for part in list_slices(connection, window):
        cards = _count_shown(connection, part, counted)
        _count_answers(connection, part, cards, counted, never_silenced)
        if with_suggestions:
            _count_suggestions(connection, part, cards, counted)
    return counted


def is_never_silenced(parts: Parts, never_silenced: Collection[CardKey]) -> bool:
    """Whether a card is critical or one of those."""
    return parts.indicator == "critical" or (parts.service, parts.card) in never_silenced


def _count_shown(connection: Connection, part: Slice, counted: CountedCards) -> _Cards:
    cards = _Cards()
    places, cells, issued_ms = cards.places, cards.cells, cards.issued_ms
    cell_places = {parts: place for place, parts in enumerate(counted.cells)}
    listed = list(counted.cells.values())
    for uuid, at_ms, service, key, indicator, client, tenant, version in read_cards(connection, part):
        parts = (service, key, indicator, client, tenant, version, at_ms // DAY_MS)
        place = cell_places.get(parts)  # type: ignore[call-overload]
        if place is None:
            place = cell_places[Parts(*parts)] = len(listed)
            listed.append(Cell())
        listed[place].add_card(at_ms)
        places[uuid] = len(issued_ms)
        cells.append(place)
        issued_ms.append(at_ms)
    counted.cells = dict(zip(cell_places, listed, strict=True))
    cards.answers = bytearray(len(issued_ms))
    return cards


def _count_answers(
    connection: Connection, part: Slice, cards: _Cards, counted: CountedCards, never_silenced: Collection[CardKey]
) -> None:
    """The outcome of each card: accepted where any feedback accepts, else overridden where any overrides."""
    all_parts, all_cells = list(counted.cells), list(counted.cells.values())
    is_listed = [is_never_silenced(parts, never_silenced) for parts in all_parts]
    for uuid, place, entries in _by_card(connection, part, cards):
        first = entries[0]
        is_accepted, changed, at_ms = first[1] == "accepted", False, first[2]
        if len(entries) > 1:
            outcomes = {entry.outcome for entry in entries}
            is_accepted, changed = "accepted" in outcomes, len(outcomes) > 1
            at_ms = min(entry.outcome_at_ms for entry in entries)
        cell_place, issued_ms = cards.cells[place], cards.issued_ms[place]
        cards.answers[place] = _ACCEPTED if is_accepted else _OVERRIDDEN
        all_cells[cell_place].add_answer(is_accepted, at_ms - issued_ms, changed)
        if not is_accepted:
            last = min(entries, key=_reasons_first_then_latest) if len(entries) > 1 else first
            reason = (last[3], last[4], bool(last[5]))
            parts = all_parts[cell_place]
            counted.reasons[parts.service, parts.card, reason] += 1
            if is_listed[cell_place]:
                counted.never_silenced_overrides.append(Override(uuid, parts, issued_ms, reason))


def _by_card(connection: Connection, part: Slice, cards: _Cards) -> Iterator[tuple[str, int, Sequence[Any]]]:
    """Each answered card: its id, its place, and all its feedback."""
    again = read_cards_answered_again(connection, part)
    gathered: dict[str, list[Any]] = {}
    for entry in read_feedback(connection, part):
        uuid = entry[0]
        place = cards.places.get(uuid)
        if place is None:
            continue
        if uuid in again:
            gathered.setdefault(uuid, []).append(entry)
        else:
            yield uuid, place, (entry,)
    for uuid, entries in gathered.items():
        yield uuid, cards.places[uuid], entries


def _reasons_first_then_latest(entry: Any) -> tuple[Any, ...]:
    """Overrides with a reason first, the latest of them first."""
    return entry.reason_code is None, -entry.outcome_at_ms, -entry.received_at_ms, entry.feedback_digest


def _count_suggestions(connection: Connection, part: Slice, cards: _Cards, counted: CountedCards) -> None:
    taken = read_taken_suggestions(connection, part)
    outcomes: Counter[tuple[int, str, int, bool]] = Counter()
    for uuid, card_uuid, key in read_suggestions(connection, part):
        place = cards.places.get(card_uuid)
        if place is not None:
            outcomes[cards.cells[place], key, cards.answers[place], uuid in taken] += 1
    all_parts = list(counted.cells)
    for (cell_place, key, answer, was_taken), number in outcomes.items():
        parts = all_parts[cell_place]
        offers = counted.suggestions.setdefault((parts.service, parts.card, key), Offers())
        offers.offered += number
        offers.accepted += number * (answer == _ACCEPTED)
        offers.overridden += number * (answer == _OVERRIDDEN)
        offers.taken += number * (answer == _ACCEPTED and was_taken)
