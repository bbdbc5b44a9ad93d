"""The sandbox with a second topic, installed as a plug-in: its orders, its prefetch, its timeline and its cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.charts import PATIENT, Json, patient, searchset
from tests.colonoscopies import COLONOSCOPY_SERVICE, LATEX_ALLERGY, colonoscopy_call
from tests.html_page import Page

SECOND = f"service={COLONOSCOPY_SERVICE}"
ALLERGIC = {"Patient": patient(), "AllergyIntolerance": searchset(LATEX_ALLERGY)}


class AllergyServer(BaseHTTPRequestHandler):
    """A FHIR server on this machine with one patient, who has an allergy."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        resource_type = urlsplit(self.path).path.split("/")[2]
        self.wfile.write(msgspec.json.encode(ALLERGIC[resource_type]))

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def allergy_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), AllergyServer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/fhir"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sandbox(second_topic_installed: object, make_app: Callable[..., Flask]) -> FlaskClient:
    return make_app().test_client()


def values(client: FlaskClient, query: str, select: str) -> list[str]:
    """The values that a select of the page offers."""
    inside, offered = False, []
    for tag, attributes in Page(client.get(f"/?{query}").get_data(as_text=True)).tags:
        if tag in ("select", "datalist"):
            inside = attributes.get("id") == select
        elif tag == "option" and inside:
            offered.append(attributes["value"] or "")
    return offered


def test_the_page_offers_the_services_and_the_orders_of_the_one_that_is_chosen(sandbox: FlaskClient) -> None:
    assert values(sandbox, "", "service") == ["lumbar-puncture-back-pain", COLONOSCOPY_SERVICE]
    assert values(sandbox, SECOND, "order") == ["colonoscopy", "chest-x-ray", "medication", "other"]
    assert values(sandbox, SECOND, "reason") == ["none", "bleeding", "other"]
    assert "colonoscopy" not in values(sandbox, "", "order")


def test_the_page_offers_the_prefetch_and_the_hooks_of_the_service(sandbox: FlaskClient) -> None:
    assert values(sandbox, SECOND, "prefetch") == ["complete", "first-page", "no-allergies", "failed", "none"]
    html = sandbox.get(f"/?{SECOND}").get_data(as_text=True)
    assert "puncture" not in Page(html).words.replace("Lumbar puncture and back pain", "")  # the title of the other one
    assert 'value="order-sign"' in html
    assert 'value="order-select"' not in html
    assert f"/cds-services/{COLONOSCOPY_SERVICE}" in html
    assert "/education/colonoscopy" in html


def test_the_timeline_is_that_of_the_topic(sandbox: FlaskClient, allergy_server: str) -> None:
    query = {"base": allergy_server, "patient": PATIENT, "service": COLONOSCOPY_SERVICE}
    timeline = sandbox.get("/sandbox/chart", query_string=query).get_json()["timeline"]
    assert "allergy: Latex allergy status, 2019" in timeline
    assert 'class="event event-square' in timeline


def test_prefetch_is_filled_as_the_service_asks_for_it(sandbox: FlaskClient, allergy_server: str) -> None:
    body = {"base": allergy_server, "patient": PATIENT}
    prefetch: Json = sandbox.post(f"/sandbox/prefetch?{SECOND}", json=body).get_json()["prefetch"]
    assert list(prefetch) == ["patient", "allergies"]


def test_the_embedded_server_answers_what_the_service_searches(sandbox: FlaskClient) -> None:
    answer = sandbox.get("/sandbox/fhir/AllergyIntolerance?patient=lab-lp5mo")
    assert (answer.status_code, answer.get_json()["total"]) == (200, 0)
    chart = sandbox.get(f"/?{SECOND}").get_data(as_text=True)
    assert "No timeline: the chart has nothing that this service looks for." in chart


def test_its_cards_are_explained(sandbox: FlaskClient) -> None:
    explained = sandbox.post(f"/sandbox/explanation?{SECOND}", json=colonoscopy_call()).get_json()
    assert {one["card"]: one["fires"] for one in explained["verdicts"]} == {"preparation": True, "latex-allergy": True}


def test_a_token_is_for_the_service_that_is_called(sandbox: FlaskClient) -> None:
    token = sandbox.post(f"/sandbox/token/call?{SECOND}").get_data(as_text=True)
    answer = sandbox.post(
        f"/cds-services/{COLONOSCOPY_SERVICE}", json=colonoscopy_call(), headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, len(answer.get_json()["cards"])) == (200, 2)
