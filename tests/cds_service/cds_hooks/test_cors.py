"""Browser clients: preflights without authentication, and readable answers, good or bad (R-6.22 to R-6.25)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.charts import SERVICE, hook_call, post
from tests.places import FIXTURES
from tests.registered_service import REGISTRY, RegisteredService

ORIGIN = "http://127.0.0.1:8105"
RECORDED = FIXTURES / "recorded_calls"


def preflight(client: FlaskClient, path: str, method: str) -> TestResponse:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type"}
    return client.options(path, headers={"Origin": ORIGIN, **asked})


def names(response: TestResponse, header: str) -> set[str]:
    """The names that a header lists, in lower case."""
    return set(re.split(r",\s*", response.headers[header].lower()))


@pytest.mark.parametrize(
    ("path", "method"),
    [
        pytest.param("/cds-services", "GET", id="discovery"),
        pytest.param("/cds-services/", "GET", id="discovery with a trailing slash"),
        pytest.param(SERVICE, "POST", id="the service"),
        pytest.param("/cds-services//lumbar-puncture-back-pain", "POST", id="the service behind a double slash"),
    ],
)
def test_a_preflight_is_answered_without_authentication(client: FlaskClient, path: str, method: str) -> None:
    """R-6.22, R-6.23: header names are listed, since a wildcard leaves out Authorization (clients.md 2)."""
    response = preflight(client, path, method)
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert method.lower() in names(response, "Access-Control-Allow-Methods")
    assert {"authorization", "content-type"} <= names(response, "Access-Control-Allow-Headers")


@pytest.mark.parametrize("case", ["01-preflight-discovery", "03-preflight-service"])
def test_the_preflights_that_the_sandbox_was_seen_to_send_are_answered(client: FlaskClient, case: str) -> None:
    request = json.loads((RECORDED / f"{case}.json").read_text("utf-8"))["request"]
    response = client.options(request["path"], headers=request["headers"])
    wanted = names_asked(request["headers"])
    assert response.status_code in (200, 204)
    assert wanted
    assert wanted <= names(response, "Access-Control-Allow-Headers")


def names_asked(headers: dict[str, str]) -> set[str]:
    return set(headers["Access-Control-Request-Headers"].split(","))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("GET", "/cds-services", None, 200, id="discovery"),
        pytest.param("POST", SERVICE, hook_call(), 200, id="cards"),
        pytest.param("POST", SERVICE, {}, 400, id="a bad request"),
        pytest.param("POST", SERVICE, None, 415, id="no media type"),
        pytest.param("POST", "/cds-services/unknown", {}, 404, id="an unknown service"),
        pytest.param("POST", SERVICE + "/feedback", {"feedback": []}, 200, id="feedback"),
        pytest.param("POST", SERVICE + "/feedback", {}, 400, id="bad feedback"),
        pytest.param("GET", SERVICE, None, 405, id="a wrong method"),
    ],
)
def test_an_answer_can_be_read_from_another_origin(
    client: FlaskClient, method: str, path: str, body: object, status: int
) -> None:
    """R-6.24: also where it is an error."""
    response = client.open(path, method=method, headers={"Origin": ORIGIN}, json=body)
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_an_oversized_body_is_refused_readably(make_app: Callable[..., Flask]) -> None:
    """R-6.24."""
    small = make_app(max_body_bytes=1000).test_client()
    response = small.post(SERVICE, data=b" " * 1001, content_type="application/json", headers={"Origin": ORIGIN})
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (413, "*")


def test_no_credentials_are_ever_allowed(client: FlaskClient) -> None:
    """R-6.25: cookies have no business here, so any origin may ask."""
    for response in (preflight(client, SERVICE, "POST"), client.get("/cds-services", headers={"Origin": ORIGIN})):
        assert "Access-Control-Allow-Credentials" not in response.headers


REGISTERED = "https://ehr.example.org"
WITH_AN_ORIGIN = REGISTRY.replace("[[clients]]", f'[[clients]]\ncors_origins = ["{REGISTERED}"]', 1)


@pytest.fixture(scope="module", params=[True, False], ids=["an origin is registered", "none is registered"])
def registered(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path
) -> Iterator[tuple[RegisteredService, bool]]:
    """A production service, and whether a client of it has registered an origin."""
    registry = WITH_AN_ORIGIN if request.param else REGISTRY
    service = RegisteredService(tmp_path_factory.mktemp("cors"), empty_ledger, registry=registry, open_discovery=True)
    yield service, request.param
    service.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/cds-services", 200, id="discovery"),
        pytest.param("OPTIONS", "/cds-services", 200, id="a preflight"),
        pytest.param("POST", SERVICE, 401, id="a call without a token"),
        pytest.param("GET", f"{SERVICE}/nothing", 404, id="an address where nothing is"),
        pytest.param("PUT", SERVICE, 405, id="a wrong method"),
    ],
)
@pytest.mark.parametrize(
    ("origin", "is_known"),
    [
        pytest.param(REGISTERED, True, id="the registered origin"),
        pytest.param("https://EHR.example.org", True, id="the same in other letters"),
        pytest.param("https://evil.example", False, id="another origin"),
        pytest.param("null", False, id="a page of no origin"),
        pytest.param(None, False, id="no page"),
    ],
)
def test_caches_learn_that_the_origin_decides_where_it_does(
    registered: tuple[RegisteredService, bool], origin: str | None, is_known: bool, method: str, path: str, status: int
) -> None:
    """R-6.25: in every answer, also in those that no page may read; nowhere if no origin is registered."""
    service, decides = registered
    headers = {"Origin": origin} if origin else {}
    response = service.app.test_client().open(path, method=method, headers=headers)
    assert response.status_code == status
    assert response.headers.getlist("Vary") == (["Origin"] if decides else [])
    assert response.headers.get("Access-Control-Allow-Origin") == (origin if decides and is_known else None)


@pytest.mark.parametrize("path", ["/cds-services", "/education/lumbar-puncture", "/health/live", "/openapi.json"])
def test_no_origin_decides_in_development_or_about_pages(client: FlaskClient, path: str) -> None:
    here, elsewhere = client.get(path), client.get(path, headers={"Origin": ORIGIN})
    assert (here.status_code, "Vary" in here.headers) == (200, False)
    assert here.headers == elsewhere.headers


def test_pages_for_people_are_not_shared_with_other_origins(client: FlaskClient) -> None:
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"Origin": ORIGIN}).headers


def test_a_call_without_an_origin_is_answered_all_the_same(client: FlaskClient) -> None:
    assert post(client, hook_call()).status_code == 200
