"""How often each card came: of the calls of its service, those of visible and those of silent clients apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, func, select

from cds_service.cds_hooks.silencing import SILENT_CLIENT
from cds_service.clients.clients_file import Mode
from cds_service.report.counting.calls import CallGroup, sum_calls
from cds_service.report.counting.cards import CardKey
from cds_service.report.counting.cells import Cells, sum_cells
from cds_service.report.counting.tallies import Rate, rate
from cds_service.report.counting.window import DAY_MS, Window, as_ms_of_day
from cds_service.storage.schema import SILENCED_CARD


@dataclass(frozen=True)
class CardFiring:
    """How often one card was shown, of all calls of visible clients; and would have been, of those of silent ones.

    None: no call of its service was counted in that mode.
    """

    service: str
    card: str
    visible: Rate | None
    silent: Rate | None


def first_counted_day(calls: Iterable[CallGroup], window: Window) -> date:
    """The first day of the window from which on every call is counted with its service; perhaps after the window."""
    before = [group.day for group in calls if not group.service]
    return max(before) + timedelta(days=1) if before else window.since


def list_card_firing(
    connection: Connection, window: Window, calls: Sequence[CallGroup], cells: Cells
) -> tuple[CardFiring, ...]:
    """Each card that was shown or would have been. Days with calls whose service is not known are left out."""
    since = first_counted_day(calls, window)
    shown = _shown(cells, since)
    unseen = _unseen(connection, window, since)

    def share(cards: Mapping[CardKey, int], key: CardKey, mode: Mode) -> Rate | None:
        counted = sum_calls(calls, lambda group: (group.service, group.mode) == (key[0], mode) and group.day >= since)
        return rate(cards.get(key, 0), counted.answered)

    return tuple(
        CardFiring(*key, share(shown, key, Mode.VISIBLE), share(unseen, key, Mode.SILENT))
        for key in sorted(shown.keys() | unseen.keys())
    )


def _shown(cells: Cells, since: date) -> dict[CardKey, int]:
    first_day = as_ms_of_day(since) // DAY_MS
    sums = sum_cells(((parts.service, parts.card), cell) for parts, cell in cells.items() if parts.day >= first_day)
    return {key: cell.cards for key, cell in sums.items()}


def _unseen(connection: Connection, window: Window, since: date) -> dict[CardKey, int]:
    silenced = SILENCED_CARD.c
    when = silenced.silenced_at_ms
    cards = (
        select(silenced.service, silenced.card_key, func.count())
        .where(silenced.cause == SILENT_CLIENT, when >= as_ms_of_day(since), when < window.until_ms)
        .group_by(silenced.service, silenced.card_key)
    )
    return {(service, card): count for service, card, count in connection.execute(cards)}
