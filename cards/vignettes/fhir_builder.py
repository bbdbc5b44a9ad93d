"""The FHIR resources of a vignette, in the shapes of DSTU2, STU3, R4 or R5, from a few lines of YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from cards.fhir.draft_orders import FhirVersion
from cards.terminology.code_systems import CODE_SYSTEMS

PATIENT_ID = "vignette"
_AGO = re.compile(r"(\d+) days? ago")
_AHEAD = re.compile(r"in (\d+) days?")
_AS_IN_FHIR = re.compile(r"\d{4}(-\d\d(-\d\d(T.+)?)?)?")
_CONDITION_STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION_STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_OLD = (FhirVersion.DSTU2, FhirVersion.STU3)

Json = dict[str, Any]


class _Part(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """A part of vignettes.yaml: kebab-case keys, unknown ones refused."""


def is_date(text: str) -> bool:
    """Whether this is a date as vignettes write them."""
    return text == "today" or any(pattern.fullmatch(text) for pattern in (_AGO, _AHEAD, _AS_IN_FHIR))


class Concept(_Part):
    """A code that vignettes speak of by name; or words alone."""

    system: str | None = None
    code: str | None = None
    words: str | None = None


class OrderLine(_Part):
    """An order of the session."""

    what: str
    type: str | None = None
    reason: str | None = None
    reason_words: str | None = None
    reason_reference: str | None = None
    note: str | None = None
    category: str | None = None
    priority: str | None = None
    status: str = "draft"
    selected: bool = True
    elements: dict[str, Any] = {}


class MedicationLine(_Part):
    """A medication that the session orders."""

    what: str
    elements: dict[str, Any] = {}


class ConditionLine(_Part):
    """A Condition of the chart. Dates: "7 days ago", "today", or as in FHIR ("2026-06")."""

    what: str
    id: str | None = None
    category: str | None = None
    status: str = "active"
    verification: str = "confirmed"
    onset: str | None = None
    recorded: str | None = None
    abated: str | None = None
    elements: dict[str, Any] = {}


class ProcedureLine(_Part):
    """A Procedure of the chart."""

    what: str
    status: str = "completed"
    performed: str | None = None
    reason: str | None = None
    reason_reference: str | None = None
    elements: dict[str, Any] = {}


class ResourceLine(_Part):
    """A resource of the chart of any other type, in the shape that a Condition has in R4; for the rest: `elements`."""

    type: str
    what: str
    status: str = "active"
    verification: str = "confirmed"
    onset: str | None = None
    recorded: str | None = None
    elements: dict[str, Any] = {}


class FhirBuilder:
    """Writes resources in one FHIR version, on one day, with the concepts of the file."""

    def __init__(self, version: FhirVersion, today: date, concepts: Mapping[str, Concept]) -> None:
        self._version = version
        self._today = today
        self._concepts = concepts

    def order(self, line: OrderLine, number: int) -> Json:
        """ServiceRequest since R4, ProcedureRequest before, unless the line names another type."""
        old = self._version in _OLD
        kind = line.type or ("ProcedureRequest" if old else "ServiceRequest")
        code = self._concept(line.what)
        is_referral = kind == "ReferralRequest"
        order: Json = {"resourceType": kind, "id": f"order-{number}", "status": line.status}
        order |= self._subject(in_dstu2="patient" if is_referral else "subject")
        if self._version is not FhirVersion.DSTU2:
            order["intent"] = "order"
        if line.priority:
            order["priority"] = line.priority
        if is_referral:
            order["serviceRequested"] = [code]
        elif kind == "DiagnosticOrder":
            order["item"] = [{"code": code}]
        else:
            order["code"] = {"concept": code} if self._version is FhirVersion.R5 else code
        if line.note:
            order["note"] = [{"text": line.note}]
        if line.category:
            order["category"] = [{"text": line.category}]
        reason = self._concept(line.reason) if line.reason else {}
        if line.reason_words:
            reason["text"] = line.reason_words
        return order | self._reasons(reason, line.reason_reference, is_referral=is_referral) | line.elements

    def medication(self, line: MedicationLine, number: int) -> Json:
        """MedicationRequest since STU3, MedicationOrder before."""
        is_dstu2, is_r5 = self._version is FhirVersion.DSTU2, self._version is FhirVersion.R5
        kind = "MedicationOrder" if is_dstu2 else "MedicationRequest"
        order: Json = {"resourceType": kind, "id": f"medication-{number}", "status": "draft"}
        order |= self._subject(in_dstu2="patient")
        if not is_dstu2:
            order["intent"] = "order"
        drug = self._concept(line.what)
        order |= {"medication": {"concept": drug}} if is_r5 else {"medicationCodeableConcept": drug}
        return order | line.elements

    def condition(self, line: ConditionLine, number: int) -> Json:
        """A Condition; a status of "none" leaves the element out."""
        condition: Json = {"resourceType": "Condition", "id": line.id or f"condition-{number}"}
        condition |= self._subject(in_dstu2="patient")
        condition["code"] = self._concept(line.what)
        condition |= self._status("clinicalStatus", _CONDITION_STATUS, line.status)
        condition |= self._status("verificationStatus", _VERIFICATION_STATUS, line.verification)
        if line.category:
            category: Json = {"coding": [{"system": _CONDITION_CATEGORY, "code": line.category}]}
            condition["category"] = category if self._version is FhirVersion.DSTU2 else [category]
        recorded = {FhirVersion.DSTU2: "dateRecorded", FhirVersion.STU3: "assertedDate"}.get(
            self._version, "recordedDate"
        )
        dates = {"onsetDateTime": line.onset, recorded: line.recorded, "abatementDateTime": line.abated}
        return condition | self._dates(dates) | line.elements

    def procedure(self, line: ProcedureLine, number: int) -> Json:
        """A Procedure; a status of "none" leaves the element out."""
        procedure: Json = {"resourceType": "Procedure", "id": f"procedure-{number}"} | self._subject(in_dstu2="subject")
        procedure["code"] = self._concept(line.what)
        if line.status != "none":
            procedure["status"] = line.status
        performed = "occurrenceDateTime" if self._version is FhirVersion.R5 else "performedDateTime"
        reason = self._concept(line.reason) if line.reason else {}
        reasons = self._reasons(reason, line.reason_reference, is_referral=False)
        return procedure | self._dates({performed: line.performed}) | reasons | line.elements

    def resource(self, line: ResourceLine, number: int) -> Json:
        """A resource of the type that the line names; its id is that type in lower case and the number."""
        resource: Json = {"resourceType": line.type, "id": f"{line.type.lower()}-{number}"}
        resource |= {"patient": {"reference": f"Patient/{PATIENT_ID}"}, "code": self._concept(line.what)}
        resource |= self._status("clinicalStatus", _CONDITION_STATUS, line.status)
        resource |= self._status("verificationStatus", _VERIFICATION_STATUS, line.verification)
        return resource | self._dates({"onsetDateTime": line.onset, "recordedDate": line.recorded}) | line.elements

    def _concept(self, name: str) -> Json:
        concept = self._concepts[name]
        if concept.code is None:
            return {"text": concept.words or name}
        systems = {system.name: system.uri for system in CODE_SYSTEMS}
        system = systems.get(concept.system or "", concept.system)
        coding = {"system": system, "code": concept.code, "display": concept.words or name}
        return {"coding": [coding]}

    def _subject(self, *, in_dstu2: str) -> Json:
        name = in_dstu2 if self._version is FhirVersion.DSTU2 else "subject"
        return {name: {"reference": f"Patient/{PATIENT_ID}"}}

    def _reasons(self, concept: Json, reference: str | None, *, is_referral: bool) -> Json:
        """DSTU2 has `reason` in a ReferralRequest, reason[x] elsewhere; R5 has a list of CodeableReference."""
        link = {"reference": reference} if reference else None
        if self._version is FhirVersion.R5:
            reasons = ([{"concept": concept}] if concept else []) + ([{"reference": link}] if link else [])
            return {"reason": reasons} if reasons else {}
        if self._version is FhirVersion.DSTU2:
            name = "reason" if is_referral else "reasonCodeableConcept"
            return ({name: concept} if concept else {}) | ({"reasonReference": link} if link else {})
        return ({"reasonCode": [concept]} if concept else {}) | ({"reasonReference": [link]} if link else {})

    def _status(self, name: str, system: str, code: str) -> Json:
        if code == "none":
            return {}
        return {name: code if self._version in _OLD else {"coding": [{"system": system, "code": code}]}}

    def _dates(self, texts: Mapping[str, str | None]) -> Json:
        return {name: self._date(text) for name, text in texts.items() if text is not None}

    def _date(self, text: str) -> str:
        if text == "today":
            return self._today.isoformat()
        ago, ahead = _AGO.fullmatch(text), _AHEAD.fullmatch(text)
        if ago:
            return (self._today - timedelta(days=int(ago[1]))).isoformat()
        return (self._today + timedelta(days=int(ahead[1]))).isoformat() if ahead else text
