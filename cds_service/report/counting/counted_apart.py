"""What a report counts apart: clients that never answer, silenced cards, feedback about cards we did not issue."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cds_service.report.counting.cells import Cells, sum_cells
from cds_service.report.counting.window import Window
from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK, SILENCED_CARD


@dataclass(frozen=True)
class MuteClient:
    """A client that got cards and never, at any time, sent feedback."""

    client: str
    issued: int


@dataclass(frozen=True)
class Silenced:
    """Cards that were due and not shown. `cause`: quiet-period, max-cards, switched-off or silent-client."""

    service: str
    card: str
    cause: str
    cards: int


@dataclass(frozen=True)
class ForeignFeedback:
    """Feedback of a client, received in the window, that does not fit what we issued to it; counted nowhere else.

    `cards`: entries about cards not known as issued to it. `suggestions`: taken ones that its card did not offer.
    """

    client: str
    cards: int
    suggestions: int


def list_mute_clients(connection: Connection, cells: Cells) -> tuple[MuteClient, ...]:
    """Clients with cards in the window that never sent any feedback, the client with most cards first."""
    heard = set(connection.execute(select(FEEDBACK.c.client).distinct()).scalars())
    sums = sum_cells((parts.client, cell) for parts, cell in cells.items() if parts.client not in heard)
    mute = [MuteClient(client, cell.cards) for client, cell in sums.items()]
    return tuple(sorted(mute, key=lambda client: -client.issued))


def list_silenced(connection: Connection, window: Window) -> tuple[Silenced, ...]:
    """Cards silenced in the window, by service, card and cause."""
    silenced = SILENCED_CARD.c
    key = (silenced.service, silenced.card_key, silenced.cause)
    statement = (
        select(*key, func.count())
        .where(silenced.silenced_at_ms >= window.since_ms, silenced.silenced_at_ms < window.until_ms)
        .group_by(*key)
        .order_by(*key)
    )
    return tuple(Silenced(*row) for row in connection.execute(statement))


def list_foreign_feedback(connection: Connection, window: Window) -> tuple[ForeignFeedback, ...]:
    """Feedback received in the window that does not fit what we issued, by client."""
    entry, taken = FEEDBACK.c, ACCEPTED_SUGGESTION.c
    received = (entry.received_at_ms >= window.since_ms) & (entry.received_at_ms < window.until_ms)
    of_cards = select(entry.client, func.count()).where(received, entry.foreign_card.is_(True)).group_by(entry.client)
    # a suggestion of a card that is not ours is part of that entry, and not counted twice
    # begins with the few foreign ones, also on SQLite
    taken_foreign = select(taken.feedback_digest).where(taken.foreign_suggestion.is_(True))
    of_suggestions = (
        select(entry.client, func.count())
        .select_from(FEEDBACK.join(ACCEPTED_SUGGESTION, taken.feedback_digest == entry.feedback_digest))
        .where(entry.feedback_digest.in_(taken_foreign), taken.foreign_suggestion.is_(True))
        .where(received, entry.foreign_card.is_(False))
        .group_by(entry.client)
    )
    cards: dict[str, int] = {client: count for client, count in connection.execute(of_cards).all()}  # noqa: C416
    suggestions: dict[str, int] = {client: count for client, count in connection.execute(of_suggestions).all()}  # noqa: C416
    clients = sorted(cards.keys() | suggestions.keys())
    return tuple(ForeignFeedback(client, cards.get(client, 0), suggestions.get(client, 0)) for client in clients)
