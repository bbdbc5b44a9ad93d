"""What the page asks of this process: patients, charts, prefetch; and that nothing but this machine is read for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from tests.cds_service.sandbox.own_server import ROOT, STORIES, base_of, fill
from tests.charts import condition, patient, searchset

FHIR = f"{ROOT}/fhir"


class Elsewhere(BaseHTTPRequestHandler):
    """A small FHIR server on another port of this machine, and some ways to misbehave."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        self.asked.append((self.path, self.headers.get("Authorization")))
        base, _, path = self.path.removeprefix("/").partition("/")
        resource = path.partition("?")[0]
        answers: dict[str, Any] = {
            "metadata": {"resourceType": "CapabilityStatement", "fhirVersion": "3.0.1" if base == "stu3" else "4.0.1"},
            "Patient": searchset(patient(name=[{"family": "Elsewhere"}]), {"resourceType": "OperationOutcome"}, 7),
            "Patient/pat-1": patient(),
            "Condition": searchset(condition(), total=2, link=[next_link(port, base)]),
            "Condition/next": searchset(condition(id="condition-2"), total=2),
            "Procedure": searchset(),
        }
        self.send_response(302 if base == "redirect" else 500 if base == "broken" else 200)
        if base == "redirect":
            self.send_header("Location", f"http://127.0.0.1:{port}/fhir/{path}")
        self.end_headers()
        self.wfile.write(b"[1]" if base == "no-fhir" else json.dumps(answers[resource]).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


def next_link(port: int, base: str) -> dict[str, str]:
    host = "http://127.0.0.2:1" if base == "leads-away" else f"http://127.0.0.1:{port}"
    return {"relation": "next", "url": f"{host}/{base}/Condition/next"}


@pytest.fixture
def elsewhere() -> Iterator[str]:
    Elsewhere.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_patients_of_another_server_on_this_machine_are_listed(reader: FlaskClient, elsewhere: str) -> None:
    answer = reader.get("/sandbox/patients", query_string={"base": f"{elsewhere}/fhir"}).get_json()
    assert answer == {
        "fhirVersion": "R4",
        "patients": [{"id": "pat-1", "name": "Elsewhere", "gender": "", "birthDate": ""}],
    }
    stu3 = reader.get("/sandbox/patients", query_string={"base": f"{elsewhere}/stu3"}).get_json()
    assert stu3["fhirVersion"] == "STU3"


def test_prefetch_is_filled_from_another_server_to_the_last_page(reader: FlaskClient, elsewhere: str) -> None:
    prefetch = fill(reader, f"{elsewhere}/fhir", "pat-1", "complete")
    assert [one["resource"]["id"] for one in prefetch["conditions"]["entry"]] == ["condition-1", "condition-2"]
    assert [urlsplit(path).path for path, _ in Elsewhere.asked] == [
        "/fhir/Patient/pat-1",
        "/fhir/Condition",
        "/fhir/Condition/next",
        "/fhir/Procedure",
    ]
    assert {authorization for _, authorization in Elsewhere.asked} == {None}


def test_a_first_page_keeps_its_link(reader: FlaskClient, elsewhere: str) -> None:
    prefetch = fill(reader, f"{elsewhere}/fhir", "pat-1", "first-page")
    assert prefetch["conditions"]["link"][0]["relation"] == "next"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("redirect", "answered 302", id="a redirect is not followed"),
        pytest.param("broken", "answered 500", id="a server that fails"),
        pytest.param("no-fhir", "did not answer with JSON", id="something else than FHIR"),
    ],
)
def test_a_server_that_does_not_behave_is_named_so(reader: FlaskClient, elsewhere: str, path: str, words: str) -> None:
    response = reader.get("/sandbox/patients", query_string={"base": f"{elsewhere}/{path}"})
    assert response.status_code == 422
    assert words in response.get_json()["error"]
    assert len(Elsewhere.asked) == 1


def test_a_link_that_leads_away_is_not_followed(reader: FlaskClient, elsewhere: str) -> None:
    prefetch = fill(reader, f"{elsewhere}/leads-away", "pat-1", "complete")
    assert "conditions" not in prefetch


