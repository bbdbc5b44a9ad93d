"""Draft orders in every FHIR version, and how they are read."""

from __future__ import annotations

import json
from typing import Any

from cards.fhir.draft_orders import DraftOrder, read_draft_orders
from tests.charts import LUMBAR_PUNCTURE, searchset


def read(*resources: Any, selections: list[str] | None = None) -> tuple[DraftOrder, ...]:
    return read_draft_orders(json.dumps(searchset(*resources)).encode(), selections)


def ids(orders: tuple[DraftOrder, ...]) -> list[str | None]:
    return [one.id for one in orders]


def referral(**elements: Any) -> dict[str, Any]:
    """A ReferralRequest in draft, with what DSTU2 and STU3 share."""
    return {"resourceType": "ReferralRequest", "id": "order-1", "status": "draft", "type": LUMBAR_PUNCTURE} | elements


def diagnostic_order(**elements: Any) -> dict[str, Any]:
    """A DiagnosticOrder (DSTU2)."""
    return {"resourceType": "DiagnosticOrder", "id": "order-1", "item": [{"code": LUMBAR_PUNCTURE}]} | elements
