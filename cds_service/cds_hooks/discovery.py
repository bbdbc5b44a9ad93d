"""GET /cds-services: what this service is, when it wants to be called, and what it needs (R-1.x)."""

from __future__ import annotations

from typing import Any

import msgspec

from cards.topic import Topic
from cds_service.cds_hooks.wire import EXTENSION

SPECIFICATION_VERSION = "2.0.1"  # of CDS Hooks, as asks; not ours


def discovery_document(topic: Topic) -> bytes:
    """The discovery document: the service once for each hook, under one id, in the order of service.yaml (R-1.15)."""
    service = topic.service
    entries: list[dict[str, Any]] = [
        {
            "hook": hook,
            "id": service.id,
            "title": service.title,
            "description": service.description,
            "usageRequirements": service.usage_requirements,
            "version": SPECIFICATION_VERSION,
            "prefetch": service.prefetch,
            "extension": {EXTENSION: {"contentVersion": topic.version}},
        }
        for hook in service.hooks
    ]
    return msgspec.json.encode({"services": entries})
