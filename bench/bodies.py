"""The requests that are measured: made up, of the size and shape of real ones (about 970 bytes a Condition)."""

from __future__ import annotations

import json
from typing import Any

SILENT, CARDS = b'{"cards":[]}', b'{"cards":[{'  # how the answers to them begin

_ORDINARY = [
    ("44054006", "Diabetes mellitus type 2", "E11.9", "Type 2 diabetes mellitus without complications"),
    ("38341003", "Hypertensive disorder", "I10", "Essential (primary) hypertension"),
    ("195967001", "Asthma", "J45.909", "Unspecified asthma, uncomplicated"),
    ("40930008", "Hypothyroidism", "E03.9", "Hypothyroidism, unspecified"),
    ("233604007", "Pneumonia", "J18.9", "Pneumonia, unspecified organism"),
    ("49436004", "Atrial fibrillation", "I48.91", "Unspecified atrial fibrillation"),
]
_SPINE = ("18347007", "Spinal stenosis of lumbar region", "M48.061", "Spinal stenosis, lumbar region")
_PUNCTURE = {
    "resourceType": "Procedure",
    "id": "procedure-1",
    "status": "completed",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "277762005", "display": "Lumbar puncture"}]},
    "subject": {"reference": "Patient/bench"},
    "performedDateTime": "2026-06-22",
}
_STATUS = "http://terminology.hl7.org/CodeSystem/condition-"


def lumbar_puncture_order(conditions: int) -> bytes:
    """An order-sign call for a lumbar puncture; one Condition in fifty is of the spine, no two texts are alike."""
    return _call(("http://snomed.info/sct", "277762005", "Lumbar puncture"), conditions)


def unrelated_order(conditions: int) -> bytes:
    """The same call for a chest X-ray."""
    return _call(("http://loinc.org", "36643-5", "XR Chest 2 Views"), conditions)


def work_up_order(conditions: int) -> bytes:
    """The same call for an MRI of the lumbar spine, for back pain five months after a lumbar puncture."""
    return _call(("http://loinc.org", "24968-0", "MR Lumbar spine"), conditions, [_PUNCTURE], reason="Low back pain")


def _call(
    order: tuple[str, str, str],
    conditions: int,
    procedures: list[dict[str, Any]] | None = None,
    reason: str | None = None,
) -> bytes:
    system, code, display = order
    draft = {
        "resourceType": "ServiceRequest",
        "id": "order-1",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": system, "code": code, "display": display}], "text": display},
        "subject": {"reference": "Patient/bench"},
    }
    if reason:
        draft["reasonCode"] = [{"text": reason}]
    call = {
        "hook": "order-sign",
        "hookInstance": "8f1f0e5e-6a3d-4c1b-9a55-0e6d5f1c2b3a",
        "fhirServer": "http://127.0.0.1:8113/fhir",
        "context": {
            "userId": "Practitioner/1",
            "patientId": "bench",
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]},
        },
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "bench", "birthDate": "1957-05-11"},
            "conditions": _searchset([_condition(number) for number in range(conditions)]),
            "procedures": _searchset(procedures or []),
        },
    }
    return json.dumps(call, separators=(",", ":")).encode()


def _searchset(resources: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [
        {"fullUrl": f"https://ehr.example.org/fhir/{resource['resourceType']}/{resource['id']}", "resource": resource}
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _condition(number: int) -> dict[str, Any]:
    snomed, words, icd, title = _SPINE if number % 50 == 7 else _ORDINARY[number % len(_ORDINARY)]
    if number % 50 != 7:
        icd = f"{icd[:3]}.{number % 90 + 10}"  # about as many different codes as a busy chart has
    return {
        "resourceType": "Condition",
        "id": f"condition-{number}",
        "meta": {"versionId": "1", "lastUpdated": "2026-11-20T08:15:30.000+00:00"},
        "clinicalStatus": {"coding": [{"system": _STATUS + "clinical", "code": "active", "display": "Active"}]},
        "verificationStatus": {"coding": [{"system": _STATUS + "ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": _STATUS + "category", "code": "problem-list-item"}]}],
        "code": {
            "coding": [
                {"system": "http://snomed.info/sct", "code": snomed, "display": words},
                {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": icd, "display": title},
            ],
            "text": f"{words}, entry {number}",
        },
        "subject": {"reference": "Patient/bench"},
        "encounter": {"reference": f"Encounter/{number}"},
        "onsetDateTime": f"20{number % 25:02d}-03-{number % 28 + 1:02d}",
        "recordedDate": "2026-01-15",
    }
