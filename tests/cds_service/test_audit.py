"""The log: one JSON event for each call, and nothing in it, or in an error, that is about a patient."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.audit import configure
from tests.charts import HOOK_INSTANCE, SERVICE, condition, hook_call, order, patient, post, procedure, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer

CANARY = "Zq7Canary"
MEMBERS = {
    "event",
    "log_level",
    "service",
    "content_version",
    "hook",
    "hook_instance",
    "outcome",
    "status",
    "cards",
    "card_uuids",
    "prefetch",
    "fetch_failures",
    "reasons_looked_up",
    "resources_seen",
    "resources_unread",
    "duration_ms",
}


def canary_call(**elements: Any) -> dict[str, Any]:
    """A call about a patient with stenosis, with a canary in every value that may be about a person."""
    whose = {"reference": f"Patient/{CANARY}", "display": CANARY}
    named = {"subject": whose, "note": [{"text": CANARY}], "identifier": [{"system": CANARY, "value": CANARY}]}
    stenosis = {"coding": [{"system": CANARY, "code": CANARY}], "text": f"Lumbar spinal stenosis {CANARY}"}
    call = hook_call(order(id=f"{CANARY}-order", **named)) | {
        "fhirServer": f"{BASE}/{CANARY}",
        "fhirAuthorization": {"access_token": CANARY, "scope": CANARY, "subject": CANARY, "patient": CANARY},
        "extension": {CANARY: CANARY},
        "prefetch": {
            "patient": patient(id=CANARY, name=[{"family": CANARY}]),
            "conditions": searchset(condition(stenosis, id=f"{CANARY}-c", **named), CANARY, {CANARY: CANARY}),
            "procedures": searchset(procedure({"text": CANARY}, id=f"{CANARY}-p", **named)),
            CANARY: CANARY,
        },
    }
    call["context"] |= {"patientId": CANARY, "userId": f"Practitioner/{CANARY}", "encounterId": CANARY}
    return call | elements


@pytest.fixture
def json_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """The lines that a server process writes to standard error."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure()
    yield lambda: written.getvalue().splitlines()
    structlog.reset_defaults()


def test_a_call_is_one_line_of_json_with_nothing_about_the_patient(
    client: FlaskClient, json_log: Callable[[], list[str]]
) -> None:
    """R-2.26, R-6.16, R-8.10: a chart was read and cards were given, and yet no canary."""
    response = post(client, canary_call())
    (line,) = json_log()
    event = json.loads(line)
    assert CANARY not in line
    assert event["event"] == "hook_call"
    assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None
    assert (event["status"], event["outcome"], event["hook"]) == (200, "cards", "order-sign")
    assert event["hook_instance"] == HOOK_INSTANCE
    assert event["cards"] == ["what-to-expect", "confounders"]
    assert event["card_uuids"] == [card["uuid"] for card in response.get_json()["cards"]]


def test_an_event_says_how_the_chart_came_about_in_counts(client: FlaskClient) -> None:
    with capture_logs() as events:
        post(client, canary_call())
    (event,) = events
    assert set(event) == MEMBERS
    assert event["service"] == "lumbar-puncture-back-pain"
    assert event["prefetch"] == {"patient": "satisfied", "conditions": "satisfied", "procedures": "satisfied"}
    assert event["resources_seen"] == {"Condition": 3, "Procedure": 1}
    assert event["resources_unread"] == {"Condition": {"not a resource": 2}}
    assert event["fetch_failures"] == {}
    assert 0 < event["duration_ms"] < 60_000


