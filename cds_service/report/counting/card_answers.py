"""What clinicians answered to the cards of the window: reasons for overriding, and suggestions that were taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cds_service.report.counting.cards import CountedCards
from cds_service.report.counting.tallies import Rate, rate
from cds_service.report.counting.window import as_time

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
    """The outcome of one suggestion: taken, or its card accepted without it, overridden, or unanswered."""

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


def list_reasons(counted: CountedCards) -> tuple[Reason, ...]:
    """Why cards were overridden, by card, the most frequent first. Every overridden card counts under one reason."""
    reasons = [Reason(service, card, *reason, cards) for (service, card, reason), cards in counted.reasons.items()]
    return tuple(sorted(reasons, key=_by_frequency))


def list_suggestions(counted: CountedCards) -> tuple[Suggestion, ...]:
    """The outcome of each suggestion, by card."""
    return tuple(
        Suggestion(
            *key,
            offers.offered,
            offers.taken,
            offers.accepted - offers.taken,
            offers.overridden,
            offers.offered - offers.accepted - offers.overridden,
        )
        for key, offers in sorted(counted.suggestions.items())
    )


def list_never_silenced_overrides(counted: CountedCards) -> tuple[NeverSilencedOverride, ...]:
    """The latest overrides of critical cards and of those that are never silenced, MOST_LISTED at most."""
    latest = sorted(counted.never_silenced_overrides, key=lambda card: (-card.issued_at_ms, card.card_uuid))
    return tuple(
        NeverSilencedOverride(
            card.card_uuid,
            card.parts.service,
            card.parts.card,
            card.parts.indicator,
            card.parts.client,
            card.parts.tenant,
            as_time(card.issued_at_ms),
            Reason(card.parts.service, card.parts.card, *card.reason, 1),
        )
        for card in latest[:MOST_LISTED]
    )


def _by_frequency(reason: Reason) -> tuple[int, str, str, str, str]:
    return -reason.cards, reason.service, reason.card, reason.code or "", reason.system or ""
