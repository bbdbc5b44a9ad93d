"""GET /cds-services: what each service is, when it wants to be called, and what it needs (R-1.x)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cards.content.service import Service
from cards.topic import Topic
from cds_service.cds_hooks.hook_response import EXTENSION, evidence_address

SPECIFICATION_VERSION = "2.0.1"  # of CDS Hooks, as asks; not ours


def code_system_id(service: Service) -> str:
    """The id of the CodeSystem of a service's override reasons, and of the ConceptMap that maps them."""
    return f"{service.id}.override-reasons"


def discovery_document(topics: Iterable[Topic], base_url: str) -> bytes:
    """The discovery document: each service once for each hook, under one id, in the order of service.yaml (R-1.15)."""
    return msgspec.json.encode({"services": [entry for topic in topics for entry in _entries(topic, base_url)]})


def _entries(topic: Topic, base_url: str) -> Iterator[dict[str, Any]]:
    service = topic.service
    extension = {
        "contentVersion": topic.version,
        "evidence": {card: evidence_address(base_url, service.id, card) for card in service.cards},
        "overrideReasons": _override_reason_addresses(base_url, service),
    }
    for hook in service.hooks:
        yield {
            "hook": hook,
            "id": service.id,
            "title": service.title,
            "description": service.description,
            "usageRequirements": service.usage_requirements,
            "version": SPECIFICATION_VERSION,
            "prefetch": service.prefetch,
            "extension": {EXTENSION: extension},
        }


def _override_reason_addresses(base_url: str, service: Service) -> dict[str, str]:
    name = code_system_id(service)
    return {"codeSystem": f"{base_url}/fhir/CodeSystem/{name}", "conceptMap": f"{base_url}/fhir/ConceptMap/{name}"}
