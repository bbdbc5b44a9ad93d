"""GET /cds-services: what the service says of itself (R-1.x) and which data it asks for (R-3.x)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cards.topic import Topic
from tests.charts import SERVICE, hook_call, post
from tests.registered_service import RegisteredService, client_entry

DISCOVERY = "/cds-services"
SERVICE_ID = "lumbar-puncture-back-pain"
LEGAL_TOKENS = {"context.userId", "context.patientId", "context.encounterId"}  # for order-sign and order-select
SEARCH = re.compile(r"[A-Z][A-Za-z]+\?[^?#\s]+")
READ = re.compile(r"[A-Z][A-Za-z]+/\{\{[A-Za-z.]+\}\}")


def services(client: FlaskClient) -> list[dict[str, Any]]:
    return client.get(DISCOVERY).get_json()["services"]


def templates(client: FlaskClient) -> list[str]:
    return [template for service in services(client) for template in service["prefetch"].values()]


def values_in(value: Any) -> Iterator[Any]:
    """Every value in a JSON document, the document included."""
    yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from values_in(inner)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/cds-services", id="as the specification has it"),
        pytest.param("/cds-services/", id="with a trailing slash"),
        pytest.param("/cds-services//", id="with two trailing slashes"),
    ],
)
def test_discovery_is_one_json_object_with_services(client: FlaskClient, path: str) -> None:
    """R-1.1, R-1.2, R-1.3: without a redirect, which would fail a CORS preflight."""
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.get_json() == {"services": services(client)}
    assert services(client)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no Accept header"),
        pytest.param({"Accept": "*/*"}, id="anything is accepted"),
        pytest.param({"Accept": "application/json"}, id="JSON is accepted"),
        pytest.param({"Accept": "application/json+fhir"}, id="the legacy FHIR type is accepted"),
        pytest.param({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, id="with a token nobody knows"),
    ],
)
def test_discovery_answers_whatever_the_headers(client: FlaskClient, headers: dict[str, str]) -> None:
    """R-1.23, R-9.6."""
    response = client.get(DISCOVERY, headers=headers)
    assert (response.status_code, response.mimetype) == (200, "application/json")


def test_two_gets_in_a_row_give_the_same_bytes(client: FlaskClient) -> None:
    """R-1.22."""
    assert client.get(DISCOVERY).data == client.get(DISCOVERY).data


def test_head_has_the_headers_of_get_and_no_body(client: FlaskClient) -> None:
    head, get = client.head(DISCOVERY), client.get(DISCOVERY)
    assert (head.status_code, head.data, head.content_type) == (200, b"", get.content_type)
    assert head.content_length == len(get.data)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("known", "status"),
    [
        pytest.param("{}", 304, id="the version there is"),
        pytest.param("W/{}", 304, id="a weak name of it, as proxies that compress make"),
        pytest.param('"of-yesterday", {}', 304, id="one of several versions"),
        pytest.param("*", 304, id="any version"),
        pytest.param('"of-yesterday"', 200, id="another version"),
        pytest.param("ae883b47", 200, id="no ETag"),
        pytest.param("", 200, id="nothing"),
    ],
)
def test_a_client_that_has_the_document_is_told_so(client: FlaskClient, method: str, known: str, status: int) -> None:
    """https://www.rfc-editor.org/rfc/rfc9110#name-304-not-modified: without a body, with the headers of the cache."""
    first = client.get(DISCOVERY)
    again = client.open(DISCOVERY, method=method, headers={"If-None-Match": known.format(first.headers["ETag"])})
    assert (again.status_code, again.data) == (status, first.data if (status, method) == (200, "GET") else b"")
    for name in ("ETag", "Cache-Control", "Access-Control-Allow-Origin"):
        assert again.headers[name] == first.headers[name]


def test_the_etag_names_the_document(make_app: Callable[..., Flask]) -> None:
    """The same in every process, and another one for another document."""
    first, again = (make_app().extensions["cds_services"] for _ in range(2))
    assert first.discovery_etag == again.discovery_etag != replace(first, topics={}).discovery_etag


