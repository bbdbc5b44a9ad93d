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
from sqlalchemy import select
from structlog.testing import capture_logs

from cds_service.event_log.events import configure
from cds_service.storage.schema import METADATA
from tests.charts import HOOK_INSTANCE, SERVICE, condition, hook_call, order, patient, post, procedure, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer

CANARY = "Zq7Canary"
MEMBERS = {
    "event",
    "log_level",
    "http.response.status_code",
    "cds_hooks.outcome",
    "cds_hooks.client",
    "cds_hooks.mode",
    "cds_hooks.token.not_trusted",
    "cds_hooks.service",
    "cds_hooks.content_version",
    "cds_hooks.hook",
    "cds_hooks.hook_instance",
    "cds_hooks.cards",
    "cds_hooks.card_uuids",
    "cds_hooks.prefetch.patient",
    "cds_hooks.prefetch.conditions",
    "cds_hooks.prefetch.procedures",
    "cds_hooks.resources.read.Condition",
    "cds_hooks.resources.read.Procedure",
    "cds_hooks.resources.skipped.Condition.not_a_resource",
    "cds_hooks.duration_ms",
    "cds_hooks.duration_ms.auth",
    "cds_hooks.duration_ms.decode",
    "cds_hooks.duration_ms.triage",
    "cds_hooks.duration_ms.chart",
    "cds_hooks.duration_ms.rule",
    "cds_hooks.duration_ms.ledger",
    "cds_hooks.duration_ms.encode",
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
    assert event["event"] == "cds_hooks.call"
    assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None
    assert (event["http.response.status_code"], event["cds_hooks.outcome"], event["cds_hooks.hook"]) == (
        200,
        "cards",
        "order-sign",
    )
    assert event["cds_hooks.hook_instance"] == HOOK_INSTANCE
    assert event["cds_hooks.cards"] == ["what-to-expect", "confounders"]
    assert event["cds_hooks.card_uuids"] == [card["uuid"] for card in response.get_json()["cards"]]


def test_an_event_says_how_the_chart_came_about_in_counts(client: FlaskClient) -> None:
    with capture_logs() as events:
        post(client, canary_call())
    (event,) = events
    assert set(event) == MEMBERS
    assert event["cds_hooks.service"] == "lumbar-puncture-back-pain"
    assert [event[f"cds_hooks.prefetch.{key}"] for key in ("patient", "conditions", "procedures")] == ["satisfied"] * 3
    assert (event["cds_hooks.resources.read.Condition"], event["cds_hooks.resources.read.Procedure"]) == (3, 1)
    assert event["cds_hooks.resources.skipped.Condition.not_a_resource"] == 2
    stages = [event[name] for name in event if name.startswith("cds_hooks.duration_ms.")]
    assert 0 < sum(stages) <= event["cds_hooks.duration_ms"] + 0.1 < 60_000


def test_a_fhir_server_that_fails_is_logged_without_its_address(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    with capture_logs() as events:
        post(client, canary_call(prefetch={}))
    assert len(fhir_server.requests) == 3
    failures = {name for name in events[0] if name.startswith("cds_hooks.fetch.failure.")}
    assert {name.rpartition(".")[2] for name in failures} == {"patient", "conditions", "procedures"}
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
    assert response.status_code == event["http.response.status_code"] == status
    assert event["cds_hooks.outcome"] == outcome
    assert CANARY not in line
    if status != 200:
        assert CANARY not in response.get_data(as_text=True)


def test_a_body_that_is_no_json_is_one_event_without_the_body(client: FlaskClient) -> None:
    with capture_logs() as events:
        client.post(SERVICE, data=f'{{"{CANARY}"'.encode(), content_type="application/json")
    (event,) = events
    assert (event["http.response.status_code"], event["cds_hooks.outcome"]) == (400, "refused")
    assert not {"cds_hooks.hook", "cds_hooks.hook_instance"} & event.keys()
    assert CANARY not in str(event)


def test_an_order_that_is_not_ours_is_logged_as_silence(client: FlaskClient) -> None:
    with capture_logs() as events:
        post(client, hook_call(order({"text": "chest X-ray"})))
    (event,) = events
    assert event["cds_hooks.outcome"] == "silent"
    assert not [name for name in event if name.startswith(("cds_hooks.cards", "cds_hooks.prefetch"))]


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
    assert (fault["event"], fault["level"], fault["exception.type"]) == ("fault", "error", "RuntimeError")
    assert fault["exception.places"][-1].startswith("test_events.py:")
    assert fault["exception.places"][-1].endswith(" clock")
    assert not [place for place in fault["exception.places"] if "/" in place]
    assert (call["event"], call["http.response.status_code"]) == ("cds_hooks.call", 500)


def test_a_fault_of_ours_is_not_called_a_refusal(broken: FlaskClient) -> None:
    with capture_logs() as events:
        post(broken, hook_call())
    assert events[-1]["cds_hooks.outcome"] == "fault"


def canary_feedback(card: str, suggestion: str) -> dict[str, Any]:
    """Feedback with a canary wherever a client may write what it likes."""
    reason = {"code": "seen", "system": "https://ehr.example.org/reasons", "display": CANARY, CANARY: CANARY}
    overridden = {"reason": reason, "userComment": CANARY, CANARY: CANARY}
    common = {"card": card, "outcomeTimestamp": "2026-11-22T15:31:45.000Z", CANARY: CANARY}
    return {
        "feedback": [
            common | {"outcome": "accepted", "acceptedSuggestions": [{"id": suggestion, CANARY: CANARY}]},
            common | {"outcome": "overridden", "overrideReason": overridden},
        ],
        CANARY: CANARY,
    }


def stored(app: Flask) -> str:
    """Everything that stands in the database, as text."""
    app.extensions["writer"].flush()
    with app.extensions["database"].read() as connection:
        rows = {table.name: connection.execute(select(table)).all() for table in METADATA.sorted_tables}
    assert rows["issued_card"]
    assert rows["feedback"]
    return repr(rows)


def test_neither_the_database_nor_the_log_holds_a_word_about_the_patient(
    app: Flask, client: FlaskClient, json_log: Callable[[], list[str]]
) -> None:
    """R-2.26, R-5.14: a call with cards, and feedback on them; comments are not stored unless a setting says so."""
    card = post(client, canary_call()).get_json()["cards"][0]
    body = canary_feedback(card["uuid"], card["suggestions"][0]["uuid"])
    assert client.post(f"{SERVICE}/feedback", json=body).get_json() == {"stored": 2, "repeated": 0, "unknownCards": 0}
    app.extensions["housekeeping"].run_once()
    assert CANARY not in stored(app)
    call, feedback = json_log()
    assert CANARY not in call + feedback
    assert json.loads(feedback)["event"] == "cds_hooks.feedback"
    assert json.loads(feedback)["cds_hooks.feedback.new"] == 2


def test_a_comment_is_stored_where_the_setting_says_so_and_logged_nowhere(
    make_app: Callable[..., Flask], json_log: Callable[[], list[str]]
) -> None:
    """R-5.14: the one place where words about a patient may be kept."""
    app = make_app(store_comments=True)
    client = app.test_client()
    card = post(client, canary_call()).get_json()["cards"][0]
    client.post(f"{SERVICE}/feedback", json=canary_feedback(card["uuid"], card["suggestions"][0]["uuid"]))
    assert stored(app).count(CANARY) == 1
    assert CANARY not in "".join(json_log())


@pytest.mark.parametrize("name", ["card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason"])
def test_feedback_that_is_refused_is_not_repeated_to_anybody(
    client: FlaskClient, json_log: Callable[[], list[str]], name: str
) -> None:
    """R-2.15: the field is named, what stood in it is not."""
    entry = {"card": HOOK_INSTANCE, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:45Z"}
    response = client.post(f"{SERVICE}/feedback", json={"feedback": [entry | {name: CANARY}]})
    assert response.status_code == 400
    assert name in response.get_data(as_text=True)
    assert CANARY not in response.get_data(as_text=True) + "".join(json_log())
