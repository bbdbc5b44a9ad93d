"""Questions about the cards of the window: one statement each, the same in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, Integer, Subquery, case, cast, exists, func, or_, select

from cds_service.report.snapshot import ACCEPTED, CARD, CELL, OVERRIDDEN, UNANSWERED, inline
from cds_service.report.tallies import Group, Rate, Tally, rate
from cds_service.report.window import as_time, monday
from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK, ISSUED_SUGGESTION

RED_FLAGS = "red-flags"
MOST_LISTED = 20  # red-flag cards that were overridden, each by its id

# how a row of CELL, and one of CARD, falls into a breakdown; 1970-01-01 was a Thursday, three days after week 0 began
_DIMENSIONS: dict[str, tuple[Sequence[ColumnElement[object]], Sequence[ColumnElement[object]]]] = {
    "card": ([CELL.c.card_key], [CARD.c.card_key]),
    "week": ([(CELL.c.day + inline(3)) // inline(7)], [(CARD.c.day + inline(3)) // inline(7)]),
    "client": ([CELL.c.client], [CARD.c.client]),
    "tenant": ([CELL.c.client, CELL.c.tenant], [CARD.c.client, CARD.c.tenant]),
    "content-version": ([CELL.c.content_version], [CARD.c.content_version]),
}


@dataclass(frozen=True)
class Timing:
    """How many answers' clocks were taken otherwise than as told, and how many cards have answers that contradict."""

    at_once: int
    too_early: int
    too_late: int
    changed: int


@dataclass(frozen=True)
class VersionTally:
    """One card in one content version, and when it was first and last shown in it."""

    card: str
    content_version: str
    first_at: datetime
    last_at: datetime
    tally: Tally


@dataclass(frozen=True)
class Version:
    """A content version and its cards in the window."""

    content_version: str
    first_at: datetime
    last_at: datetime
    issued: int


@dataclass(frozen=True)
class Reason:
    """Why cards were overridden. `code` None: no reason was given. `foreign`: not one that the card offered."""

    card: str
    system: str | None
    code: str | None
    foreign: bool
    cards: int


@dataclass(frozen=True)
class Suggestion:
    """What became of one suggestion: taken, or its card accepted without it, overridden, or unanswered."""

    card: str
    suggestion: str
    offered: int
    taken: int
    accepted_without: int
    overridden: int
    unanswered: int

    @property
    def taken_of_offered(self) -> Rate | None:
        """How often it was taken, of all times it was offered: at least so often."""
        return rate(self.taken, self.offered)

    @property
    def taken_of_answered(self) -> Rate | None:
        """How often it was taken, of the times with feedback."""
        return rate(self.taken, self.offered - self.unanswered)


@dataclass(frozen=True)
class RedFlagOverride:
    """One red-flag card that was overridden, by the ids under which the logs know it."""

    card_uuid: str
    card: str
    indicator: str
    client: str
    tenant: str
    issued_at: datetime
    reason: Reason


def ask_total(connection: Connection) -> Tally:
    """All cards of the window together."""
    groups = _tally(connection, [], [])
    return groups[0].tally if groups else Tally()


def ask_groups(connection: Connection, dimension: str) -> tuple[Group, ...]:
    """The cards by card, week (its Monday), client, tenant or content-version; in the order of their keys."""
    groups = _tally(connection, *_DIMENSIONS[dimension])
    if dimension == "week":
        return tuple(Group((monday(int(group.key[0])).isoformat(),), group.tally) for group in groups)
    return tuple(groups)


def ask_red_flags(connection: Connection) -> tuple[Group, ...]:
    """The cards about red flags, by card and urgency."""
    return tuple(_tally(connection, [CELL.c.card_key, CELL.c.indicator], [CARD.c.card_key, CARD.c.indicator], True))


def ask_timing(connection: Connection) -> Timing:
    """How the clients' clocks were taken."""
    cell = CELL.c
    columns = (cell.at_once, cell.too_early, cell.too_late, cell.changed)
    return Timing(*(found or 0 for found in connection.execute(select(*map(_sum, columns))).one()))


