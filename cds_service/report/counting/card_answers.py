"""What clinicians answered to the cards of the window: reasons for overriding, and suggestions that were taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Subquery, case, exists, func, select, union_all

from cds_service.report.counting.card_counts import CardKey, is_never_silenced, whole_sum
from cds_service.report.counting.snapshot import ACCEPTED, ANSWERED, OVERRIDDEN, is_in
from cds_service.report.counting.tallies import Rate, rate
from cds_service.report.counting.window import Window, as_time
from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK, ISSUED_CARD, ISSUED_SUGGESTION

MOST_LISTED = 20  # overrides of cards that are never silenced, each by the id of its card


@dataclass(frozen=True)
class Reason:
    """Why cards were overridden. `code` None: no reason was given. `foreign`: not one that the card offered.

    `service` and `card` are empty where the reasons of all cards are summed.
    """

    service: str
    card: str
    system: str | None
    code: str | None
    foreign: bool
    cards: int


@dataclass(frozen=True)
class Suggestion:
    """What became of one suggestion: taken, or its card accepted without it, overridden, or unanswered."""

    service: str
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
class NeverSilencedOverride:
    """A card that is critical or never silenced and was overridden, by the ids under which the logs know it."""

    card_uuid: str
    service: str
    card: str
    indicator: str
    client: str
    tenant: str
    issued_at: datetime
    reason: Reason


def list_reasons(connection: Connection) -> tuple[Reason, ...]:
    """Why cards were overridden, by card, the most frequent first. Every overridden card counts under one reason."""
    last = _last_reasons().c
    cards = func.count()
    key = (last.service, last.card_key, last.reason_system, last.reason_code, last.foreign_reason)
    order = (cards.desc(), last.service, last.card_key, last.reason_code, last.reason_system)
    rows = connection.execute(select(*key, cards).group_by(*key).order_by(*order))
    return tuple(
        Reason(service, card, system, code, bool(foreign), count)
        for service, card, system, code, foreign, count in rows
    )


def list_suggestions(connection: Connection, window: Window) -> tuple[Suggestion, ...]:
    """What became of each suggestion, by card."""
    offered, taken, card = ISSUED_SUGGESTION.c, ACCEPTED_SUGGESTION.c, ANSWERED.c
    was_taken = exists().where(
        FEEDBACK.c.card_uuid == card.card_uuid,
        FEEDBACK.c.foreign_card.is_(False),
        taken.feedback_digest == FEEDBACK.c.feedback_digest,
        taken.suggestion_uuid == offered.suggestion_uuid,
        taken.foreign_suggestion.is_(False),
    )
    # CASE and not AND, so that what was not accepted is not looked up
    count_taken = case((card.answer != ACCEPTED, 0), (was_taken, 1), else_=0)
    outcomes = [whole_sum(case((card.answer == answer, 1), else_=0)) for answer in (ACCEPTED, OVERRIDDEN)]
    # the name that differs most stands first, so that rows are told apart at once
    key = (offered.suggestion_key, card.card_key, card.service)
    answers = (
        select(*key, whole_sum(count_taken), *outcomes)
        # an outer join, so that SQLite begins with the few cards that have answers
        .select_from(ANSWERED.outerjoin(ISSUED_SUGGESTION, card.card_uuid == offered.card_uuid))
        .group_by(*key)
    )
    told = {(service, key, name): counts for name, key, service, *counts in connection.execute(answers)}
    shown = (offered.suggestion_key, ISSUED_CARD.c.card_key, ISSUED_CARD.c.service)
    offers = (
        select(*shown, func.count())
        .select_from(ISSUED_SUGGESTION.join(ISSUED_CARD, ISSUED_CARD.c.card_uuid == offered.card_uuid))
        .where(is_in(window))
        .group_by(*shown)
    )
    offers_by_card = sorted((service, key, name, count) for name, key, service, count in connection.execute(offers))
    suggestions = []
    for service, key, name, count in offers_by_card:
        taken_cards, accepted, overridden = told.get((service, key, name), (0, 0, 0))
        without, unanswered = accepted - taken_cards, count - accepted - overridden
        suggestions.append(Suggestion(service, key, name, count, taken_cards, without, overridden, unanswered))
    return tuple(suggestions)


def list_never_silenced_overrides(
    connection: Connection, never_silenced: Collection[CardKey]
) -> tuple[NeverSilencedOverride, ...]:
    """The latest overrides of critical cards and of those that are never silenced, MOST_LISTED at most."""
    last = _last_reasons(never_silenced)
    statement = select(last).order_by(last.c.issued_at_ms.desc(), last.c.card_uuid).limit(MOST_LISTED)
    return tuple(
        NeverSilencedOverride(
            row.card_uuid,
            row.service,
            row.card_key,
            row.indicator,
            row.client,
            row.tenant,
            as_time(row.issued_at_ms),
            Reason(row.service, row.card_key, row.reason_system, row.reason_code, bool(row.foreign_reason), 1),
        )
        for row in connection.execute(statement)
    )


def _last_reasons(never_silenced: Collection[CardKey] | None = None) -> Subquery:
    """Each overridden card, or each that `is_never_silenced`, with the reason of its latest override that gives one."""
    entry, card = FEEDBACK.c, ANSWERED.c
    names = ("card_uuid", "service", "card_key", "indicator", "client", "tenant", "issued_at_ms")
    of_card = [card[name] for name in names]
    is_wanted = card.answer == OVERRIDDEN
    if never_silenced is not None:
        is_wanted &= is_never_silenced(card, never_silenced)
    only_one = select(*of_card, card.reason_system, card.reason_code, card.foreign_reason)
    only_one = only_one.where(is_wanted, card.overrides == 1)
    is_override = (entry.outcome == "overridden") & entry.foreign_card.is_(False)
    without = case((entry.reason_code.is_(None), 1), else_=0)
    latest_first = (without, entry.outcome_at_ms.desc(), entry.received_at_ms.desc(), entry.feedback_digest)
    numbered = (
        select(
            *of_card,
            *(entry.reason_system, entry.reason_code),
            case((entry.foreign_reason.is_(True), 1), else_=0).label("foreign_reason"),
            func.row_number().over(partition_by=card.card_uuid, order_by=latest_first).label("place"),
        )
        # an outer join, so that SQLite begins with the few cards that were overridden more than once
        .select_from(ANSWERED.outerjoin(FEEDBACK, is_override & (card.card_uuid == entry.card_uuid)))
        .where(is_wanted, card.overrides > 1)
        .subquery()
    )
    latest = [numbered.c[column.name] for column in only_one.selected_columns]
    return union_all(only_one, select(*latest).where(numbered.c.place == 1)).subquery()