UNREACHABLE = client_entry("valley-practices", jwks_url="https://127.0.0.1:1/keys")


@pytest.mark.parametrize("token", [None, "Bearer eyJhbGciOiJub25lIn0.e30."])
def test_open_discovery_needs_no_database_and_no_issuer(token: str | None, tmp_path: Path, empty_ledger: Path) -> None:
    """R-1.1: a client whose call failed looks here whether the service is there at all."""
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    service = RegisteredService(
        tmp_path, empty_ledger, registry=UNREACHABLE, key_sets={}, open_discovery=True, database_url=nowhere
    )
    assert service.call("Bearer eyJhbGciOiJub25lIn0.e30.").status_code != 200
    answer = service.discover(token)
    assert (answer.status_code, len(answer.get_json()["services"])) == (200, 2)
    known = service.send(DISCOVERY, token, headers={"If-None-Match": answer.headers["ETag"]})
    assert known.status_code == 304
    service.close()


def test_discovery_that_needs_a_token_says_nothing_without_one(tmp_path: Path, empty_ledger: Path) -> None:
    """R-1.24: not even whether the client's version is the one there is."""
    service = RegisteredService(tmp_path, empty_ledger)
    refused = service.send(DISCOVERY, None, headers={"If-None-Match": "*"})
    assert (refused.status_code, "ETag" in refused.headers) == (401, False)
    service.close()


def test_order_sign_stands_first_and_order_select_last_under_one_id(client: FlaskClient) -> None:
    """R-1.15, R-8.8; the reference client keeps only the last entry of an id (clients.md 7)."""
    listed = [(service["hook"], service["id"]) for service in services(client)]
    assert listed == [("order-sign", SERVICE_ID), ("order-select", SERVICE_ID)]


def test_every_listed_hook_is_served_under_its_id(client: FlaskClient) -> None:
    """R-1.6, R-1.7: the id is the last segment of the path that is called."""
    for service in services(client):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", service["id"])
        assert f"{DISCOVERY}/{service['id']}" == SERVICE
        call = hook_call(hook=service["hook"])
        call["context"]["selections"] = ["ServiceRequest/order-1"]
        assert len(post(client, call).get_json()["cards"]) == 1


def test_every_entry_has_its_texts_and_the_version_of_the_specification(client: FlaskClient) -> None:
    """R-1.4, R-1.5, R-1.8 to R-1.13: `version` is that of CDS Hooks; no member of ours beside those defined."""
    members = {"hook", "id", "title", "description", "usageRequirements", "version", "prefetch", "extension"}
    for service in services(client):
        assert set(service) == members
        texts = [service[name] for name in ("hook", "title", "description", "usageRequirements")]
        assert all(isinstance(text, str) and text.strip() == text != "" for text in texts)
        assert re.fullmatch(r"[23]\.\d+(\.\d+)?", service["version"])


def test_every_entry_tells_the_version_of_the_content_that_its_cards_tell(client: FlaskClient) -> None:
    """R-7.1: under one key of ours in `extension`."""
    (card,) = post(client, hook_call()).get_json()["cards"]
    told = card["extension"][SERVICE_ID]["contentVersion"]
    assert re.fullmatch(r"[0-9a-f]{12}", told)
    assert [service["extension"][SERVICE_ID]["contentVersion"] for service in services(client)] == [told] * 2


def test_discovery_links_to_the_evidence_of_every_card_and_to_the_override_reasons(
    client: FlaskClient, topic: Topic
) -> None:
    for service in services(client):
        extension = service["extension"][SERVICE_ID]
        assert set(extension["evidence"]) == set(topic.service.cards)
        addresses = [*extension["evidence"].values(), *extension["overrideReasons"].values()]
        assert [client.get(address).status_code for address in addresses] == [200] * len(addresses)


