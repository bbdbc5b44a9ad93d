"""The embedded FHIR server: what a client may rely on."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class as r4
from fhir.resources.STU3 import get_fhir_model_class as stu3
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.sandbox.fhir_server.endpoints import ACCESS_TOKEN, BASES

FHIR = "/sandbox/fhir"
NAMES = [pytest.param(name, id=name) for name in BASES]
TOKEN = {"Authorization": f"Bearer {ACCESS_TOKEN}"}


def ids(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.get_data(as_text=True)
    return [entry["resource"]["id"] for entry in response.get_json().get("entry", [])]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("Condition?patient=lab-lp5mo", 4, id="by a bare id"),
        pytest.param("Condition?patient=Patient/lab-lp5mo", 4, id="by a reference"),
        pytest.param("Condition?patient=Patient%2Flab-lp5mo", 4, id="by an encoded reference"),
        pytest.param("Condition?patient=http://localhost/sandbox/fhir/Patient/lab-lp5mo", 4, id="by an address"),
        pytest.param("Condition?subject=Patient/lab-lp5mo", 4, id="by subject"),
        pytest.param("Condition?patient=lab-lp5mo,lab-plain", 7, id="by either of two"),
        pytest.param("Condition?patient=lab-lp5mo&patient=lab-plain", 0, id="by both of two"),
        pytest.param("Condition?patient=nobody", 0, id="by a patient who is not there"),
        pytest.param("Condition?patient=", 0, id="by an empty value"),
        pytest.param("Condition?patient=Group/lab-lp5mo", 0, id="by something else with the same id"),
        pytest.param("Condition?_id=lab-lp5mo-c2", 1, id="by id"),
        pytest.param("Condition?_id=dirty_data_c3", 1, id="by an id that FHIR does not allow, as some charts have it"),
        pytest.param("Procedure?patient=lab-lp5mo", 2, id="procedures, the one that was not done included"),
        pytest.param("Patient?_id=lab-es", 1, id="a patient by id"),
        pytest.param("Patient?name=muñoz", 1, id="a patient by the beginning of a name, in small letters"),
        pytest.param("Patient", 8, id="every patient of this FHIR version"),
        pytest.param("Practitioner", 1, id="who orders"),
        pytest.param("Condition?patient=lab-lp5mo&code=M54.50&_sort=date", 4, id="unknown parameters are passed over"),
        pytest.param("Condition?patient=thousand-conditions&_count=1000", 1000, id="more than fits on a page"),
    ],
)
def test_a_search_counts_what_it_found(reader: FlaskClient, path: str, found: int) -> None:
    for_get = reader.get(f"{FHIR}/{path}")
    assert for_get.status_code == 200
    assert for_get.mimetype == "application/fhir+json"
    assert for_get.get_json()["total"] == found
    assert len(ids(for_get)) == min(found, 500)
    resource_type, _, query = path.partition("?")
    form = {"data": query, "content_type": "application/x-www-form-urlencoded"}
    for_post = reader.post(f"{FHIR}/{resource_type}/_search", **form)  # type: ignore[arg-type]
    assert for_post.get_json() == for_get.get_json()


def test_a_search_may_split_its_parameters_between_address_and_form(reader: FlaskClient) -> None:
    response = reader.post(f"{FHIR}/Condition/_search?_count=1", data={"patient": "lab-lp5mo"})
    assert (response.get_json()["total"], len(ids(response))) == (4, 1)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://localhost:9999"])
@pytest.mark.parametrize(
    ("query", "pages"),
    [
        pytest.param("patient=lab-lp5mo&_count=3", [3, 1], id="three and one"),
        pytest.param("patient=lab-lp5mo&_count=2", [2, 2], id="no empty page at the end"),
        pytest.param("patient=lab-lp5mo", [4], id="one page"),
        pytest.param("patient=thousand-conditions&_count=500", [500, 500], id="two of the largest"),
        pytest.param("patient=lab-many", [50, 50, 50, 50], id="pages of fifty where nobody says"),
    ],
)
def test_pages_follow_each_other_below_the_base_that_was_called(
    reader: FlaskClient, origin: str, query: str, pages: list[int]
) -> None:
    url: str | None = f"{origin}{FHIR}/Condition?{query}"
    sizes, seen = [], set()
    while url:
        response = reader.get(url)
        sizes.append(len(ids(response)))
        seen |= set(ids(response))
        links = {one["relation"]: one["url"] for one in response.get_json()["link"]}
        assert all(one.startswith(f"{origin}{FHIR}/Condition?") for one in links.values())
        assert reader.get(links["self"]).get_json() == response.get_json()
        assert ("previous" in links) == (len(sizes) > 1)
        url = links.get("next")
    assert sizes == pages
    assert len(seen) == sum(pages)


def test_nothing_is_on_a_page_of_no_entries(reader: FlaskClient) -> None:
    bundle = reader.get(f"{FHIR}/Condition?patient=lab-lp5mo&_count=0").get_json()
    assert (bundle["total"], "entry" in bundle, [one["relation"] for one in bundle["link"]]) == (4, False, ["self"])


def test_the_self_link_tells_which_parameters_were_used(reader: FlaskClient) -> None:
    bundle = reader.get(f"{FHIR}/Condition?patient=lab-lp5mo&code=1&_sort=date").get_json()
    assert bundle["link"][0]["url"] == "http://localhost/sandbox/fhir/Condition?patient=lab-lp5mo&_count=50&_offset=0"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("Patient/lab-es", "Muñoz Prueba", id="a patient"),
        pytest.param("Condition/lab-lp5mo-c1", "M54.50", id="a condition"),
        pytest.param("Practitioner/sandbox", "Testcase", id="who orders"),
        pytest.param("Condition/dirty_data_c3", "spondylosis", id="an id that FHIR does not allow"),
    ],
)
def test_a_resource_is_read_by_its_id(reader: FlaskClient, path: str, words: str) -> None:
    response = reader.get(f"{FHIR}/{path}")
    assert response.status_code == 200
    assert words in response.get_data(as_text=True)
    assert f"{response.get_json()['resourceType']}/{response.get_json()['id']}" == path


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "Patient/nobody", 404, "not-found", id="nobody"),
        pytest.param("GET", "Patient/lab-lp5mo-c1", 404, "not-found", id="the id of something else"),
        pytest.param("GET", "Patient/%3Cscript%3EMARK", 404, "not-found", id="an id with odd characters"),
        pytest.param("GET", "Patient/MARK%00", 404, "not-found", id="an id with a NUL"),
        pytest.param("GET", "Patient/" + "M" * 3000, 404, "not-found", id="an id without end"),
        pytest.param("GET", "Patient/stu3-numbness", 404, "not-found", id="a patient of another FHIR version"),
        pytest.param("GET", "Observation?patient=1", 404, "not-found", id="a type that is not here"),
        pytest.param("GET", "Patient/lab-es/_history/1", 404, "not-found", id="a version"),
        pytest.param("GET", "", 404, "not-found", id="the base alone"),
        pytest.param("GET", "Condition?_count=MARK", 400, "invalid", id="a count that is no number"),
        pytest.param("GET", "Condition?_count=-1", 400, "invalid", id="a negative count"),
        pytest.param("GET", "Condition?_offset=1.5", 400, "invalid", id="half an offset"),
        pytest.param("GET", "Condition?_count=%D9%A3", 400, "invalid", id="a count in other digits"),
        pytest.param("GET", "Patient/lab-es?_format=xml", 406, "not-supported", id="XML"),
        pytest.param("POST", "Patient", 405, "not-supported", id="to create"),
        pytest.param("PUT", "Patient/lab-es", 405, "not-supported", id="to update"),
        pytest.param("PATCH", "Patient/lab-es", 405, "not-supported", id="to patch"),
        pytest.param("DELETE", "Patient/lab-es", 405, "not-supported", id="to delete"),
        pytest.param("GET", "Patient/_search", 405, "not-supported", id="to search by GET where POST belongs"),
    ],
)
def test_what_cannot_be_answered_is_an_operation_outcome_that_repeats_nothing(
    reader: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    response = reader.open(f"{FHIR}/{path}".rstrip("/"), method=method)
    outcome = r4("OperationOutcome").model_validate(response.get_json())
    assert (response.status_code, outcome.issue[0].code) == (status, code)
    assert response.mimetype == "application/fhir+json"
    assert "MARK" not in response.get_data(as_text=True)
    assert (status == 405) == ("Allow" in response.headers)


def test_a_form_that_is_none_is_refused(reader: FlaskClient) -> None:
    assert reader.post(f"{FHIR}/Condition/_search", json={"patient": "lab-es"}).status_code == 415


def test_strict_handling_refuses_unknown_parameters(reader: FlaskClient) -> None:
    url = f"{FHIR}/Condition?patient=lab-es&code=1"
    assert reader.get(url, headers={"Prefer": "handling=strict"}).status_code == 400
    assert reader.get(url, headers={"Prefer": "handling=lenient"}).status_code == 200


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("application/fhir+json", id="FHIR"),
        pytest.param("application/json+fhir", id="FHIR, as DSTU2 had it and the CDS Hooks Sandbox still has"),
        pytest.param("application/json", id="JSON"),
        pytest.param("text/html,application/xml;q=0.9,*/*;q=0.8", id="a browser"),
        pytest.param("", id="nothing"),
    ],
)
def test_whoever_takes_json_gets_it(reader: FlaskClient, accept: str) -> None:
    response = reader.get(f"{FHIR}/Patient/lab-es", headers={"Accept": accept})
    assert (response.status_code, response.mimetype) == (200, "application/fhir+json")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="no token"),
        pytest.param({"Authorization": "Bearer other"}, 401, id="another token"),
        pytest.param({"Authorization": ACCESS_TOKEN}, 401, id="no scheme"),
        pytest.param(TOKEN, 200, id="the token"),
        pytest.param({"Authorization": f"bearer {ACCESS_TOKEN}"}, 200, id="the scheme in small letters"),
    ],
)
def test_the_locked_address_demands_the_token(reader: FlaskClient, headers: dict[str, str], status: int) -> None:
    response = reader.get("/sandbox/fhir-locked/Condition?patient=lab-es", headers=headers)
    assert response.status_code == status
    assert (status == 401) == (response.headers.get("WWW-Authenticate") == "Bearer")
    assert reader.get(f"{FHIR}/Condition?patient=lab-es").status_code == 200  # another address, not switched


def test_the_failing_address_fails(reader: FlaskClient) -> None:
    response = reader.get("/sandbox/fhir-failing/Condition?patient=lab-es")
    assert (response.status_code, response.get_json()["issue"][0]["code"]) == (500, "transient")


def test_the_slow_address_takes_longer_than_the_service_waits(
    reader: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("cds_service.sandbox.fhir_server.endpoints.time.sleep", waited.append)
    assert reader.get("/sandbox/fhir-slow/Patient/lab-es").status_code == 200
    assert waited == [2.0]


@pytest.mark.parametrize("name", NAMES)
def test_every_address_says_what_it_can(reader: FlaskClient, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.sandbox.fhir_server.endpoints.time.sleep", lambda _: None)
    response = reader.get(f"/sandbox/{name}/metadata")
    assert response.status_code == 200
    model: Any = (stu3 if "stu3" in name else r4)("CapabilityStatement")
    statement = model.model_validate(response.get_json())
    assert statement.fhirVersion == ("3.0.2" if "stu3" in name else "4.0.1")
    assert statement.implementation.url == f"http://localhost/sandbox/{name}"
    assert ("security" in response.get_json()["rest"][0]) == ("locked" in name)


def test_a_chart_in_stu3_is_served_in_the_shapes_of_stu3(reader: FlaskClient) -> None:
    bundle = reader.get("/sandbox/fhir-stu3/Condition?patient=stu3-numbness").get_json()
    assert {entry["resource"]["clinicalStatus"] for entry in bundle["entry"]} == {"active"}
    for entry in bundle["entry"]:
        stu3("Condition").model_validate(entry["resource"])
    assert reader.get("/sandbox/fhir-stu3/Patient").get_json()["total"] == 1
    without_id = reader.get("/sandbox/fhir-stu3/Procedure?patient=stu3-numbness").get_json()["entry"][1]
    assert "id" not in without_id["resource"]
    assert "fullUrl" not in without_id


@pytest.mark.parametrize("patient", ["lab-plain", "lab-stenosis", "lab-redflag", "thousand-conditions"])
def test_what_a_search_gives_is_valid_fhir(reader: FlaskClient, patient: str) -> None:
    """Of the tidy charts: the odd ones are there to be odd."""
    bundle = reader.get(f"{FHIR}/Condition?patient={patient}&_count=20").get_json()
    r4("Bundle").model_validate(bundle)


def test_a_browser_may_read_from_any_origin(reader: FlaskClient) -> None:
    """So that other CDS Hooks clients can be tried with it (clients.md 5)."""
    preflight = reader.options(
        f"{FHIR}/Condition/_search",
        headers={"Origin": "https://ehr.example.org", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 200
    assert {"Access-Control-Allow-Origin": "*"}.items() <= dict(preflight.headers).items()
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert reader.get(f"{FHIR}/Patient/nobody").headers["Access-Control-Allow-Origin"] == "*"


def test_nothing_of_it_is_kept(reader: FlaskClient) -> None:
    response = reader.get(f"{FHIR}/Patient/lab-es")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
