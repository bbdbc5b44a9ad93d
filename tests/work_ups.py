"""A chart 30 days after a lumbar puncture, and the orders that work up back pain in it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.charts import (
    CPT,
    ICD_10_CM,
    LUMBAR_PUNCTURE,
    PATIENT,
    SNOMED,
    Json,
    coded,
    condition,
    hook_call,
    order,
    patient,
    prefetch,
    procedure,
    searchset,
)
from tests.fake_fhir_server import FakeFhirServer

TODAY = date(2026, 11, 22)
CONDITIONS = f"Condition?patient={PATIENT}&_count=500"
PROCEDURES = f"Procedure?patient={PATIENT}&_count=500"
EVERYTHING = [CONDITIONS, f"Patient/{PATIENT}", PROCEDURES]  # in the order of FakeFhirServer.asked
BEARER = {"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
LUMBAGO = coded(ICD_10_CM, "M54.50", "Low back pain, unspecified")
MRI = coded(CPT, "72148")
EMG = coded(CPT, "95886")
CHEST_X_RAY = {"text": "Chest X-ray"}
NEUROLOGY = coded(SNOMED, "183521007", "Referral to neurology service")
SPINE = coded(SNOMED, "183545006", "Referral to orthopedic service")
REFER = ["Refer to neurology", "Refer to orthopedics (spine)"]
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


PUNCTURE = procedure(LUMBAR_PUNCTURE, id="lp", performedDateTime=days_ago(30))
PAIN = condition(LUMBAGO, id="pain", onsetDateTime=days_ago(28))
CHART = prefetch(PAIN, procedures=[PUNCTURE])


def after_puncture(*drafts: Any, **elements: Any) -> Json:
    """A call with these orders, 30 days after a lumbar puncture and with back pain since two days after it."""
    return hook_call(*drafts, **({"prefetch": CHART} | elements))


def order_select(call: Json, *selections: str) -> Json:
    return call | {"hook": "order-select", "context": call["context"] | {"selections": list(selections)}}


def referral_request(code: Any, **elements: Any) -> Json:
    """A ReferralRequest in draft, STU3; None elements are left out."""
    draft = {"resourceType": "ReferralRequest", "id": "r1", "status": "draft", "intent": "order"}
    draft |= {"serviceRequested": [code], "subject": {"reference": f"Patient/{PATIENT}"}} | elements
    return {name: value for name, value in draft.items() if value is not None}


def offered(card: Json) -> list[str]:
    return [one["label"] for one in card.get("suggestions", [])]


def serve_chart(server: FakeFhirServer) -> None:
    server.answers |= {
        f"Patient/{PATIENT}": patient(),
        CONDITIONS: searchset(PAIN),
        PROCEDURES: searchset(PUNCTURE),
    }


def referring(*references: str, **elements: Any) -> Json:
    """An order that says nothing of back pain but by reference."""
    return order(CHEST_X_RAY, reasonReference=[{"reference": one} for one in references], **elements)


REASON = condition(LUMBAGO, id="why", onsetDateTime=days_ago(28))
