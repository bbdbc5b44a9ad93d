"""Feedback bodies: the list of the specification, and the bare item that older clients send (R-5.2 to R-5.7)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from cds_service.errors import BadRequest
from cds_service.storage.ledger_entries import FeedbackEntry

MOST_ENTRIES = 1_000  # in one batch
_LONGEST_COMMENT = 2_000  # characters; the rest is cut
_LONGEST_CODE = 200  # characters

_DESCRIBED = "https://cds-hooks.hl7.org/2.0/#feedback describes the body"
_WHAT_TO_SEND = {  # what was sent is not repeated: it may be about a patient
    "card": "send the uuid of the card",
    "outcome": "send accepted or overridden",
    "outcomeTimestamp": "send an RFC 3339 date-time such as 2026-11-22T15:31:45Z",
    "acceptedSuggestions": "send a list of objects, each with the uuid of a suggestion as its id",
    "overrideReason": "send an object with a reason (code and system, of up to 200 characters) or a userComment",
}
_FIELD = re.compile(rf"\b({'|'.join(_WHAT_TO_SEND)})\b")
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # all but tab and newline; PostgreSQL takes no NUL
_MISSING = re.compile(r"Object missing required field `(\w+)`")


class _Suggestion(msgspec.Struct):
    id: UUID


class _Coding(msgspec.Struct):
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_CODE, pattern=_NO_CONTROLS)]
    system: Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_CODE, pattern=_NO_CONTROLS)]


class _OverrideReason(msgspec.Struct, rename="camel"):
    reason: _Coding | None = None
    user_comment: str | None = None


class _Item(msgspec.Struct, rename="camel"):
    card: UUID
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    accepted_suggestions: list[_Suggestion] | None = None
    override_reason: _OverrideReason | None = None


class _Body(msgspec.Struct):
    feedback: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    card: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_BODY = msgspec.json.Decoder(_Body)
_ITEM = msgspec.json.Decoder(_Item)


def decode_feedback(body: bytes) -> list[FeedbackEntry]:
    """All entries of a body. Raises BadRequest at the first that is wrong, by index: then none is taken (R-5.10)."""
    try:
        decoded = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(f'the body is not a JSON object with a list named "feedback": {_DESCRIBED}') from None
    if not isinstance(decoded.feedback, msgspec.UnsetType):
        if len(decoded.feedback) > MOST_ENTRIES:
            raise BadRequest(f"feedback has more than {MOST_ENTRIES} entries: send them in several calls")
        return [_entry(item, f"feedback[{index}]") for index, item in enumerate(decoded.feedback)]
    if isinstance(decoded.card, msgspec.UnsetType):
        raise BadRequest(f"feedback is missing: {_DESCRIBED}", expression="feedback", issue_code="required")
    return [_entry(body, "")]


def _entry(raw: msgspec.Raw | bytes, path: str) -> FeedbackEntry:
    try:
        item = _ITEM.decode(raw)
    except msgspec.ValidationError as fault:
        what, _, where = str(fault).partition(" - at ")
        missing = _MISSING.fullmatch(what)
        path += where.strip("`").removeprefix("$") + (f".{missing[1]}" if missing else "")
        raise _bad_entry(path, "is missing" if missing else "is not right") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad_entry(path, "is not JSON in UTF-8") from None
    if item.outcome == "accepted" and not item.accepted_suggestions:
        raise _bad_entry(f"{path}.acceptedSuggestions", "is required if outcome is accepted")
    accepted = item.outcome == "accepted"
    taken = (
        tuple(dict.fromkeys(str(suggestion.id) for suggestion in item.accepted_suggestions or ())) if accepted else ()
    )
    override = None if accepted else item.override_reason
    reason = override.reason if override else None
    comment = override.user_comment if override else None
    return FeedbackEntry(
        card_uuid=str(item.card),
        outcome=item.outcome,
        outcome_at_ms=round(item.outcome_timestamp.timestamp() * 1000),
        accepted_suggestions=taken,
        reason_system=reason.system if reason else None,
        reason_code=reason.code if reason else None,
        user_comment=_CONTROLS.sub(" ", comment[:_LONGEST_COMMENT]) if comment else None,
    )


def _bad_entry(path: str, what: str) -> BadRequest:
    field = _FIELD.search(path)
    advice = _WHAT_TO_SEND[field[0]] if field else _DESCRIBED
    path = path.lstrip(".")
    return BadRequest(f"{path or 'the entry'} {what}: {advice}; no entry was stored", expression=path or None)
