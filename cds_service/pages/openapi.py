"""GET /openapi.json: the API of this server, for integrators and tools. The text is in openapi.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response

from cards.content.files import parse_yaml, read_text
from cards.content.service import Service
from cards.topic import Topic
from cds_service.cds_hooks.discovery import SPECIFICATION_VERSION
from cds_service.cds_hooks.hook_response import EXTENSION
from cds_service.pages.override_reasons import override_reason_resources
from cds_service.settings.settings import Settings
from cds_service.version import program_version

_DOCUMENT = Path(__file__).parent / "openapi.yaml"
_SANDBOX, _METRICS = "/", "/metrics"
_TOKEN: list[dict[str, list[str]]] = [{"clientToken": []}]


def openapi_blueprint(topics: Sequence[Topic], settings: Settings) -> Blueprint:
    """The document at /openapi.json, open to everybody in every profile; made once, at the first request."""
    blueprint = Blueprint("openapi", __name__)

    @cache
    def document() -> bytes:
        return msgspec.json.encode(openapi_document(topics, settings))

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(document(), mimetype="application/json")

    return blueprint


def openapi_document(topics: Sequence[Topic], settings: Settings) -> dict[str, Any]:
    """The OpenAPI 3.1 document of this server, with what the topics and the settings say put in.

    Raises ContentError where openapi.yaml is not YAML.
    """
    document = parse_yaml(_DOCUMENT, read_text(_DOCUMENT), dict[str, Any])
    examples = [_examples(topic, settings) for topic in topics]
    filled: dict[str, Any] = _filled(document, _words(topics, settings) | _example_words(examples))
    for part in (part for topic_examples in examples for part in topic_examples.values()):
        filled["components"]["examples"] |= part
    if settings.is_production:
        del filled["paths"][_SANDBOX]
        if not settings.metrics_token:
            del filled["paths"][_METRICS]
    return filled


def _examples(topic: Topic, settings: Settings) -> dict[str, dict[str, Any]]:
    """The examples of a topic by kind and name, if it has any."""
    path = topic.files.folder / "examples" / "openapi.yaml"
    if not path.exists():
        return {}
    examples: dict[str, dict[str, Any]] = _filled(
        parse_yaml(path, read_text(path), dict[str, Any]), _words([topic], settings)
    )
    return examples


def _example_words(examples: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """References to the examples of each kind, the general ones last."""

    def references(kind: str, *general: str) -> dict[str, dict[str, str]]:
        names = [name for topic_examples in examples for name in topic_examples.get(kind, ())]
        return {name: {"$ref": f"#/components/examples/{name}"} for name in (*names, *general)}

    return {
        "«call-examples»": references("calls", "notOurs"),
        "«answer-examples»": references("answers", "noCard"),
        "«missing-data-examples»": references("missing-data"),
    }


def _words(topics: Sequence[Topic], settings: Settings) -> dict[str, Any]:
    """What stands for each «word»; openapi.yaml explains them."""
    services = [topic.service for topic in topics]
    ids = [service.id for service in services]
    pages = {name: page for topic in topics for name, page in topic.patient_pages.items()}
    reasons = [
        {"system": offered.system, "code": code, "display": reason.display}
        for offered in (service.override_reasons for service in services)
        for code, reason in offered.codes.items()
    ]
    hooks = _without_repeats(hook for service in services for hook in service.hooks)
    codings = [msgspec.to_builtins(service.topic) for service in services]
    return {
        "«version»": program_version(),
        "«specification-version»": SPECIFICATION_VERSION,
        "«base-url»": settings.base_url,
        "«max-body-bytes»": f"{settings.max_body_bytes:,}",
        "«service-id»": ids[0] if len(ids) == 1 else "{id}",
        "«service-ids»": ids,
        "«known-services»": ", ".join(ids),
        "«extension»": EXTENSION,
        "«title»": "; ".join(service.title for service in services),
        "«description»": "\n\n".join(service.description for service in services),
        "«usage-requirements»": "\n\n".join(service.usage_requirements for service in services),
        "«owner»": "; ".join(_without_repeats(service.owner for service in services)),
        "«reviewed-on»": str(min(service.reviewed_on for service in services)),
        "«hooks»": hooks,
        "«calls»": [{"$ref": f"#/components/schemas/{hook}"} for hook in hooks],
        "«prefetch»": _prefetch_schemas(services),
        "«prefetch-templates»": [service.prefetch for service in services],
        "«topics»": codings,
        "«topic»": codings[0],
        "«override-reasons»": [reason for at, reason in enumerate(reasons) if reason not in reasons[:at]],
        "«indicators»": sorted({indicator for service in services for indicator in service.indicators()}),
        "«cards»": _without_repeats(card for service in services for card in service.cards),
        "«content-version»": ", ".join(topic.version for topic in topics),
        "«pages»": list(pages),
        "«fhir-ids»": _without_repeats(
            resource["id"] for topic in topics for resource in override_reason_resources(topic)
        ),
        "«languages»": sorted({language for page in pages.values() for language in page}),
        "«security»": _TOKEN if settings.tokens_required else [{}, *_TOKEN],
        "«metrics-security»": [{"metricsToken": []}] if settings.metrics_token else [],
        "«discovery-security»": _TOKEN if settings.tokens_required and not settings.open_discovery else [{}, *_TOKEN],
    }


def _without_repeats(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _prefetch_schemas(services: Sequence[Service]) -> dict[str, dict[str, str]]:
    """A schema for each key of a prefetch, with the templates that services have for it."""
    templates: dict[str, list[str]] = {}
    for service in services:
        for key, template in service.prefetch.items():
            templates.setdefault(key, []).append(f"`{template}`")
    return {
        key: {
            "description": f"Response to {' or '.join(_without_repeats(named))}.",
            "$ref": "#/components/schemas/PrefetchResult",
        }
        for key, named in templates.items()
    }


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
