"""A chart of a thousand conditions, made by code because a file of it would be long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from cards.card import Coding

_CONDITIONS = 1_000
_PROCEDURES = 40
_SNOMED = "http://snomed.info/sct"
_FIRST_DAY = date(1998, 1, 5)
_ORDINARY = (
    ("44054006", "Diabetes mellitus type 2"),
    ("195967001", "Asthma"),
    ("40930008", "Hypothyroidism"),
    ("233604007", "Pneumonia"),
    ("38341003", "Hypertensive disorder"),
    ("444814009", "Viral sinusitis"),
    ("10509002", "Acute bronchitis"),
    ("49436004", "Atrial fibrillation"),
    ("25064002", "Headache"),
    ("36971009", "Sinusitis"),
)

Json = dict[str, Any]


def make_long_chart(patient_id: str, relevant: Mapping[int, Coding]) -> list[Json]:
    """The Patient, the Conditions and the Procedures, in FHIR R4. `relevant`: conditions by their number, from 1.

    All other conditions are ordinary ones.
    """
    patient: Json = {
        "resourceType": "Patient",
        "id": patient_id,
        "meta": {"tag": [{"system": "urn:synthetic-patients", "code": "synthetic"}]},
        "active": True,
        "name": [{"use": "official", "family": "Testcase", "given": ["Mildred"]}],
        "gender": "female",
        "birthDate": "1946-02-11",
        "communication": [{"language": _concept("urn:ietf:bcp:47", "en", "English"), "preferred": True}],
    }
    conditions = [_condition(patient_id, number, relevant.get(number)) for number in range(1, _CONDITIONS + 1)]
    procedures = [_procedure(patient_id, number) for number in range(1, _PROCEDURES + 1)]
    return [patient, *conditions, *procedures]


def _condition(patient_id: str, number: int, relevant: Coding | None) -> Json:
    coding = relevant or Coding(_SNOMED, *_ORDINARY[number % len(_ORDINARY)])
    began = _FIRST_DAY + timedelta(days=10 * number)
    is_over = relevant is None and number % 3 == 0
    resource: Json = {
        "resourceType": "Condition",
        "id": f"{patient_id}-c{number}",
        "clinicalStatus": _concept(
            "http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved" if is_over else "active"
        ),
        "verificationStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        "code": _concept(coding.system, coding.code, coding.display),
        "subject": {"reference": f"Patient/{patient_id}"},
        "onsetDateTime": began.isoformat(),
        "recordedDate": (began + timedelta(days=2)).isoformat(),
    }
    if is_over:
        resource["abatementDateTime"] = (began + timedelta(days=21)).isoformat()
    return resource


def _procedure(patient_id: str, number: int) -> Json:
    return {
        "resourceType": "Procedure",
        "id": f"{patient_id}-p{number}",
        "status": "completed",
        "code": _concept(_SNOMED, "430193006", "Medication reconciliation"),
        "subject": {"reference": f"Patient/{patient_id}"},
        "performedDateTime": (_FIRST_DAY + timedelta(days=250 * number)).isoformat(),
    }


def _concept(system: str, code: str, display: str | None = None) -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}
