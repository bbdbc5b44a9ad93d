"""A scenario as the hook call that an EHR would send."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from tests.charts import CPT, ICD_10_CM, PATIENT, SNOMED, hook_call

Json = dict[str, Any]

SYSTEMS = {
    "CPT": CPT,
    "SNOMED CT": SNOMED,
    "LOINC": "http://loinc.org",
    "ICD-10-CM": ICD_10_CM,
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "ICD-10-GM": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "ICD-10-PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "ICD-9-CM": "http://hl7.org/fhir/sid/icd-9-cm",
    "OPCS-4": "https://fhir.hl7.org.uk/Id/opcs-4",
    "OPS": "http://fhir.de/CodeSystem/bfarm/ops",
    "CCAM": "https://smt.esante.gouv.fr/terminologie-ccam",
    "CIM-10": "https://smt.esante.gouv.fr/terminologie-cim-10",
}
_AGO = re.compile(r"(\d+) (day|week|month|year)s? ago")
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


def call_of(scenario: Json, today: date) -> Json:
    """The order-sign or order-select call of a scenario, with its chart in prefetch."""
    writer = _Writer(today)
    orders = [writer.order(order, number) for number, order in enumerate(scenario["orders"], 1)]
    drafts = orders + [
        writer.medication(drug, number) for number, drug in enumerate(scenario.get("medications", []), 1)
    ]
    chart = {
        "conditions": [writer.condition(one, number) for number, one in enumerate(scenario.get("conditions", []), 1)],
        "procedures": [writer.procedure(one, number) for number, one in enumerate(scenario.get("procedures", []), 1)],
    }
    prefetch: Json = {"patient": writer.patient(scenario)}
    for key, resources in chart.items():
        if key not in scenario.get("not-obtained", ()):
            prefetch[key] = {
                "resourceType": "Bundle",
                "type": "searchset",
                "entry": [{"resource": resource} for resource in resources],
            }
    call = hook_call(*drafts, prefetch=prefetch)
    if any(order.get("selected") is False for order in scenario["orders"]):
        call["hook"] = "order-select"
        call["context"]["selections"] = [
            f"{draft['resourceType']}/{draft['id']}"
            for draft, order in zip(orders, scenario["orders"], strict=True)
            if order.get("selected", True)
        ]
    return call


class _Writer:
    def __init__(self, today: date) -> None:
        self._today = today

    def patient(self, scenario: Json) -> Json:
        resource: Json = {"resourceType": "Patient", "id": PATIENT}
        if "birth-date" in scenario:
            resource["birthDate"] = str(scenario["birth-date"])
        elif "age" in scenario:
            resource["birthDate"] = (self._today - timedelta(days=round(365.25 * scenario["age"]) + 100)).isoformat()
        return resource

    def order(self, line: Json, number: int) -> Json:
        draft: Json = {
            "resourceType": line.get("type", "ServiceRequest"),
            "id": line.get("id", f"order-{number}"),
            "status": line.get("status", "draft"),
            "intent": "order",
            "subject": {"reference": f"Patient/{PATIENT}"},
        }
        if draft["resourceType"] == "MedicationRequest":
            draft["medicationCodeableConcept"] = self._concept(line)
        else:
            draft["code"] = self._concept(line)
        if "priority" in line:
            draft["priority"] = line["priority"]
        reasons = [{"text": text} for text in _listed(line.get("reason-text"))]
        reasons += [self._concept({"code": code}) for code in _listed(line.get("reason-code"))]
        if len(reasons) == 2 and "reason-text" in line and "reason-code" in line:
            reasons = [reasons[1] | reasons[0]]
        if reasons:
            draft["reasonCode"] = reasons
        if "do-not-perform" in line:
            draft["doNotPerform"] = line["do-not-perform"]
        if "reason-reference" in line:
            draft["reasonReference"] = [{"reference": one} for one in _listed(line["reason-reference"])]
        if "note" in line:
            draft["note"] = [{"text": text} for text in _listed(line["note"])]
        if "category" in line:
            draft["category"] = [{"text": text} for text in _listed(line["category"])]
        return draft | line.get("elements", {})

    def medication(self, line: Json, number: int) -> Json:
        return {
            "resourceType": "MedicationRequest",
            "id": f"medication-{number}",
            "status": line.get("status", "draft"),
            "intent": "order",
            "medicationCodeableConcept": self._concept(line),
            "subject": {"reference": f"Patient/{PATIENT}"},
        }

    def condition(self, line: Json, number: int) -> Json:
        resource: Json = {
            "resourceType": "Condition",
            "id": line.get("id", f"condition-{number}"),
            "code": self._concept(line),
            "subject": {"reference": f"Patient/{PATIENT}"},
        }
        statuses = {
            "clinicalStatus": ("condition-clinical", line.get("clinical-status", "active")),
            "verificationStatus": ("condition-ver-status", line.get("verification", "confirmed")),
        }
        for name, (system, code) in statuses.items():
            if code != "none":
                resource[name] = {
                    "coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]
                }
        category = line.get("category", "problem-list-item")
        system = "http://terminology.hl7.org/CodeSystem/condition-category"
        resource["category"] = [{"coding": [{"system": system, "code": category}]}]
        dates = {"onsetDateTime": "onset", "recordedDate": "recorded", "abatementDateTime": "abated"}
        return resource | self._dates(line, dates) | line.get("elements", {})

    def procedure(self, line: Json, number: int) -> Json:
        resource: Json = {
            "resourceType": "Procedure",
            "id": line.get("id", f"procedure-{number}"),
            "status": line.get("status", "completed"),
            "code": self._concept(line),
            "subject": {"reference": f"Patient/{PATIENT}"},
        }
        reasons = [{"text": text} for text in _listed(line.get("reason-text"))]
        reasons += [self._concept({"code": code}) for code in _listed(line.get("reason-code"))]
        if reasons:
            resource["reasonCode"] = reasons
        if "reason-reference" in line:
            resource["reasonReference"] = [{"reference": one} for one in _listed(line["reason-reference"])]
        if "status-reason" in line:
            resource["statusReason"] = {"text": line["status-reason"]}
        return resource | self._dates(line, {"performedDateTime": "performed"}) | line.get("elements", {})

    def _concept(self, line: Json) -> Json:
        """`text`, and `code` or a list of codes; what is not there is left out."""
        concept: Json = {"text": line["text"]} if "text" in line else {}
        codes = _listed(line.get("code"))
        if codes:
            concept["coding"] = [self._coding(code) for code in codes]
        return concept

    def _coding(self, code: Json) -> Json:
        system = SYSTEMS.get(code.get("system", ""), code.get("system"))
        if system is not None and ":" not in system:
            system = f"urn:example:{system.lower().replace(' ', '-')}"
        coding = {
            "system": system,
            "code": str(code["code"]) if "code" in code else None,
            "display": code.get("display"),
        }
        return {name: value for name, value in coding.items() if value is not None}

    def _dates(self, line: Json, names: dict[str, str]) -> Json:
        return {element: self._date(str(line[key])) for element, key in names.items() if key in line}

    def _date(self, text: str) -> str:
        if text in ("today", "yesterday"):
            return (self._today - timedelta(days=text == "yesterday")).isoformat()
        ago = _AGO.fullmatch(text)
        return (self._today - timedelta(days=int(ago[1]) * _DAYS[ago[2]])).isoformat() if ago else text


def _listed(value: Any) -> list[Any]:
    """A value that may be one or a list of them."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
