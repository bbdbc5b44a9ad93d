"""Small FHIR resources and hook calls, built from the few values that matter to a test."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SERVICE = "/cds-services/lumbar-puncture-back-pain"
SNOMED = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
PATIENT = "pat-1"
CARDS = ("what-to-expect", "confounders", "pain-after-puncture", "nerve-symptoms", "red-flags")
_CARD_NAMESPACE = UUID("5f0a51c4-5d1c-5d8f-9f6b-0d9e0c1f7a11")  # of the service: a change would change every card's id

LUMBAR_PUNCTURE = {"coding": [{"system": SNOMED, "code": "277762005", "display": "Lumbar puncture"}]}
STENOSIS = {"coding": [{"system": SNOMED, "code": "18347007", "display": "Spinal stenosis of lumbar region"}]}
ASTHMA = {"coding": [{"system": SNOMED, "code": "195967001", "display": "Asthma"}]}

Json = dict[str, Any]


def coded(system: str, code: str, display: str | None = None) -> Json:
    """A CodeableConcept with one coding."""
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}


def order(code: Json | None = None, **elements: Any) -> Json:
    """A ServiceRequest in draft, for a lumbar puncture unless `code` says otherwise; None elements are left out."""
    draft = {
        "resourceType": "ServiceRequest",
        "id": "order-1",
        "status": "draft",
        "intent": "order",
        "code": LUMBAR_PUNCTURE if code is None else code,
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    return {name: value for name, value in (draft | elements).items() if value is not None}


def condition(code: Json | None = None, **elements: Any) -> Json:
    """An active, confirmed Condition, lumbar stenosis unless `code` says otherwise; None elements are left out."""
    resource = {
        "resourceType": "Condition",
        "id": "condition-1",
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "verificationStatus": coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        "code": STENOSIS if code is None else code,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "onsetDateTime": "2019-03",
    }
    return {name: value for name, value in (resource | elements).items() if value is not None}


def procedure(code: Json, **elements: Any) -> Json:
    """A completed Procedure; None elements are left out."""
    resource = {
        "resourceType": "Procedure",
        "id": "procedure-1",
        "status": "completed",
        "code": code,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "performedDateTime": "2018-05-03",
    }
    return {name: value for name, value in (resource | elements).items() if value is not None}


def searchset(*resources: Any, **elements: Any) -> Json:
    """A searchset Bundle of these resources."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]} | elements


def patient(language: str | None = None, **elements: Any) -> Json:
    """The patient of the call, who may speak a language."""
    resource: Json = {"resourceType": "Patient", "id": PATIENT}
    if language:
        spoken = {"language": coded("urn:ietf:bcp:47", language), "preferred": True}
        resource["communication"] = [spoken]
    return resource | elements


def prefetch(*conditions: Any, procedures: list[Any] | None = None, language: str | None = None) -> Json:
    """A complete prefetch."""
    return {
        "patient": patient(language),
        "conditions": searchset(*conditions),
        "procedures": searchset(*(procedures or [])),
    }


def hook_call(*orders: Json, **elements: Any) -> Json:
    """An order-sign call with these orders (a lumbar puncture where there are none) and a complete, empty prefetch.

    `elements` replace parts of the envelope; None leaves one out.
    """
    drafts = [{"resource": one} for one in (orders or (order(),))]
    call = {
        "hook": "order-sign",
        "hookInstance": HOOK_INSTANCE,
        "context": {
            "userId": "Practitioner/1",
            "patientId": PATIENT,
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": drafts},
        },
        "prefetch": prefetch(),
    }
    return {name: value for name, value in (call | elements).items() if value is not None}


def post(client: FlaskClient, call: Any) -> TestResponse:
    """Call the service."""
    return client.post(SERVICE, json=call)


def cards_of(client: FlaskClient, call: Any) -> dict[str, Json]:
    """The cards of a successful call, by the card's key."""
    response = post(client, call)
    assert response.status_code == 200, response.get_data(as_text=True)
    return {key_of(card, call["hookInstance"]): card for card in response.get_json()["cards"]}


def key_of(card: Json, hook_instance: str) -> str:
    """The key of a card, from its extension; its uuid has to be the function of hookInstance, service and key."""
    key: str = card["extension"]["lumbar-puncture-back-pain"]["card"]
    assert key in CARDS
    assert card["uuid"] == str(uuid5(_CARD_NAMESPACE, f"{hook_instance}/lumbar-puncture-back-pain/{key}"))
    return key
