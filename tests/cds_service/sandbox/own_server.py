"""A transport that hands requests for a FHIR server to the application itself, and calls as the page composes them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from flask.testing import FlaskClient

from cards.catalogue import load_topic
from cds_service.sandbox.fhir_server.stories import Story, load_stories
from cds_service.sandbox.page.order_choices import order_choices
from tests.charts import HOOK_INSTANCE, Json
from tests.fake_fhir_server import BASE, FakeFhirServer

ROOT = "http://127.0.0.1:8080/sandbox"
STORIES = load_stories().patients
CHOICES = order_choices(load_topic().order_catalogue)
CODES = {choice.key: choice.code for group in CHOICES.orders.values() for choice in group}


class OwnServer(FakeFhirServer):
    """Answers as the application does at the same address, headers included."""

    app: Flask

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        assert request.url is not None
        parts = urlsplit(request.url)
        answer = self.app.test_client().get(
            f"{parts.path}?{parts.query}", base_url=f"http://{parts.netloc}", headers=dict(request.headers)
        )
        self.answers[request.url.removeprefix(BASE + "/")] = (answer.status_code, answer.data)
        return super().send(request, **options)


def base_of(story: Story) -> str:
    """Where the embedded server has a patient."""
    return f"{ROOT}/fhir-stu3" if story.fhir_version == "STU3" else f"{ROOT}/fhir"


def draft(story: Story) -> Json:
    """The order that a story begins with, as the page composes it."""
    patient = {"reference": f"Patient/{story.id}"}
    order: Json = {"resourceType": "ServiceRequest", "id": "order-1", "status": "draft", "intent": "order"}
    if story.fhir_version == "STU3":
        code = {"resourceType": "ReferralRequest", "serviceRequested": [CODES[story.order]]}
        return order | code | {"priority": "routine", "subject": patient}
    return order | {"priority": "routine", "code": CODES[story.order], "subject": patient}


def fill(client: FlaskClient, base: str, patient: str, mode: str) -> Json:
    """The prefetch that the page asks its own server for."""
    response = client.post("/sandbox/prefetch", json={"base": base, "patient": patient, "mode": mode})
    assert response.status_code == 200, response.get_data(as_text=True)
    prefetch: Json = response.get_json()["prefetch"]
    return prefetch


def call_of(client: FlaskClient, story: Story, mode: str = "complete", base: str | None = None) -> Json:
    """The hook call of a story."""
    base = base or base_of(story)
    order = draft(story)
    call: Json = {
        "hook": story.hook,
        "hookInstance": HOOK_INSTANCE,
        "fhirServer": base,
        "context": {
            "userId": "Practitioner/sandbox",
            "patientId": story.id,
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]},
        },
    }
    if story.hook == "order-select":
        call["context"]["selections"] = [f"{order['resourceType']}/order-1"]
    prefetch = fill(client, base, story.id, mode)
    return call | ({"prefetch": prefetch} if prefetch else {})