def test_a_fhir_server_that_fails_is_logged_without_its_address(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    with capture_logs() as events:
        post(client, canary_call(prefetch={}))
    assert len(fhir_server.requests) == 3
    assert set(events[0]["fetch_failures"]) == {"patient", "conditions", "procedures"}
    assert CANARY not in str(events)
    assert "127.0.0.1" not in str(events)


@pytest.mark.parametrize(
    ("elements", "status", "outcome"),
    [
        pytest.param({"context": CANARY}, 400, "refused", id="a context that is no object"),
        pytest.param({"hook": CANARY}, 400, "refused", id="a hook of another service"),
        pytest.param({"hookInstance": CANARY}, 400, "refused", id="a hookInstance that is no UUID"),
        pytest.param({"fhirServer": [CANARY]}, 400, "refused", id="a server that is no address"),
        pytest.param({"fhirAuthorization": {CANARY: CANARY}}, 400, "refused", id="an authorization without token"),
        pytest.param({"prefetch": {"patient": patient(id=f"{CANARY}2")}}, 400, "refused", id="somebody else's data"),
        pytest.param({"prefetch": {"conditions": CANARY, "patient": CANARY}}, 200, "cards", id="prefetch that is text"),
        pytest.param({"fhirServer": f"https://{CANARY}.org", "prefetch": {}}, 200, "cards", id="a server not allowed"),
    ],
)
def test_a_call_leaves_no_trace_of_its_content_whatever_becomes_of_it(
    client: FlaskClient, json_log: Callable[[], list[str]], elements: dict[str, Any], status: int, outcome: str
) -> None:
    """R-2.15: neither in the log nor in an error."""
    response = post(client, canary_call(**elements))
    (line,) = json_log()
    event = json.loads(line)
    assert (response.status_code, event["status"], event["outcome"]) == (status, status, outcome)
    assert CANARY not in line
    if status != 200:
        assert CANARY not in response.get_data(as_text=True)


def test_a_body_that_is_no_json_is_one_event_without_the_body(client: FlaskClient) -> None:
    with capture_logs() as events:
        client.post(SERVICE, data=f'{{"{CANARY}"'.encode(), content_type="application/json")
    (event,) = events
    assert (event["status"], event["outcome"], event["hook"], event["hook_instance"]) == (400, "refused", None, None)
    assert CANARY not in str(event)


def test_an_order_that_is_not_ours_is_logged_as_silence(client: FlaskClient) -> None:
    with capture_logs() as events:
        post(client, hook_call(order({"text": "chest X-ray"})))
    (event,) = events
    assert (event["outcome"], event["cards"], event["prefetch"]) == ("silent", [], {})


@pytest.mark.parametrize("path", ["/cds-services", "/", "/education/lumbar-puncture", "/nothing"])
def test_what_is_no_call_is_not_logged(client: FlaskClient, path: str) -> None:
    with capture_logs() as events:
        client.get(path)
    assert events == []


@pytest.fixture
def broken(make_app: Callable[..., Flask]) -> FlaskClient:
    """A service whose clock raises, with something of the patient in the message."""

    def clock() -> datetime:
        raise RuntimeError(f"the clock broke for {CANARY}")

    return make_app(clock=clock).test_client()


def test_a_fault_of_ours_is_a_500_that_says_nothing_about_it(broken: FlaskClient) -> None:
    """R-2.15, R-4.17, R-4.60: no message, no stack trace, and still readable from a browser."""
    response = broken.post(SERVICE, json=canary_call(), headers={"Origin": "http://127.0.0.1:8105"})
    (issue,) = response.get_json()["issue"]
    assert (response.status_code, response.mimetype) == (500, "application/fhir+json")
    assert (issue["code"], set(issue)) == ("exception", {"severity", "code", "diagnostics"})
    text = response.get_data(as_text=True)
    assert not [word for word in (CANARY, "clock", "RuntimeError", "Traceback", ".py") if word in text]
    assert "Access-Control-Allow-Origin" in response.headers


def test_a_fault_of_ours_is_logged_by_its_places_only(broken: FlaskClient, json_log: Callable[[], list[str]]) -> None:
    post(broken, canary_call())
    fault, call = (json.loads(line) for line in json_log())
    assert CANARY not in json.dumps([fault, call])
    assert (fault["event"], fault["level"], fault["kind"]) == ("fault", "error", "RuntimeError")
    assert fault["places"][-1].startswith("test_audit.py:")
    assert fault["places"][-1].endswith(" clock")
    assert not [place for place in fault["places"] if "/" in place]
    assert (call["event"], call["status"]) == ("hook_call", 500)


def test_a_fault_of_ours_is_not_called_a_refusal(broken: FlaskClient) -> None:
    with capture_logs() as events:
        post(broken, hook_call())
    assert events[-1]["outcome"] != "refused"
