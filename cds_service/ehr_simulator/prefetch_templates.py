"""A service's prefetch templates, filled as a client fills them: first-level context tokens and the user's (R-3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_TOKEN = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_FIRST_LEVEL = re.compile(r"context\.(\w+)")
_USER_TOKENS = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}


class NotFilled(ValueError):
    """A template that cannot be filled; the message says why."""


def fill_template(template: str, context: Mapping[str, Any]) -> str:
    """The relative FHIR URL of a template, with ids percent-encoded. Raises NotFilled."""
    filled = _TOKEN.sub(lambda match: quote(_value(match[1], context), safe="/"), template)
    if "{{" in filled or "}}" in filled:
        raise NotFilled("its braces do not match")
    return filled


def _value(token: str, context: Mapping[str, Any]) -> str:
    if token.startswith("%"):
        raise NotFilled(f"{{{{{token}}}}} refers to another key, which is not supported here")
    if token in _USER_TOKENS:
        kind, _, user_id = str(context.get("userId", "")).partition("/")
        if kind != _USER_TOKENS[token]:
            raise NotFilled(f"{{{{{token}}}}}: the user is a {kind or 'nobody'}")
        return user_id
    first_level = _FIRST_LEVEL.fullmatch(token)
    if first_level is None:
        raise NotFilled(f"{{{{{token}}}}} is FHIRPath or unknown, which is not supported here")
    value = context.get(first_level[1])
    if value is None:
        raise NotFilled(f"{{{{{token}}}}}: the context has none")
    if not isinstance(value, str):
        raise NotFilled(f"{{{{{token}}}}} is not a single id")
    return value
