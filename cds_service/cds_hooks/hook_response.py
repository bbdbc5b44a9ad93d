"""The answer to a hook call as JSON: from issued cards to CDS Hooks' camelCase (R-4.1 to R-4.48)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cards.card import Card, Link, Suggestion
from cds_service.storage.ledger_entries import IssuedCard
from cds_service.version import PROJECT

# Our key in every `extension`, whatever the service: the project has no domain of its own to name it by.
EXTENSION = PROJECT
FIRST_LANGUAGE = "en"  # every patient page is there in it; translations have the same headings in the same places
EVIDENCE_LABEL = "Evidence and limits of this card"


def patient_page_address(base_url: str, page: str, language: str) -> str:
    """A patient page, in a language."""
    return f"{base_url}/education/{page}" + ("" if language == FIRST_LANGUAGE else f"?lang={language}")


def evidence_address(base_url: str, service_id: str, card: str) -> str:
    """The evidence page of a card."""
    return f"{base_url}/evidence/{service_id}/{card}"


def encode_response(cards: Sequence[IssuedCard], service_id: str, base_url: str) -> bytes:
    """The JSON body of an answer (R-4.1, R-4.2); `base_url` is where our pages are served."""
    return msgspec.json.encode({"cards": [_card(issued, service_id, base_url) for issued in cards]})


def _card(issued: IssuedCard, service_id: str, base_url: str) -> dict[str, Any]:
    card, evidence = issued.card, evidence_address(base_url, service_id, issued.card.key)
    encoded: dict[str, Any] = {
        "uuid": issued.uuid,
        "summary": card.summary,
        "detail": card.full_detail(evidence),
        "indicator": card.indicator,
        "source": card.source,
        "extension": {EXTENSION: _extension(card)},
    }
    if card.suggestions:
        encoded["selectionBehavior"] = "at-most-one"
        encoded["suggestions"] = [_suggestion(each, issued.suggestion_uuids[each.key]) for each in card.suggestions]
    if card.override_reasons:
        encoded["overrideReasons"] = card.override_reasons
    encoded["links"] = [
        *(_link(link, base_url) for link in card.links),
        {"label": EVIDENCE_LABEL, "url": evidence, "type": "absolute"},
    ]
    return encoded


def _extension(card: Card) -> dict[str, Any]:
    """What programs read of a card: which one it is, of which content, and where its findings come from (R-4.29)."""
    provenance = [
        {
            "role": entry.role,
            "resource": entry.resource,
            "system": entry.system,
            "code": entry.code,
            "date": entry.date,
            "valueSet": entry.value_set,
            "valueSetVersion": entry.version,
        }
        for entry in card.provenance
    ]
    members = {
        "card": card.key,
        "contentVersion": card.content_version,
        "class": card.classification,
        "orders": card.orders,
        "provenance": [_without_empty(entry) for entry in provenance],
    }
    return _without_empty(members)


def _without_empty(members: dict[str, Any]) -> dict[str, Any]:
    """Nothing of ours is null or empty (R-0.2)."""
    return {name: value for name, value in members.items() if value}


def _link(link: Link, base_url: str) -> dict[str, str]:
    url = patient_page_address(base_url, link.page, link.language) if link.page else link.url or ""
    return {"label": link.label, "url": url, "type": "absolute"}


def _suggestion(suggestion: Suggestion, uuid: str) -> dict[str, Any]:
    actions = [
        {"type": action.type, "description": action.description, "resource": msgspec.Raw(action.resource)}
        for action in suggestion.actions
    ]
    return {"label": suggestion.label, "uuid": uuid, "actions": actions}
