"""The entries of the ledger: issued cards and their feedback, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cards.card import Card
from cds_service.storage.schema import as_name


@dataclass(frozen=True)
class Caller:
    """The service that was called, and the client and tenant that called it."""

    service: str
    client: str
    tenant: str

    @property
    def columns(self) -> dict[str, str]:
        """The columns that every row has."""
        return {"service": self.service, "client": self.client, "tenant": as_name(self.tenant)}


@dataclass(frozen=True)
class IssuedCard:
    """A card with the ids of one call: its own, and those of its suggestions by key."""

    card: Card
    uuid: str
    suggestion_uuids: Mapping[str, str]


@dataclass(frozen=True)
class FeedbackEntry:
    """The feedback on one card. Times in milliseconds since 1970, UTC."""

    card_uuid: str
    outcome: str
    outcome_at_ms: int
    accepted_suggestions: tuple[str, ...] = ()
    reason_system: str | None = None
    reason_code: str | None = None
    user_comment: str | None = None

    def __repr__(self) -> str:
        """Never the comment, which may be about a patient."""
        return f"<FeedbackEntry {self.card_uuid} {self.outcome}>"


@dataclass(frozen=True)
class Stored:
    """The result of a batch of feedback, in entries; `unknown` ones are about cards not issued to this client."""

    new: int
    repeated: int
    unknown: int
