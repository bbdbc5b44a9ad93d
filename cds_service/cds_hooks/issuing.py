"""From cards to issued cards: which are shown, their ids, the ledger. No clinician waits for an unavailable ledger."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from cards.card import Card
from cds_service.cds_hooks.hook_request import HookRequest
from cds_service.cds_hooks.silencing import Silencer
from cds_service.clients.clients_file import Mode
from cds_service.clients.token_check import TrustedClient
from cds_service.event_log.call_log import CallLog
from cds_service.event_log.events import log_fault
from cds_service.steps import Steps
from cds_service.storage.call_counts import CallCounts
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.ledger import Ledger
from cds_service.storage.ledger_entries import Caller, IssuedCard

_CARD_NAMESPACE = UUID("5f0a51c4-5d1c-5d8f-9f6b-0d9e0c1f7a11")  # ours; a change would change every card's id


class CardIssuer:
    """Issues the cards of calls, and records that it did."""

    def __init__(self, ledger: Ledger, silencer: Silencer, counts: CallCounts) -> None:
        self._ledger = ledger
        self._silencer = silencer
        self._counts = counts

    def issue(
        self, caller: Caller, client: TrustedClient, call: HookRequest, cards: Sequence[Card], log: CallLog
    ) -> Steps[Sequence[IssuedCard]]:
        """The cards that are shown, with their ids; recorded, or the log says why not. Silence touches no database.

        To a silent client none is shown; what would have been is recorded as silenced, and counted as if it had been.
        """
        if not cards:
            self._count(caller, client, call, log, "silent")
            return ()
        patient_hash = self._silencer.hash_patient(client, call.patient_id)
        selection = yield from self._silencer.select(caller.service, client.card_limits, cards, patient_hash)
        self._count(caller, client, call, log, "cards" if selection.shown else "quiet")
        shown, silenced = selection.for_silent_client() if client.mode is Mode.SILENT else selection
        issued = [_issued(caller, call, card) for card in shown]
        unseen = {cause: tuple(_issued(caller, call, card) for card in cards) for cause, cards in silenced.items()}
        log.indicators = {card.key: card.indicator for card in cards}
        log.cards = [shown_card.card.key for shown_card in issued]
        log.card_uuids = [shown_card.uuid for shown_card in issued]
        log.silenced = {card.key: cause for cause, cards in silenced.items() for card in cards}
        try:
            yield from self._ledger.record(caller, call.hook, call.hook_instance, issued, unseen, patient_hash)
        except DatabaseUnavailable as reason:
            log.unrecorded = str(reason)
        except Exception as fault:  # a fault of ours in the ledger must not cost a clinician the cards either
            log.unrecorded = type(fault).__name__
            log_fault(fault)
        log.lap("ledger")
        return issued

    def _count(self, caller: Caller, client: TrustedClient, call: HookRequest, log: CallLog, outcome: str) -> None:
        log.outcome = outcome
        self._counts.add(caller, client.mode, call.hook, outcome)


def _issued(caller: Caller, call: HookRequest, card: Card) -> IssuedCard:
    """Ids that are a function of hookInstance, service and card: a call tried again gets the same answer."""
    name = f"{call.hook_instance}/{caller.service}/{card.key}"
    keys = [suggestion.key for suggestion in card.suggestions]
    suggestions = {key: str(uuid5(_CARD_NAMESPACE, f"{name}/{key}")) for key in keys}
    return IssuedCard(card, str(uuid5(_CARD_NAMESPACE, name)), suggestions)