def test_nothing_in_the_document_is_null_or_empty(client: FlaskClient) -> None:
    """R-0.2, R-1.14."""
    values = list(values_in(client.get(DISCOVERY).get_json()))
    assert len(values) > 20
    assert not [value for value in values if value is None or value in ("", [], {})]


def test_prefetch_keys_have_the_usual_names(client: FlaskClient) -> None:
    """R-1.10, R-3.11, R-3.12: codes, one query each; the same for both hooks, so that clients share the answers."""
    keys = [list(service["prefetch"]) for service in services(client)]
    assert keys == [["patient", "conditions", "procedures"]] * 2


def test_every_template_is_a_read_or_a_search_of_one_type(client: FlaskClient) -> None:
    """R-3.1, R-3.10: relative, no leading slash, no operation, no white space."""
    assert templates(client)
    for template in templates(client):
        assert READ.fullmatch(template) or SEARCH.fullmatch(template), template
        assert "$" not in template


def test_every_token_is_first_level_and_defined_for_the_hook(client: FlaskClient) -> None:
    """R-3.2, R-3.3, R-3.4: braces balanced, and nothing that reaches into draftOrders."""
    for template in templates(client):
        tokens = re.findall(r"\{\{([^{}]*)\}\}", template)
        assert tokens
        assert set(tokens) <= LEGAL_TOKENS
        assert not re.search(r"[{}]", re.sub(r"\{\{[^{}]*\}\}", "", template))


def test_every_search_is_limited_to_the_patient_and_repeats_no_parameter(client: FlaskClient) -> None:
    """R-3.6 to R-3.9; the reference client joins repeated parameters into one (clients.md 2)."""
    searches = [template.partition("?")[2] for template in templates(client) if "?" in template]
    assert searches
    for search in searches:
        names = [pair.partition("=")[0] for pair in search.split("&")]
        assert "patient={{context.patientId}}" in search.split("&")
        assert len(names) == len(set(names))
        assert set(names) <= {"patient", "_count"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("POST", DISCOVERY, {"GET", "HEAD", "OPTIONS"}, id="discovery takes no POST"),
        pytest.param("DELETE", DISCOVERY, {"GET", "HEAD", "OPTIONS"}, id="discovery takes no DELETE"),
        pytest.param("GET", SERVICE, {"POST", "OPTIONS"}, id="the service takes no GET"),
        pytest.param("PUT", SERVICE, {"POST", "OPTIONS"}, id="the service takes no PUT"),
        pytest.param("PATCH", SERVICE, {"POST", "OPTIONS"}, id="the service takes no PATCH"),
    ],
)
def test_a_wrong_method_is_told_which_ones_are_taken(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    """R-1.21, R-4.13."""
    response = client.open(path, method=method)
    assert response.status_code == 405
    assert set(re.split(r",\s*", response.headers["Allow"])) == allowed
    assert response.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/cds-services/unknown", id="an unknown service"),
        pytest.param("/cds-services/unknown/feedback", id="feedback on an unknown service"),
        pytest.param("/cds-services/LUMBAR-PUNCTURE-BACK-PAIN", id="ids are case-sensitive"),
    ],
)
def test_an_address_without_a_service_is_404_in_json(client: FlaskClient, path: str) -> None:
    """R-1.20, R-4.12, R-5.1."""
    response = client.post(path, json=hook_call())
    assert (response.status_code, response.get_json()["issue"][0]["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/cds-services//{SERVICE_ID}", id="a double slash, as the reference client joins URLs"),
        pytest.param(f"/cds-services/{SERVICE_ID}/", id="a trailing slash"),
        pytest.param(f"/cds-services///{SERVICE_ID}//", id="any number of slashes"),
    ],
)
def test_odd_slashes_lead_to_the_service_without_a_redirect(client: FlaskClient, path: str) -> None:
    """clients.md 2: a redirect would fail a CORS preflight."""
    response = client.post(path, json=hook_call())
    assert response.status_code == 200
    assert response.data == post(client, hook_call()).data
