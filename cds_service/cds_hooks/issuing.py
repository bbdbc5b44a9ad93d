"""From cards to issued cards: which are shown, their ids, the ledger. No clinician waits for a ledger that is away."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from cards.card import Card
from cds_service.cds_hooks.quiet_periods import QuietPeriods, Selection
from cds_service.cds_hooks.wire import HookRequest, IssuedCard
from cds_service.clients.token_check import TrustedClient
from cds_service.event_log.events import CallLog, log_fault
from cds_service.storage.call_counts import CallCounts
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.ledger import Caller, Ledger

_CARD_NAMESPACE = UUID("5f0a51c4-5d1c-5d8f-9f6b-0d9e0c1f7a11")  # ours; a change would change every card's id


class CardIssuer:
    """Issues the cards of one service, and records that it did."""

    def __init__(self, service_id: str, ledger: Ledger, quiet: QuietPeriods, counts: CallCounts) -> None:
        self._service_id = service_id
        self._ledger = ledger
        self._quiet = quiet
        self._counts = counts

    def issue(self, call: HookRequest, client: TrustedClient, cards: Sequence[Card], log: CallLog) -> list[IssuedCard]:
        """The cards that are shown, with their ids; recorded, or the log says why not. Silence touches no database."""
        if not cards:
            self._note(call, client, log, "silent")
            return []
        hashed = None
        if client.registration and client.quiet.period_hours:
            hashed = self._quiet.hash_patient(client.registration, client.tenant, call.patient_id)
        selection = self._quiet.select(client.quiet, cards, hashed)
        log.indicators = {card.key: card.indicator for card in cards}
        issued = [self._with_ids(card, call) for card in selection.shown]
        self._note(call, client, log, "cards" if issued else "quiet")
        log.cards = [one.card.key for one in issued]
        log.card_uuids = [one.uuid for one in issued]
        self._record(call, client, issued, selection, hashed, log)
        return issued

    def _note(self, call: HookRequest, client: TrustedClient, log: CallLog, outcome: str) -> None:
        log.outcome = outcome
        self._counts.add(client.name, client.tenant, call.hook, outcome)

    def _record(
        self,
        call: HookRequest,
        client: TrustedClient,
        issued: Sequence[IssuedCard],
        selection: Selection,
        hashed: bytes | None,
        log: CallLog,
    ) -> None:
        caller = Caller(self._service_id, client.name, client.tenant)
        silenced = {
            cause: tuple(self._with_ids(card, call) for card in cards) for cause, cards in selection.silenced.items()
        }
        log.silenced = {one.card.key: cause for cause, cards in silenced.items() for one in cards}
        try:
            self._ledger.record(caller, call.hook, call.hook_instance, issued, silenced, hashed)
        except DatabaseUnavailable as reason:
            log.unrecorded = str(reason)
        except Exception as fault:  # a fault of ours in the ledger must not cost a clinician the cards either
            log.unrecorded = type(fault).__name__
            log_fault(fault)
        log.lap("ledger")

    def _with_ids(self, card: Card, call: HookRequest) -> IssuedCard:
        """Ids that are a function of hookInstance, service and card: a call tried again gets the same answer."""
        name = f"{call.hook_instance}/{self._service_id}/{card.key}"
        suggestions = {one.key: str(uuid5(_CARD_NAMESPACE, f"{name}/{one.key}")) for one in card.suggestions}
        return IssuedCard(card, str(uuid5(_CARD_NAMESPACE, name)), suggestions)
