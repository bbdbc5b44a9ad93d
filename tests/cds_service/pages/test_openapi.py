"""GET /openapi.json: a valid document about this service, with valid examples."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from schemathesis import openapi
from werkzeug.test import TestResponse

from cards.topic import Topic
from cds_service.pages.openapi import openapi_document
from cds_service.settings.settings import Settings
from tests.charts import SERVICE

CALL, FEEDBACK = "/cds-services/{id}", "/cds-services/{id}/feedback"
PRODUCTION = Settings(profile="production", public_url="https://cds.example.org", clients_file=Path("clients.toml"))


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    return response.get_json()


def assert_valid(document: dict[str, Any]) -> None:
    openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


def values_in(value: Any) -> Iterator[Any]:
    """Every value and every name in a JSON document."""
    yield value
    if isinstance(value, dict):
        yield from value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from values_in(inner)


def request_examples(document: dict[str, Any], path: str) -> dict[str, Any]:
    """The bodies that the document shows for this operation, by name."""
    shown = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
    return {name: document["components"]["examples"][name]["value"] for name in shown}


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    """Against the meta-schema of the OpenAPI Initiative, and its schemas against that of JSON Schema 2020-12."""
    assert document["openapi"] == "3.1.0"
    assert_valid(document)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda it: it["paths"][CALL]["post"]["responses"]["200"].pop("description"), id="of a response"),
        pytest.param(lambda it: it["components"]["schemas"]["Card"].update(type="strin"), id="of a schema"),
        pytest.param(lambda it: it["components"]["parameters"]["ServiceId"].update({"in": "air"}), id="of a parameter"),
    ],
)
def test_a_fault_of_the_document_would_be_seen(document: dict[str, Any], spoil: Callable[[Any], Any]) -> None:
    spoil(document)
    with pytest.raises(jsonschema_rs.ValidationError):
        assert_valid(document)


def test_every_reference_leads_somewhere_and_every_component_is_used(document: dict[str, Any]) -> None:
    named = {value for value in values_in(document) if isinstance(value, str) and value.startswith("#/components/")}
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in document["components"].items()
        for name in components
        if kind != "securitySchemes"
    }
    assert named == there


def test_nothing_is_left_to_be_filled_in(document: dict[str, Any]) -> None:
    assert [value for value in values_in(document) if isinstance(value, str) and re.search("[«»]", value)] == []


def test_it_is_about_the_topic_and_this_server(document: dict[str, Any], topic: Topic) -> None:
    """What service.yaml and the settings say is never said a second time."""
    service = topic.service
    schemas = document["components"]["schemas"]
    assert document["servers"] == [{"url": "http://127.0.0.1:8080"}]
    assert document["info"]["title"] == service.title
    assert service.description in document["info"]["description"]
    assert document["components"]["parameters"]["ServiceId"]["schema"]["enum"] == [service.id]
    assert [one["$ref"].rpartition("/")[2] for one in schemas["HookCall"]["oneOf"]] == service.hooks
    assert list(schemas["Prefetch"]["properties"]) == list(service.prefetch)
    assert [template in str(schemas["Prefetch"]) for template in service.prefetch.values()] == [True] * 3
    assert schemas["CardExtension"]["properties"]["card"]["enum"] == list(service.cards)


def test_every_address_of_the_application_is_described(app: Flask, document: dict[str, Any]) -> None:
    """And every address that is described is there. Files, and what the sandbox asks of itself, are parts of pages."""
    parts = ("/static/", "/sandbox/")
    rules = (rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(parts))
    served = {
        (re.sub("<(?:.*:)?(.*?)>", "{\\1}", rule.rule).replace("{service_id}", "{id}"), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {
        (path, name) for path, item in document["paths"].items() for name in item if name in ("get", "post", "put")
    }
    assert described == served


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        pytest.param("lumbarPuncture", ["what-to-expect", "confounders"], id="a lumbar puncture"),
        pytest.param("selectedLumbarPuncture", ["what-to-expect"], id="a selected lumbar puncture without prefetch"),
        pytest.param("workUpAfterPuncture", ["pain-after-puncture"], id="a work-up after a puncture"),
        pytest.param("notOurs", [], id="an order that is not ours"),
    ],
)
def test_the_examples_of_calls_get_the_cards_they_promise(
    client: FlaskClient, document: dict[str, Any], name: str, cards: list[str]
) -> None:
    example = request_examples(document, CALL)[name]
    response = client.post(SERVICE, json=example)
    assert response.status_code == 200
    answered = response.get_json()["cards"]
    assert [next(iter(card["extension"].values()))["card"] for card in answered] == cards
    openapi.from_dict(document)[CALL]["POST"].validate_response(response)


def test_every_example_of_a_call_has_its_test(document: dict[str, Any]) -> None:
    named = {"lumbarPuncture", "selectedLumbarPuncture", "workUpAfterPuncture", "notOurs"}
    assert set(request_examples(document, CALL)) == named


def test_the_examples_of_feedback_are_taken(client: FlaskClient, document: dict[str, Any]) -> None:
    client.post(SERVICE, json=request_examples(document, CALL)["lumbarPuncture"])
    for name, example in request_examples(document, FEEDBACK).items():
        response = client.post(f"{SERVICE}/feedback", json=example)
        assert (response.status_code, response.get_json().get("unknownCards")) == (200, 0), name
        openapi.from_dict(document)[FEEDBACK]["POST"].validate_response(response)


def test_the_card_that_is_shown_has_the_members_of_the_card_that_comes(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    """Its words belong to clinicians, so they are not compared; what a machine reads is."""
    example = request_examples(document, CALL)["lumbarPuncture"]
    card = client.post(SERVICE, json=example).get_json()["cards"][0]
    (shown,) = document["components"]["examples"]["oneCard"]["value"]["cards"]
    assert shown.keys() == card.keys()
    for name in ("uuid", "indicator", "source", "extension", "selectionBehavior", "overrideReasons"):
        assert shown[name] == card[name], name
    assert shown["suggestions"][0]["uuid"] == card["suggestions"][0]["uuid"]
    assert shown["suggestions"][0].keys() == card["suggestions"][0].keys()
    assert {link["url"] for link in shown["links"]} <= {link["url"] for link in card["links"]}


def _without_hook_instance(call: dict[str, Any]) -> None:
    del call["hookInstance"]


def _with_a_number(call: dict[str, Any]) -> None:
    call["context"]["patientId"] = 5


def _without_data(call: dict[str, Any]) -> None:
    del call["prefetch"]


@pytest.mark.parametrize(
    ("shown", "status", "call", "spoil", "how"),
    [
        pytest.param("missingField", 400, "lumbarPuncture", _without_hook_instance, {}, id="a missing field"),
        pytest.param("wrongType", 400, "lumbarPuncture", _with_a_number, {}, id="a wrong type"),
        pytest.param("unknownService", 404, "lumbarPuncture", dict, {"path": "/cds-services/x"}, id="another id"),
        pytest.param("proceduresUnobtainable", 412, "workUpAfterPuncture", _without_data, {}, id="no procedures"),
        pytest.param("notJson", 415, "lumbarPuncture", dict, {"content_type": "text/plain"}, id="text"),
    ],
)
def test_the_refusals_that_are_shown_are_those_that_come(
    client: FlaskClient,
    document: dict[str, Any],
    shown: str,
    status: int,
    call: str,
    spoil: Callable[[dict[str, Any]], Any],
    how: dict[str, str],
) -> None:
    """R-4.60."""
    body = copy.deepcopy(request_examples(document, CALL)[call])
    spoil(body)
    request = {"path": SERVICE, "content_type": "application/json"} | how
    response: TestResponse = client.post(data=json.dumps(body), **request)
    assert (response.status_code, response.get_json()) == (
        status,
        document["components"]["examples"][shown]["value"],
    )
    openapi.from_dict(document)[CALL]["POST"].validate_response(response)


@pytest.mark.parametrize(
    ("settings", "call", "discovery"),
    [
        pytest.param(Settings(), "optional", "optional", id="development"),
        pytest.param(Settings(require_tokens=True), "required", "required", id="development with tokens"),
        pytest.param(PRODUCTION, "required", "required", id="production"),
        pytest.param(
            Settings(require_tokens=True, open_discovery=True), "required", "optional", id="with an open discovery"
        ),
    ],
)
def test_it_says_where_a_token_is_required(topic: Topic, settings: Settings, call: str, discovery: str) -> None:
    """R-6.2, R-1.24: for calls, feedback and discovery; pages and this document are open."""
    document = openapi_document([topic], settings)
    security: dict[str, Any] = {"required": [{"clientToken": []}], "optional": [{}, {"clientToken": []}]}
    assert document["security"] == security[call]
    assert document["paths"]["/cds-services"]["get"]["security"] == security[discovery]
    for path in (CALL, FEEDBACK):
        assert "security" not in document["paths"][path]["post"]
    for path in ("/education/{page}", "/openapi.json"):
        assert document["paths"][path]["get"]["security"] == []


def test_the_sandbox_is_described_in_development_only(topic: Topic) -> None:
    assert "/" in openapi_document([topic], Settings())["paths"]
    production = openapi_document([topic], PRODUCTION)
    assert "/" not in production["paths"]
    assert production["servers"] == [{"url": "https://cds.example.org"}]


def test_every_operation_and_every_field_that_is_sent_teaches(document: dict[str, Any]) -> None:
    """An integrator reads nothing else."""
    for item in document["paths"].values():
        operations = [item[name] for name in ("get", "post") if name in item]
        assert [one["summary"] for one in operations if len(one["summary"]) < 10] == []
    schemas = document["components"]["schemas"]
    for name in ("Envelope", "FhirAuthorization", "OrderContext", "FeedbackItem"):
        for field, schema in schemas[name]["properties"].items():
            described = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            assert len(described.get("description", "")) > 8, f"{name}.{field}"
