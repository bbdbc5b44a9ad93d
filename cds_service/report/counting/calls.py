"""The calls behind the cards, by mode of the client: firing rates, and the days without any call.

Calls that were counted before services and modes were distinguished (ADR 23) have no service, and their clients were
visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Subquery, cast, func, literal, select, union_all

from cds_service.clients.clients_file import Mode
from cds_service.report.counting.tallies import Rate, rate
from cds_service.report.counting.window import Window
from cds_service.storage.schema import CALL_COUNT, SERVICE_CALL_COUNT

_OUTCOMES = ("cards", "silent", "quiet", "refused")


@dataclass(frozen=True)
class Calls:
    """Calls by how they were answered. `quiet`: cards were due and all were silenced, by limits or by the site.

    Of silent clients: by how they would have been answered.
    """

    cards: int = 0
    silent: int = 0
    quiet: int = 0
    refused: int = 0

    @property
    def answered(self) -> int:
        """Calls that were answered, with cards or without; refused ones are not."""
        return self.cards + self.silent + self.quiet

    @property
    def firing(self) -> Rate | None:
        """Calls answered with a card, of all that were answered."""
        return rate(self.cards, self.answered)


class CallGroup(NamedTuple):
    """The calls of one day of one client for one service with one hook. `service` empty: counted before (see above)."""

    day: date
    client: str
    service: str
    hook: str
    mode: str
    calls: Calls


class ModeSpan(NamedTuple):
    """Days on which a client called in one mode, without a day between them on which it called in the other only.

    `goes_on`: no later call was in the other mode only.
    """

    client: str
    mode: str
    first_day: date
    last_day: date
    goes_on: bool = False


def count_calls(connection: Connection, window: Window) -> tuple[CallGroup, ...]:
    """All calls of the window, by day, client, service, hook and mode."""
    counts = _all_counts().c
    key = (counts.day, counts.client, counts.service, counts.hook, counts.mode)
    statement = (
        select(*key, counts.outcome, cast(func.sum(counts.calls), BigInteger))
        .where(counts.day >= window.since.isoformat(), counts.day <= window.last_day.isoformat())
        .group_by(*key, counts.outcome)
        .order_by(*key)
    )
    counted: dict[tuple[str, str, str, str, str], dict[str, int]] = {}
    for day, client, service, hook, mode, outcome, calls in connection.execute(statement):
        counted.setdefault((day, client, service, hook, mode), {})[outcome] = calls
    return tuple(
        CallGroup(date.fromisoformat(day), client, service, hook, mode, _calls(outcomes))
        for (day, client, service, hook, mode), outcomes in counted.items()
    )


def list_mode_spans(connection: Connection) -> tuple[ModeSpan, ...]:
    """Since when each client was silent or visible, over the whole ledger, by client and in order of time."""
    counts = _all_counts().c
    statement = select(counts.client, counts.day, counts.mode).distinct()
    statement = statement.order_by(counts.client, counts.day, counts.mode)
    counted = connection.execute(statement).all()
    return tuple(
        span for client, rows in groupby(counted, key=lambda row: row.client) for span in _spans_of(client, rows)
    )


def _spans_of(client: str, rows: Iterable[Any]) -> list[ModeSpan]:
    """The spans of one client. `rows`: with its days and modes, in order."""
    spans: list[ModeSpan] = []
    latest: dict[str, int] = {}  # where in `spans` the latest one of a mode is
    previous = None
    for day, of_day in groupby(rows, key=lambda row: row.day):
        today = date.fromisoformat(day)
        for row in of_day:
            place = latest.get(row.mode)
            if place is not None and spans[place].last_day == previous:
                spans[place] = spans[place]._replace(last_day=today)
            else:
                latest[row.mode] = len(spans)
                spans.append(ModeSpan(client, row.mode, today, today))
        previous = today
    return [span._replace(goes_on=span.last_day == previous) for span in spans]


def sum_calls(groups: Iterable[CallGroup], included: Callable[[CallGroup], bool]) -> Calls:
    """The sum of those that are included."""
    listed = [group.calls for group in groups if included(group)]
    return Calls(*(sum(getattr(calls, name) for calls in listed) for name in _OUTCOMES))


def _calls(outcomes: Mapping[str, int]) -> Calls:
    return Calls(*(outcomes.get(name, 0) for name in _OUTCOMES))


def _all_counts() -> Subquery:
    """Both tables of counts in one."""
    older, counts = CALL_COUNT.c, SERVICE_CALL_COUNT.c
    before = select(
        older.day,
        older.client,
        literal("").label("service"),
        older.hook,
        literal(Mode.VISIBLE.value).label("mode"),
        older.outcome,
        older.calls,
    )
    since = select(counts.day, counts.client, counts.service, counts.hook, counts.mode, counts.outcome, counts.calls)
    return union_all(before, since).subquery()
