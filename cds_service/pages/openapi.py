"""GET /openapi.json: what this service takes and gives, for integrators and tools. The words are in openapi.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response

from cards.content.files import parse_yaml, read_text
from cards.topic import Topic
from cds_service.cds_hooks.discovery import SPECIFICATION_VERSION
from cds_service.settings.settings import Settings
from cds_service.version import program_version

_DOCUMENT = Path(__file__).parent / "openapi.yaml"
_SANDBOX, _METRICS = "/", "/metrics"
_TOKEN: list[dict[str, list[str]]] = [{"clientToken": []}]


def openapi_blueprint(topic: Topic, settings: Settings) -> Blueprint:
    """The document at /openapi.json, open to everybody in every profile; it is written once, when first asked for."""
    blueprint = Blueprint("openapi", __name__)

    @cache
    def document() -> bytes:
        return msgspec.json.encode(openapi_document(topic, settings))

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(document(), mimetype="application/json")

    return blueprint


def openapi_document(topic: Topic, settings: Settings) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this server, with what the topic and the settings say put in.

    Raises ContentError where openapi.yaml is not YAML.
    """
    document = parse_yaml(_DOCUMENT, read_text(_DOCUMENT), dict[str, Any])
    filled: dict[str, Any] = _filled(document, _words(topic, settings))
    if settings.is_production:
        del filled["paths"][_SANDBOX]
        if not settings.metrics_token:
            del filled["paths"][_METRICS]
    return filled


def _words(topic: Topic, settings: Settings) -> dict[str, Any]:
    """What stands for each «word»; openapi.yaml explains them."""
    service = topic.service
    reasons = service.override_reasons
    indicators = set(service.indicators())
    return {
        "«version»": program_version(),
        "«specification-version»": SPECIFICATION_VERSION,
        "«base-url»": settings.base_url,
        "«max-body-bytes»": f"{settings.max_body_bytes:,}",
        "«service-id»": service.id,
        "«title»": service.title,
        "«description»": service.description,
        "«usage-requirements»": service.usage_requirements,
        "«owner»": service.owner,
        "«reviewed-on»": str(service.reviewed_on),
        "«hooks»": service.hooks,
        "«calls»": [{"$ref": f"#/components/schemas/{hook}"} for hook in service.hooks],
        "«prefetch»": {key: _prefetch_schema(template) for key, template in service.prefetch.items()},
        "«prefetch-templates»": service.prefetch,
        "«topic»": msgspec.to_builtins(service.topic),
        "«override-reasons»": [
            {"system": reasons.system, "code": code, "display": display} for code, display in reasons.codes.items()
        ],
        "«indicators»": sorted(indicators),
        "«cards»": list(service.cards),
        "«content-version»": topic.version,
        "«pages»": list(topic.patient_pages),
        "«languages»": sorted({language for page in topic.patient_pages.values() for language in page}),
        "«security»": _TOKEN if settings.tokens_required else [{}, *_TOKEN],
        "«metrics-security»": [{"metricsToken": []}] if settings.metrics_token else [],
        "«discovery-security»": _TOKEN if settings.tokens_required and not settings.open_discovery else [{}, *_TOKEN],
    }


def _prefetch_schema(template: str) -> dict[str, str]:
    return {"description": f"The answer to `{template}`.", "$ref": "#/components/schemas/PrefetchResult"}


def _filled(part: Any, words: Mapping[str, Any]) -> Any:
    """A part of the document with every «word» replaced: by any value where it stands alone, by text within a text."""
    if isinstance(part, dict):
        return {_filled(name, words): _filled(value, words) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, words) for value in part]
    if not isinstance(part, str):
        return part
    if part in words:
        return words[part]
    for word, value in words.items():
        if word in part:
            part = part.replace(word, value if isinstance(value, str) else ", ".join(value))
    return part