def ask_version_tallies(connection: Connection) -> tuple[VersionTally, ...]:
    """Each card in each content version, the older version first."""
    cell = CELL.c
    first = func.min(cell.first_ms)
    statement = (
        select(cell.card_key, cell.content_version, first, func.max(cell.last_ms), *_counts())
        .group_by(cell.card_key, cell.content_version)
        .order_by(cell.card_key, first, cell.content_version)
    )
    return tuple(
        VersionTally(card, version, as_time(first_ms), as_time(last_ms), Tally(issued, accepted, overridden, timed))
        for card, version, first_ms, last_ms, issued, accepted, overridden, timed in connection.execute(statement)
    )


def ask_versions(connection: Connection) -> tuple[Version, ...]:
    """The content versions in use, the oldest first."""
    cell = CELL.c
    first = func.min(cell.first_ms)
    statement = (
        select(cell.content_version, first, func.max(cell.last_ms), _sum(cell.cards))
        .group_by(cell.content_version)
        .order_by(first, cell.content_version)
    )
    return tuple(
        Version(name, as_time(first_ms), as_time(last_ms), cards)
        for name, first_ms, last_ms, cards in connection.execute(statement)
    )


def ask_reasons(connection: Connection) -> tuple[Reason, ...]:
    """Why cards were overridden, by card, the most frequent first. Every overridden card counts under one reason."""
    last = _last_reasons().c
    cards = func.count()
    key = (last.card_key, last.reason_system, last.reason_code, last.foreign_reason)
    statement = (
        select(*key, cards).group_by(*key).order_by(cards.desc(), last.card_key, last.reason_code, last.reason_system)
    )
    rows = connection.execute(statement)
    return tuple(Reason(card, system, code, bool(foreign), count) for card, system, code, foreign, count in rows)


def ask_suggestions(connection: Connection) -> tuple[Suggestion, ...]:
    """What became of each suggestion, by card."""
    offered, taken, card = ISSUED_SUGGESTION.c, ACCEPTED_SUGGESTION.c, CARD.c
    was_taken = exists().where(
        FEEDBACK.c.card_uuid == card.card_uuid,
        FEEDBACK.c.foreign_card.is_(False),
        taken.feedback_digest == FEEDBACK.c.feedback_digest,
        taken.suggestion_uuid == offered.suggestion_uuid,
        taken.foreign_suggestion.is_(False),
    )
    key = (card.card_key, offered.suggestion_key)
    # CASE and not AND, so that what was not accepted is not looked up
    count_taken = case((card.answer != ACCEPTED, 0), (was_taken, 1), else_=0)
    outcomes = [_count_if(card.answer == answer) for answer in (ACCEPTED, OVERRIDDEN, UNANSWERED)]
    statement = (
        select(*key, func.count(), _sum(count_taken), *outcomes)
        .select_from(ISSUED_SUGGESTION.join(CARD, card.card_uuid == offered.card_uuid))
        .group_by(*key)
        .order_by(*key)
    )
    return tuple(
        Suggestion(of, name, count, took, accepted - took, overridden, unanswered)
        for of, name, count, took, accepted, overridden, unanswered in connection.execute(statement)
    )


def ask_red_flag_overrides(connection: Connection) -> tuple[RedFlagOverride, ...]:
    """The latest red-flag cards that were overridden, MOST_LISTED at most."""
    last = _last_reasons(red_flags=True)
    statement = select(last).order_by(last.c.issued_at_ms.desc(), last.c.card_uuid).limit(MOST_LISTED)
    return tuple(
        RedFlagOverride(
            row.card_uuid,
            row.card_key,
            row.indicator,
            row.client,
            row.tenant,
            as_time(row.issued_at_ms),
            Reason(row.card_key, row.reason_system, row.reason_code, bool(row.foreign_reason), 1),
        )
        for row in connection.execute(statement)
    )


