"""The requests that are measured: generated, of the size and shape of real ones (about 970 bytes a Condition)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

SILENT, CARDS = b'{"cards":[]}', b'{"cards":[{'  # how the answers to them begin

_FIXTURE = Path(__file__).parents[2] / "fixtures" / "measured_calls.yaml"
_DATA = yaml.safe_load(_FIXTURE.read_text(encoding="utf-8"))
SERVICE_ID: str = _DATA["service"]
FINDINGS_CARD: str = _DATA["findings-card"]
LEDGER_CARDS: list[dict[str, Any]] = _DATA["cards"]
_STATUS = "http://terminology.hl7.org/CodeSystem/condition-"


def order_with_cards(conditions: int) -> bytes:
    """An order-sign call whose answer has cards; one Condition in fifty is a finding, and all texts differ."""
    return _call(_DATA["order-with-cards"], conditions)


def unrelated_order(conditions: int) -> bytes:
    """The same call for an order that the service does not apply to."""
    return _call(_DATA["unrelated-order"], conditions)


def work_up_order(conditions: int) -> bytes:
    """The same call for a work-up, five months after a procedure."""
    return _call(_DATA["work-up-order"], conditions, [_DATA["work-up-procedure"]], reason=_DATA["work-up-reason"])


def _call(
    order: list[str],
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
    ordinary = _DATA["ordinary"]
    snomed, words, icd, title = _DATA["finding"] if number % 50 == 7 else ordinary[number % len(ordinary)]
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
