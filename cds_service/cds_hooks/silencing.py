"""Alert fatigue: which cards a client asked not to be shown (opt-in, ADR 10), and which a site turned off.

Nothing else silences a card, but for clients that are silent as a whole (ADR 23). A card that its topic calls always
shown is never silenced, and no client silences a critical one. A card that has become more urgent since it was
overridden is another card, and is shown.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import select

from cards.card import Card
from cds_service.clients.registry import CardLimits
from cds_service.clients.token_check import TrustedClient
from cds_service.event_log.events import log_fault
from cds_service.steps import Steps
from cds_service.storage.database import Database, DatabaseUnavailable
from cds_service.storage.retention import remove_old
from cds_service.storage.schema import CARD_PATIENT, QUIET_CARD

# why a card was silenced
QUIET_PERIOD, MAX_CARDS, SWITCHED_OFF = "quiet-period", "max-cards", "switched-off"
SILENT_CLIENT = "silent-client"  # nothing else silenced it: it would have been shown


class Selection(NamedTuple):
    """The cards of a call that are shown; and those that are not, by cause."""

    shown: Sequence[Card]
    silenced: Mapping[str, Sequence[Card]]

    def for_silent_client(self) -> Selection:
        """The same where the client is silent: none is shown, and what would have been has a cause of its own."""
        return Selection((), {**self.silenced, SILENT_CLIENT: self.shown} if self.shown else self.silenced)


class Silencer:
    """Remembers, by keyed hash, for which patients a card was overridden with a final reason."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        hash_key: str,
        cards_off: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        """`cards_off`: what the site turned off, by service and card."""
        self._database = database
        self._clock = clock
        self._hash_key = hash_key.encode()
        self._cards_off = cards_off

    def hash_patient(self, client: TrustedClient, patient_id: str) -> bytes | None:
        """The keyed hash (HMAC-SHA-256) of a patient of a client: of no use to anybody without the key.

        None for a client without a quiet period: nothing is kept of its patients.
        """
        if not client.card_limits.quiet_period_hours:
            return None
        whose = f"{len(client.name)}:{client.name}{len(client.tenant)}:{client.tenant}{patient_id}"
        return hmac.new(self._hash_key, whose.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()

    def select(
        self, service: str, limits: CardLimits, cards: Sequence[Card], patient_hash: bytes | None
    ) -> Steps[Selection]:
        """Which of these cards of a service are shown, and which not.

        Where the database cannot be read, no quiet period silences: too many cards are better than one too few.
        """
        resting: frozenset[str] = frozenset()
        if patient_hash:
            resting = yield partial(self._resting_cards, limits.quiet_period_hours or 0, patient_hash)
        off = [card for card in cards if (service, card.key) in self._cards_off]
        rested = [card for card in cards if f"{card.key}/{card.indicator}" in resting and _may_rest(card)]
        rested = [card for card in rested if card not in off]
        due = [card for card in cards if card not in off and card not in rested]
        surplus = _surplus(due, limits.max_cards)
        causes = {SWITCHED_OFF: off, QUIET_PERIOD: rested, MAX_CARDS: surplus}
        shown = [card for card in due if card not in surplus]
        return Selection(shown, {cause: silenced for cause, silenced in causes.items() if silenced})

    def prune(self, longest_period_hours: int) -> None:
        """Forget the hashes that no quiet period reaches any more. Raises DatabaseUnavailable."""
        before_ms = self._ms_ago(longest_period_hours)
        remove_old(self._database, CARD_PATIENT, CARD_PATIENT.c.issued_at_ms < before_ms)
        remove_old(self._database, QUIET_CARD, QUIET_CARD.c.since_ms < before_ms)

    def _resting_cards(self, period_hours: int, patient_hash: bytes) -> frozenset[str]:
        since_ms = self._ms_ago(period_hours)
        keys = select(QUIET_CARD.c.card_key).where(
            QUIET_CARD.c.patient_hash == patient_hash, QUIET_CARD.c.since_ms > since_ms
        )
        try:
            with self._database.read(insist=False) as connection:
                return frozenset(connection.execute(keys).scalars())
        except DatabaseUnavailable:
            return frozenset()
        except Exception as fault:
            log_fault(fault)
            return frozenset()

    def _ms_ago(self, hours: int) -> int:
        return int((self._clock() - timedelta(hours=hours)).timestamp() * 1000)


def _may_rest(card: Card) -> bool:
    return not card.always_shown and card.indicator != "critical"


def _surplus(cards: Sequence[Card], most: int | None) -> Sequence[Card]:
    """The cards beyond `most`, the least urgent first; they come most urgent first."""
    if most is None or len(cards) <= most:
        return ()
    kept = [card for card in cards if not _may_rest(card)]
    kept += [card for card in cards if _may_rest(card)][: max(most - len(kept), 0)]
    return [card for card in cards if card not in kept]
