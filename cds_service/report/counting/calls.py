"""The calls behind the cards: the firing rate, and the days without any call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from cds_service.report.counting.tallies import Rate, rate
from cds_service.report.counting.window import Window
from cds_service.storage.schema import CALL_COUNT

_OUTCOMES = ("cards", "silent", "quiet", "refused")


@dataclass(frozen=True)
class Calls:
    """Calls by how they were answered. `quiet`: cards were due and all were silenced at the client's wish."""

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


@dataclass(frozen=True)
class ClientCalls:
    """The calls of one client with one hook."""

    client: str
    hook: str
    calls: Calls


def count_calls_by_day(connection: Connection, window: Window) -> dict[date, Calls]:
    """The calls of each day that has any, in order."""
    counted = _count(connection, window, CALL_COUNT.c.day)
    return {date.fromisoformat(day): calls for (day,), calls in counted.items()}


def count_calls_by_client(connection: Connection, window: Window) -> tuple[ClientCalls, ...]:
    """The calls of each client and hook."""
    counted = _count(connection, window, CALL_COUNT.c.client, CALL_COUNT.c.hook)
    return tuple(ClientCalls(client, hook, calls) for (client, hook), calls in counted.items())


def all_calls(parts: Iterable[Calls]) -> Calls:
    """Their sum."""
    listed = list(parts)
    return Calls(*(sum(getattr(calls, name) for calls in listed) for name in _OUTCOMES))


def _count(connection: Connection, window: Window, *key: ColumnElement[str]) -> dict[tuple[str, ...], Calls]:
    count = CALL_COUNT.c
    statement = (
        select(*key, count.outcome, cast(func.sum(count.calls), BigInteger))
        .where(count.day >= window.since.isoformat(), count.day <= window.last_day.isoformat())
        .group_by(*key, count.outcome)
        .order_by(*key)
    )
    counted: dict[tuple[str, ...], dict[str, int]] = {}
    for *group, outcome, calls in connection.execute(statement):
        counted.setdefault(tuple(group), {})[outcome] = calls
    return {group: _calls(outcomes) for group, outcomes in counted.items()}


def _calls(outcomes: Mapping[str, int]) -> Calls:
    return Calls(*(outcomes.get(name, 0) for name in _OUTCOMES))
