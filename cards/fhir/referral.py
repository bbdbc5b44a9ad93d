"""A draft referral, authored as a valid FHIR resource in the version of the client's draft orders."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from cards.card import Coding
from cards.fhir.draft_orders import FhirVersion

_PATIENT, _CONDITION = "Patient/{patient}", "Condition/{condition}"  # what a template refers to: no id has a brace


def draft_referral(version: FhirVersion, patient_id: str, code: Coding, reason: str, condition_id: str | None) -> bytes:
    """A ServiceRequest (R4, R5) or ReferralRequest (STU3, DSTU2) in draft, as JSON, without id: it is to be created.

    `reason`: in words of ours; `condition_id`: the Condition that shows it, if it has an id.
    """
    draft = _template(version, code, reason, has_condition=bool(condition_id))
    for placeholder, reference in ((_PATIENT, f"Patient/{patient_id}"), (_CONDITION, f"Condition/{condition_id}")):
        draft = draft.replace(msgspec.json.encode(placeholder), msgspec.json.encode(reference))
    return draft


@lru_cache(maxsize=64)
def _template(version: FhirVersion, code: Coding, reason: str, *, has_condition: bool) -> bytes:
    """The draft of any patient: the models cost as much as the rest of a call, and only two ids differ."""
    subject = {"reference": _PATIENT}
    concept = {"coding": [{"system": code.system, "code": code.code, "display": code.display}]}
    because = [{"reference": _CONDITION}] if has_condition else []
    if version is FhirVersion.DSTU2:
        return _dstu2(subject, concept, reason)
    if version is FhirVersion.STU3:
        from fhir.resources.STU3.referralrequest import ReferralRequest as Resource

        elements = {"type": concept, "serviceRequested": [concept]}
    elif version is FhirVersion.R5:
        from fhir.resources.servicerequest import ServiceRequest as Resource  # type: ignore[assignment]

        reasons = [{"concept": {"text": reason}}, *({"reference": reference} for reference in because)]
        elements = {"code": {"concept": concept}, "reason": reasons}
    else:
        from fhir.resources.R4B.servicerequest import ServiceRequest as Resource  # type: ignore[assignment]

        elements = {"code": concept}
    if version is not FhirVersion.R5:
        elements |= {"reasonCode": [{"text": reason}]} | ({"reasonReference": because} if because else {})
    draft = {"status": "draft", "intent": "order", "priority": "routine", "subject": subject} | elements
    return Resource.model_validate(draft).model_dump_json(exclude_none=True).encode()


def _dstu2(subject: Mapping[str, str], concept: Mapping[str, object], reason: str) -> bytes:
    """https://hl7.org/fhir/DSTU2/referralrequest.html; no library that is kept up has models of this version."""
    draft = {
        "resourceType": "ReferralRequest",
        "status": "draft",
        "type": concept,
        "patient": subject,
        "reason": {"text": reason},
        "serviceRequested": [concept],
    }
    return msgspec.json.encode(draft)
