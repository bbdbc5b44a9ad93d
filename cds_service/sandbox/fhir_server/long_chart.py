"""The chart of a patient with a thousand conditions, made by code because a file of it would be long."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

PATIENT_ID = "thousand-conditions"
_CONDITIONS = 1_000
_PROCEDURES = 40
_SNOMED = "http://snomed.info/sct"
_ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
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
_TELLING = {  # by number, counted from 1: one on the first page of 500, two on the second
    311: (_ICD_10_CM, "M43.16", "Spondylolisthesis, lumbar region"),
    740: (_SNOMED, "18347007", "Spinal stenosis of lumbar region"),
    998: (_SNOMED, "207957008", "Closed fracture lumbar vertebra"),
}

Json = dict[str, Any]


def make_long_chart() -> list[Json]:
    """The Patient, the Conditions and the Procedures, in FHIR R4."""
    patient: Json = {
        "resourceType": "Patient",
        "id": PATIENT_ID,
        "meta": {"tag": [{"system": "urn:lp-lab", "code": "synthetic"}]},
        "active": True,
        "name": [{"use": "official", "family": "Testcase", "given": ["Mildred"]}],
        "gender": "female",
        "birthDate": "1946-02-11",
        "communication": [{"language": _concept("urn:ietf:bcp:47", "en", "English"), "preferred": True}],
    }
    conditions = [_condition(number) for number in range(1, _CONDITIONS + 1)]
    procedures = [_procedure(number) for number in range(1, _PROCEDURES + 1)]
    return [patient, *conditions, *procedures]


def _condition(number: int) -> Json:
    system, code, display = _TELLING.get(number) or (_SNOMED, *_ORDINARY[number % len(_ORDINARY)])
    began = _FIRST_DAY + timedelta(days=10 * number)
    is_over = number not in _TELLING and number % 3 == 0
    resource: Json = {
        "resourceType": "Condition",
        "id": f"{PATIENT_ID}-c{number}",
        "clinicalStatus": _concept(
            "http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved" if is_over else "active"
        ),
        "verificationStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        "code": _concept(system, code, display),
        "subject": {"reference": f"Patient/{PATIENT_ID}"},
        "onsetDateTime": began.isoformat(),
        "recordedDate": (began + timedelta(days=2)).isoformat(),
    }
    if is_over:
        resource["abatementDateTime"] = (began + timedelta(days=21)).isoformat()
    return resource


def _procedure(number: int) -> Json:
    return {
        "resourceType": "Procedure",
        "id": f"{PATIENT_ID}-p{number}",
        "status": "completed",
        "code": _concept(_SNOMED, "430193006", "Medication reconciliation"),
        "subject": {"reference": f"Patient/{PATIENT_ID}"},
        "performedDateTime": (_FIRST_DAY + timedelta(days=250 * number)).isoformat(),
    }


def _concept(system: str, code: str, display: str | None = None) -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}
