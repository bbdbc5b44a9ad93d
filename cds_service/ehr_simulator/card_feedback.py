"""Feedback on the cards of an answer (R-5.2 to R-5.7), by their numbers on the screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cards.nearest_names import did_you_mean
from cds_service.terminal import objects_in


class NoSuchCard(ValueError):
    """The answer has no such card, suggestion or reason; the message says which."""


def build_feedback(answer: Any, accepted: Sequence[str], overridden: Sequence[str]) -> bytes:
    """`accepted`: card.suggestion, such as 1.2; `overridden`: card or card:code. Raises NoSuchCard."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entries = []
    for place in accepted:
        number, _, suggestion_number = place.partition(".")
        card = _numbered(answer.get("cards"), number, "card")
        suggestion = _numbered(card.get("suggestions"), suggestion_number, f"suggestion of card {number}")
        ids = [{"id": _uuid(suggestion, f"suggestion {place}")}]
        entries.append({"card": _uuid(card, f"card {number}"), "outcome": "accepted", "acceptedSuggestions": ids})
    for place in overridden:
        number, _, code = place.partition(":")
        card = _numbered(answer.get("cards"), number, "card")
        entry: dict[str, Any] = {"card": _uuid(card, f"card {number}"), "outcome": "overridden"}
        entries.append(entry | ({"overrideReason": {"reason": _reason(card, code)}} if code else {}))
    return json.dumps({"feedback": [entry | {"outcomeTimestamp": now} for entry in entries]}).encode()


def _numbered(listed: Any, number: str, what: str) -> dict[str, Any]:
    """The object with this number, counted from 1 among those that are objects, as they were shown."""
    objects = objects_in(listed)
    if not number.isdecimal() or not 1 <= int(number) <= len(objects):
        raise NoSuchCard(f"there is no {what} with the number {number or '(none)'}: there are {len(objects)}")
    return objects[int(number) - 1]


def _uuid(holder: dict[str, Any], what: str) -> str:
    if not isinstance(holder.get("uuid"), str):
        raise NoSuchCard(f"{what} has no uuid, so feedback on it is not possible")
    return str(holder["uuid"])


def _reason(card: dict[str, Any], code: str) -> dict[str, str]:
    reasons = objects_in(card.get("overrideReasons"))
    for reason in reasons:
        if reason.get("code") == code:
            return {name: reason[name] for name in ("code", "system") if isinstance(reason.get(name), str)}
    codes = [str(reason.get("code")) for reason in reasons]
    nearest = did_you_mean(code, codes)
    raise NoSuchCard(f"the card has no reason {code}; it has {', '.join(codes) or 'none'}{nearest}")