@pytest.mark.parametrize(
    "base",
    [
        pytest.param("https://example.org/fhir", id="another host"),
        pytest.param("http://10.0.0.1/fhir", id="a private address"),
        pytest.param("http://169.254.169.254/latest/meta-data", id="the metadata of a cloud"),
        pytest.param("http://0.0.0.0:8080/fhir", id="every address of this machine"),
        pytest.param("http://127.0.0.1.example.org/fhir", id="a host that looks like loopback"),
        pytest.param("http://127.0.0.1@example.org/fhir", id="a user that looks like loopback"),
        pytest.param("http://localhost.example.org/fhir", id="a host that looks like localhost"),
        pytest.param("http://2130706433/fhir", id="loopback as one number"),
        pytest.param("http://0x7f.1/fhir", id="loopback in hexadecimal"),
        pytest.param("http://[::ffff:10.0.0.1]/fhir", id="an IPv4 address in IPv6"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("http://127.0.0.1:8090/fhir/../../secret", id="a step up"),
        pytest.param("http://127.0.0.1:8090/fhir?x=", id="a query"),
        pytest.param("127.0.0.1:8090/fhir", id="no scheme"),
        pytest.param("", id="nothing"),
        pytest.param("http://127.0.0.1:8090/" + "a" * 9000, id="an address without end"),
    ],
)
def test_nothing_but_this_machine_is_read(reader: FlaskClient, base: str) -> None:
    """Sockets to any other host are off in tests: a connection would be another error."""
    for response in (
        reader.get("/sandbox/patients", query_string={"base": base}),
        reader.get("/sandbox/chart", query_string={"base": base, "patient": "1"}),
        reader.post("/sandbox/prefetch", json={"base": base, "patient": "1"}),
        reader.post("/sandbox/prefetch", json={"base": base, "patient": "1", "mode": "none"}),
    ):
        assert response.status_code == 422
        assert "enter" in response.get_json()["error"]


def test_a_server_that_is_not_there_is_said_not_to_be(reader: FlaskClient) -> None:
    response = reader.get("/sandbox/patients", query_string={"base": "http://127.0.0.1:9/fhir"})
    assert response.status_code == 422
    assert response.get_json()["error"] == "nothing answers there: is the server running?"


def test_a_patient_id_cannot_climb(reader: FlaskClient, elsewhere: str) -> None:
    reader.get("/sandbox/chart", query_string={"base": f"{elsewhere}/fhir", "patient": "../../secret"})
    assert {urlsplit(path).path for path, _ in Elsewhere.asked} == {
        "/fhir/Condition",
        "/fhir/Condition/next",
        "/fhir/Procedure",
    }


@pytest.mark.parametrize(
    ("mode", "keys"),
    [
        pytest.param("complete", {"patient", "conditions", "procedures"}, id="complete"),
        pytest.param("no-conditions", {"patient", "procedures"}, id="without conditions"),
        pytest.param("no-procedures", {"patient", "conditions"}, id="without procedures"),
        pytest.param("failed", {"patient", "conditions", "procedures"}, id="failed"),
        pytest.param("none", set(), id="none"),
    ],
)
def test_prefetch_has_the_keys_of_its_mode(reader: FlaskClient, mode: str, keys: set[str]) -> None:
    prefetch = fill(reader, FHIR, "lab-lp5mo", mode)
    assert set(prefetch) == keys
    if mode == "failed":
        assert prefetch["conditions"]["resourceType"] == prefetch["procedures"]["resourceType"] == "OperationOutcome"


def test_first_pages_have_links_below_the_base_of_the_call(reader: FlaskClient) -> None:
    prefetch = fill(reader, f"{FHIR}-slow", "thousand-conditions", "first-page")
    assert (prefetch["conditions"]["total"], len(prefetch["conditions"]["entry"])) == (1000, 333)
    (link,) = [one["url"] for one in prefetch["conditions"]["link"] if one["relation"] == "next"]
    assert link.startswith(f"{FHIR}-slow/Condition?")


@pytest.mark.parametrize(
    "body", [{}, [], {"base": 1, "patient": "1"}, {"base": FHIR, "patient": "1", "mode": "other"}], ids=str
)
def test_what_the_page_would_never_send_is_a_bad_request(reader: FlaskClient, body: Any) -> None:
    assert reader.post("/sandbox/prefetch", json=body).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_our_own_server_is_known_by_every_name_of_this_machine(reader: FlaskClient, host: str) -> None:
    """And is not read over HTTP, for which a server of one thread would wait for ever."""
    answer = reader.get("/sandbox/patients", query_string={"base": f"http://{host}/sandbox/fhir"}).get_json()
    assert len(answer["patients"]) == 8


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a program"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="the page itself"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="somebody who typed the address"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 404, id="a page of another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 404, id="a page on another port"),
        pytest.param({"Host": "rebound.example.org:8080"}, 404, id="another name for this machine"),
    ],
)
def test_pages_of_others_cannot_read_through_us(reader: FlaskClient, headers: dict[str, str], status: int) -> None:
    query = {"base": FHIR, "patient": "lab-es"}
    assert reader.get("/sandbox/chart", query_string=query, headers=headers).status_code == status
    assert reader.post("/sandbox/token/call", headers=headers).status_code == status


@pytest.mark.parametrize("story", [pytest.param(story, id=story.id) for story in STORIES])
def test_the_chart_of_a_patient_has_a_banner_and_a_timeline(reader: FlaskClient, story: Any) -> None:
    answer = reader.get("/sandbox/chart", query_string={"base": base_of(story), "patient": story.id}).get_json()
    assert answer["patient"]["id"] == story.id
    assert ("<svg" in answer["timeline"]) == (story.id != "lab-plain")
