"""Orders to try a topic with: what a sandbox offers to order, and the reasons it offers for an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

CodeableConceptJson = dict[str, Any]


class Choice(msgspec.Struct, frozen=True):
    """An order or a reason to choose. `key`: unique in its list. `code`: a CodeableConcept as JSON; None: no code."""

    key: str
    label: str
    code: CodeableConceptJson | None = None


@dataclass(frozen=True)
class OrderCatalogue:
    """`orders`: choices by the heading of their group, in order; `reasons`: what the orders may be for."""

    orders: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    reasons: tuple[Choice, ...] = ()


def coded(system: str, code: str, display: str) -> CodeableConceptJson:
    """A CodeableConcept with one coding and the display as its text."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}