def _tally(
    connection: Connection,
    cell_key: Sequence[ColumnElement[object]],
    card_key: Sequence[ColumnElement[object]],
    red_flags: bool = False,
) -> list[Group]:
    """Counts from CELL, medians from CARD."""
    medians = _medians(connection, card_key, red_flags)
    statement = select(*cell_key, *_counts()).group_by(*cell_key).order_by(*cell_key)
    if red_flags:
        statement = statement.where(_is_red_flag(CELL.c.card_key, CELL.c.indicator))
    groups = []
    for *key, issued, accepted, overridden, timed in connection.execute(statement):
        if issued:
            tally = Tally(issued, accepted, overridden, timed, medians.get(tuple(key)))
            groups.append(Group(tuple(map(str, key)), tally))
    return groups


def _medians(
    connection: Connection, key: Sequence[ColumnElement[object]], red_flags: bool
) -> dict[tuple[object, ...], float]:
    """Median time to action in seconds: the middle card of each group, or the mean of the two in the middle."""
    wait = CARD.c.wait_ms
    names = [f"key_{number}" for number in range(len(key))]
    place = func.row_number().over(partition_by=key or None, order_by=wait)
    size = func.count().over(partition_by=key or None)
    labelled = [one.label(name) for one, name in zip(key, names, strict=True)]
    ranked = select(*labelled, wait.label("wait_ms"), place.label("place"), size.label("size"))
    ranked = ranked.where(wait.is_not(None))
    if red_flags:
        ranked = ranked.where(_is_red_flag(CARD.c.card_key, CARD.c.indicator))
    middle = ranked.subquery()
    keys = [middle.c[name] for name in names]
    twice = middle.c.place * 2
    # the lower and the upper middle; as a sum of two whole numbers, so that both databases give the same
    statement = (
        select(*keys, func.min(middle.c.wait_ms), func.max(middle.c.wait_ms))
        .where(twice >= middle.c.size, twice <= middle.c.size + 2)
        .group_by(*keys)
    )
    return {tuple(found): (low + high) / 2000 for *found, low, high in connection.execute(statement) if low is not None}


def _last_reasons(*, red_flags: bool = False) -> Subquery:
    """Each overridden card with the reason of its latest override that gives one."""
    entry, card = FEEDBACK.c, CARD.c
    without = case((entry.reason_code.is_(None), 1), else_=0)
    latest_first = (without, entry.outcome_at_ms.desc(), entry.received_at_ms.desc(), entry.feedback_digest)
    ranked = (
        select(
            *(card.card_uuid, card.card_key, card.indicator, card.client, card.tenant, card.issued_at_ms),
            *(entry.reason_system, entry.reason_code, entry.foreign_reason),
            func.row_number().over(partition_by=entry.card_uuid, order_by=latest_first).label("place"),
        )
        .select_from(FEEDBACK.join(CARD, card.card_uuid == entry.card_uuid))
        .where(card.answer == OVERRIDDEN, entry.outcome == "overridden", entry.foreign_card.is_(False))
    )
    if red_flags:
        ranked = ranked.where(_is_red_flag(card.card_key, card.indicator))
    numbered = ranked.subquery()
    return select(numbered).where(numbered.c.place == 1).subquery()


def _counts() -> tuple[ColumnElement[int], ...]:
    cell = CELL.c
    accepted = case((cell.answer == ACCEPTED, cell.cards), else_=0)
    overridden = case((cell.answer == OVERRIDDEN, cell.cards), else_=0)
    return _sum(cell.cards), _sum(accepted), _sum(overridden), _sum(cell.timed)


def _sum(column: ColumnElement[object]) -> ColumnElement[int]:
    """A sum as a whole number: PostgreSQL sums big integers to decimals."""
    return cast(func.sum(column), BigInteger)


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return cast(func.sum(case((condition, 1), else_=0)), Integer)


def _is_red_flag(key: ColumnElement[str], indicator: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(key == RED_FLAGS, indicator == "critical")
