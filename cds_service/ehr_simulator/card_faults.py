"""Where an answer breaks the specification, in words (R-4.2 to R-4.59). Its cards are shown as far as possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cds_service.terminal import objects_in

_LONGEST_SUMMARY = 139  # characters
_INDICATORS = ("info", "warning", "critical")


def find_answer_faults(answer: Any) -> Iterator[str]:
    """Every fault of an answer with status 200, each with the card it is in."""
    if not isinstance(answer, dict):
        yield "the answer is not a JSON object"
        return
    cards = answer.get("cards")
    if not isinstance(cards, list):
        yield "the answer has no list of cards"
    if "systemActions" in answer:
        yield from _action_faults(answer["systemActions"], "systemActions")
    for number, card in enumerate(cards if isinstance(cards, list) else (), start=1):
        for fault in _card_faults(card) if isinstance(card, dict) else ("is not an object",):
            yield f"card {number}: {fault}"


def _card_faults(card: dict[str, Any]) -> Iterator[str]:
    summary, indicator, source = card.get("summary"), card.get("indicator"), card.get("source")
    if not _is_text(summary):
        yield "no summary"
    elif len(str(summary)) > _LONGEST_SUMMARY:
        yield f"the summary has {len(str(summary))} characters; it must have fewer than {_LONGEST_SUMMARY + 1}"
    if indicator not in _INDICATORS:
        yield "no indicator" if indicator is None else "the indicator is not info, warning or critical"
    if not (isinstance(source, dict) and _is_text(source.get("label"))):
        yield "no source with a label"
    if "detail" in card and not _is_text(card["detail"]):
        yield "the detail is empty or not text"
    yield from _suggestion_faults(card)
    yield from _list_faults(card, "overrideReasons", ("code", "system", "display"))
    yield from _list_faults(card, "links", ("label", "url", "type"))
    for link in objects_in(card.get("links")):
        if _is_text(link.get("url")) and urlsplit(link["url"]).scheme not in ("http", "https"):
            yield "a link is not an http or https URL"
        if _is_text(link.get("type")) and link["type"] not in ("absolute", "smart"):
            yield "the type of a link is not absolute or smart"


def _suggestion_faults(card: dict[str, Any]) -> Iterator[str]:
    if "suggestions" not in card:
        return
    yield from _list_faults(card, "suggestions", ("label",))
    if card.get("selectionBehavior") not in ("at-most-one", "any"):
        yield "suggestions without a selectionBehavior of at-most-one or any"
    for suggestion in objects_in(card["suggestions"]):
        if "actions" in suggestion:
            yield from _action_faults(suggestion["actions"], "the actions of a suggestion")


def _action_faults(actions: Any, what: str) -> Iterator[str]:
    if not isinstance(actions, list) or not actions:
        yield f"{what}: empty or not a list"
    for action in objects_in(actions):
        if action.get("type") not in ("create", "update", "delete"):
            yield f"{what}: a type that is not create, update or delete"
        elif action["type"] != "delete" and not isinstance(action.get("resource"), dict):
            yield f"{what}: {action['type']} without a resource"
        if not _is_text(action.get("description")):
            yield f"{what}: no description"


def _list_faults(card: dict[str, Any], name: str, texts: tuple[str, ...]) -> Iterator[str]:
    """Faults of an optional list of objects that each need these texts."""
    if name not in card:
        return
    if not isinstance(card[name], list) or not card[name]:
        yield f"{name} is empty or not a list"
    for member in objects_in(card[name]):
        for text in texts:
            if not _is_text(member.get(text)):
                yield f"{name}: one without {text}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
