"""The override reasons of a service as FHIR R4: a CodeSystem, a ConceptMap to HL7's codes, a ValueSet for each card.

Their canonical URLs are URNs, the same at every site and for ever, so that feedback of different sites can be compared.
Where they are served (/fhir/<type>/<id>) is this server's own address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

import msgspec
from flask import Blueprint, Response, abort

from cards.content.service import Service
from cards.topic import Topic
from cds_service.cds_hooks.discovery import code_system_id
from cds_service.pages.caching import let_caches_keep

_FHIR_JSON = "application/fhir+json; fhirVersion=4.0"


def override_reasons_blueprint(topics: Iterable[Topic]) -> Blueprint:
    """The resources of all services, in every profile, open to everybody."""
    blueprint = Blueprint("override_reasons", __name__)
    resources = {
        (resource["resourceType"], resource["id"]): msgspec.json.encode(resource)
        for topic in topics
        for resource in override_reason_resources(topic)
    }

    @blueprint.get("/fhir/<resource_type>/<resource_id>")
    def resource(resource_type: str, resource_id: str) -> Response:
        body = resources.get((resource_type, resource_id))
        if body is None:
            abort(404)
        return let_caches_keep(Response(body, content_type=_FHIR_JSON))

    return blueprint


def override_reason_resources(topic: Topic) -> list[dict[str, Any]]:
    """The resources of one service, as FHIR R4 JSON."""
    service = topic.service
    return [
        _code_system(topic),
        _concept_map(topic),
        *(_value_set(topic, card, settings.override_reasons) for card, settings in service.cards.items()),
    ]


def _code_system(topic: Topic) -> dict[str, Any]:
    reasons = topic.service.override_reasons
    return {
        "resourceType": "CodeSystem",
        "id": code_system_id(topic.service),
        "url": reasons.system,
        **_about(topic, "OverrideReasons", "Why clinicians override a card"),
        "caseSensitive": True,
        "content": "complete",
        "count": len(reasons.codes),
        "concept": [{"code": code, "display": reason.display} for code, reason in reasons.codes.items()],
    }


def _concept_map(topic: Topic) -> dict[str, Any]:
    reasons = topic.service.override_reasons
    elements = [
        {
            "code": code,
            "display": reason.display,
            "target": [{"code": reason.mapped_to, "equivalence": reason.equivalence}],
        }
        for code, reason in reasons.codes.items()
    ]
    return {
        "resourceType": "ConceptMap",
        "id": code_system_id(topic.service),
        "url": _canonical(topic.service, "concept-map"),
        **_about(topic, "OverrideReasonsToNonAdherenceReasons", "Override reasons as HL7 non-adherence reasons"),
        "group": [{"source": reasons.system, "target": reasons.mapped_system, "element": elements}],
    }


def _value_set(topic: Topic, card: str, codes: Iterable[str]) -> dict[str, Any]:
    reasons = topic.service.override_reasons
    concepts = [{"code": code, "display": reasons.codes[code].display} for code in codes]
    name = "".join(word.capitalize() for word in card.split("-"))
    return {
        "resourceType": "ValueSet",
        "id": f"{topic.service.id}.{card}",
        "url": _canonical(topic.service, card),
        **_about(topic, f"{name}OverrideReasons", f"Why clinicians override the card {card}"),
        "compose": {"include": [{"system": reasons.system, "concept": concepts}]},
    }


def _about(topic: Topic, name: str, title: str) -> dict[str, Any]:
    service = topic.service
    return {
        "version": str(service.about.revised_on),
        "name": name,
        "title": f"{title} ({service.title})",
        "status": "active",
        "experimental": False,
        "date": str(service.about.revised_on),
        "publisher": service.owner,
    }


def _canonical(service: Service, name: str) -> str:
    """A URN that follows from that of the CodeSystem."""
    namespace = UUID(service.override_reasons.system.removeprefix("urn:uuid:"))
    return f"urn:uuid:{uuid5(namespace, name)}"
