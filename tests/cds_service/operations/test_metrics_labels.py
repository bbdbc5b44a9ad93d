"""Label values: nothing that a client sends becomes one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.cds_service.event_log.test_events import CANARY, canary_call, canary_feedback
from tests.charts import HOOK_INSTANCE, SERVICE, condition, order, patient, post, prefetch, searchset
from tests.exposition import scrape
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.test_recorded_calls import CALLS, replay, serve_lab_patients

LABELS = re.compile(r'(\w+)="([^"]*)"')
PLAIN = re.compile(r"[a-zA-Z0-9._+ -]{1,40}")  # no value of a label is anything else


def other_orders(text: str) -> dict[str, Any]:
    drafts = [{"resource": order({"text": text}, id=text)}]
    return {"userId": text, "patientId": text, "encounterId": text, "draftOrders": {"entry": drafts}}


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"hook": CANARY}, id="a hook of their own"),
        pytest.param({"hook": "order-sign\n# TYPE x counter\nx 1"}, id="a hook that is an exposition"),
        pytest.param({"hook": 'order-sign",outcome="x'}, id="a hook that ends its label"),
        pytest.param({"hook": ["order-sign"]}, id="a hook that is a list"),
        pytest.param({"hookInstance": CANARY}, id="an instance of their own"),
        pytest.param({"context": other_orders(CANARY)}, id="ids of their own"),
        pytest.param({"prefetch": {CANARY: patient(), "conditions\n": None, "": {}}}, id="prefetch keys of their own"),
        pytest.param({"prefetch": {"conditions": CANARY, "procedures": [CANARY]}}, id="prefetch that is text"),
        pytest.param({"prefetch": prefetch({"resourceType": CANARY}, {"resourceType": "Condition"})}, id="types"),
        pytest.param({"fhirServer": f"https://{CANARY}.example.org", "prefetch": {}}, id="a server of their own"),
        pytest.param({"fhirServer": BASE, "prefetch": {}}, id="a server whose answers are theirs"),
        pytest.param({"extension": {CANARY: {"card": CANARY, "lumbar-puncture-back-pain": {}}}}, id="an extension"),
    ],
)
def test_nothing_of_a_call_adds_a_series_or_a_label_value(
    client: FlaskClient, fhir_server: FakeFhirServer, elements: dict[str, Any]
) -> None:
    fhir_server.answers[f"Condition?patient={CANARY}&_count=500"] = (418, {CANARY: CANARY})
    fhir_server.answers[f"Procedure?patient={CANARY}&_count=500"] = OSError(CANARY)
    fhir_server.answers[f"Patient/{CANARY}"] = searchset(link=[{"relation": "next", "url": f"https://{CANARY}/"}])
    before = scrape(client)
    client.post(SERVICE, json=canary_call(**elements), headers={CANARY: CANARY, "Authorization": f"Bearer {CANARY}"})
    after = scrape(client)
    assert after.keys() == before.keys()
    assert after != before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", f"/cds-services/{CANARY}", {}, id="a service of their own"),
        pytest.param("POST", f"/cds-services/{CANARY}%22%7D%201%0Ax/feedback", {}, id="feedback for it"),
        pytest.param("POST", f"{SERVICE}/feedback", canary_feedback(HOOK_INSTANCE, HOOK_INSTANCE), id="feedback"),
        pytest.param("POST", f"{SERVICE}/feedback", {"feedback": [{"outcome": CANARY}]}, id="an outcome of their own"),
        pytest.param(CANARY.upper(), SERVICE, None, id="a method of their own"),
        pytest.param("GET", f"/{CANARY}?{CANARY}={CANARY}", None, id="an address of their own"),
        pytest.param("GET", f"/metrics?name[]={CANARY}", None, id="a question about metrics"),
    ],
)
def test_nothing_of_any_other_request_does(client: FlaskClient, method: str, path: str, body: Any) -> None:
    before = scrape(client)
    client.open(path, method=method, json=body)
    assert scrape(client).keys() == before.keys()


def test_a_thousand_hostile_calls_add_nothing_either(client: FlaskClient) -> None:
    before = scrape(client)
    for number in range(1_000):
        word = f"{CANARY}-{number}"
        client.post(f"/cds-services/{word}", json={"hook": word, "hookInstance": word, "prefetch": {word: word}})
    after = scrape(client)
    assert after.keys() == before.keys()
    refused = 'cds_hooks_calls_total{code="404",hook="none",mode="visible",outcome="refused",service="none"}'
    assert after[refused] - before[refused] == 1_000


def ids_in(value: Any) -> set[str]:
    """Every word with a digit in it that stands in a JSON document: ids, codes, dates, addresses."""
    if isinstance(value, (dict, list)):
        return set().union(*map(ids_in, value.values() if isinstance(value, dict) else value))
    return {word for word in re.split(r"[\s/|?=&]+", str(value)) if len(word) > 3 and re.search(r"\d", word)}


def test_after_every_recorded_call_the_metrics_differ_in_numbers_only(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """So no word of a patient can have got there; and none of their ids, names, codes and dates is there anyhow."""
    serve_lab_patients(fhir_server)
    before = client.get("/metrics").get_data(as_text=True)
    sent = set().union(*(ids_in(answer) for answer in fhir_server.answers.values()))
    for path in CALLS:
        recorded = json.loads(path.read_text("utf-8"))
        replay(client, recorded)
        sent |= ids_in(recorded["request"].get("body")) | ids_in(recorded["request"]["headers"])
    after = client.get("/metrics").get_data(as_text=True)
    assert after != before
    assert [without_number(line) for line in after.splitlines()] == list(map(without_number, before.splitlines()))
    values = {value for _, value in LABELS.findall(after)}
    assert [value for value in values if not PLAIN.fullmatch(value)] == []
    assert len(sent) > 500
    assert values & sent == set()


def without_number(line: str) -> str:
    """A line of the exposition without the value it tells."""
    return line if line.startswith("#") else line.rpartition(" ")[0]


def test_a_chart_leaves_counts_and_no_words(client: FlaskClient) -> None:
    post(client, canary_call(prefetch={"conditions": searchset(condition(id=CANARY), CANARY), CANARY: CANARY}))
    assert CANARY not in client.get("/metrics").get_data(as_text=True)
