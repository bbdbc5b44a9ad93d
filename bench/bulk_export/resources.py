"""One line of each resource type, as R4 or STU3 writes it. Dates are ISO texts, or None where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from bench.bulk_export.ordinary import OrderKind

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


@dataclass(frozen=True)
class Requester:
    """Who ordered, or for which service: "Practitioner/204", "Ortiz, D"."""

    reference: str
    display: str


class Order(NamedTuple):
    """`reason`: `"reasonCode":[...],`, `"reasonReference":[...],` or nothing."""

    identity: str
    patient: str
    encounter: str
    kind: OrderKind
    status: str
    priority: str
    authored: str | None
    requester: Requester | None
    reason: str


class Condition(NamedTuple):
    """`code`: JSON; the statuses as R4 names them."""

    identity: str
    patient: str
    encounter: str
    code: str
    clinical: str | None
    verification: str
    category: str
    onset: str | None
    recorded: str | None
    abated: str | None


class Procedure(NamedTuple):
    """`code`: JSON. With an end it has a period."""

    identity: str
    patient: str
    encounter: str
    code: str
    status: str
    start: str | None
    end: str | None


class R4:
    """FHIR R4, with the profiles of US Core."""

    order_type = "ServiceRequest"
    _encounter = "encounter"
    _recorded = "recordedDate"
    _category = "http://terminology.hl7.org/CodeSystem/condition-category"
    _order_status: ClassVar[Mapping[str, str]] = {}

    def order(self, line: Order) -> str:
        """A ServiceRequest or ProcedureRequest."""
        status = self._order_status.get(line.status, line.status)
        return (
            f'{{"resourceType":"{self.order_type}","id":"{line.identity}",{self._profile("servicerequest")}'
            f'"status":"{status}","intent":"order","category":[{line.kind.category}],"priority":"{line.priority}",'
            f'"code":{line.kind.code},"subject":{{"reference":"Patient/{line.patient}"}},'
            f'"{self._encounter}":{{"reference":"Encounter/{line.encounter}"}},{_element("authoredOn", line.authored)}'
            f"{self._requester(line.requester) if line.requester else ''}{line.reason}"
            f'"identifier":[{{"system":"urn:oid:2.999.1.7","value":"{line.identity}"}}]}}'
        )

    def condition(self, line: Condition) -> str:
        """A Condition."""
        return (
            f'{{"resourceType":"Condition","id":"{line.identity}",{self._profile("condition-problems-health-concerns")}'
            f'{self._statuses(line)}"category":[{{"coding":[{{"system":"{self._category}","code":"{line.category}"}}]}}],'
            f'"code":{line.code},"subject":{{"reference":"Patient/{line.patient}"}},'
            f"{_element('onsetDateTime', line.onset)}{_element('abatementDateTime', line.abated)}"
            f"{_element(self._recorded, line.recorded)}"
            f'"{self._encounter}":{{"reference":"Encounter/{line.encounter}"}}}}'
        )

    def procedure(self, line: Procedure) -> str:
        """A Procedure; one that was not done says why."""
        performed = (
            f'"performedPeriod":{{"start":"{line.start}","end":"{line.end}"}},'
            if line.end
            else _element("performedDateTime", line.start)
        )
        return (
            f'{{"resourceType":"Procedure","id":"{line.identity}",{self._profile("procedure")}'
            f'{self._not_done() if line.status == "not-done" else _element("status", line.status)}"code":{line.code},'
            f'"subject":{{"reference":"Patient/{line.patient}"}},{performed}'
            f'"{self._encounter}":{{"reference":"Encounter/{line.encounter}"}}}}'
        )

    def _profile(self, name: str) -> str:
        return f'"meta":{{"profile":["{_CORE}{name}"]}},'

    def _requester(self, requester: Requester) -> str:
        return f'"requester":{{"reference":"{requester.reference}","display":"{requester.display}"}},'

    def _statuses(self, line: Condition) -> str:
        clinical = f'"clinicalStatus":{{"coding":[{{"system":"{_CLINICAL}","code":"{line.clinical}"}}]}},'
        verification = (
            f'"verificationStatus":{{"coding":[{{"system":"{_VERIFICATION}","code":"{line.verification}"}}]}},'
        )
        return (clinical if line.clinical else "") + verification

    def _not_done(self) -> str:
        return '"status":"not-done","statusReason":{"text":"patient declined"},'


class Stu3(R4):
    """FHIR STU3, where it differs."""

    order_type = "ProcedureRequest"
    _encounter = "context"
    _recorded = "assertedDate"
    _category = "http://hl7.org/fhir/condition-category"
    _order_status: ClassVar[Mapping[str, str]] = {"revoked": "cancelled", "on-hold": "suspended"}

    def _profile(self, name: str) -> str:
        return ""

    def _requester(self, requester: Requester) -> str:
        agent = requester.reference.replace("PractitionerRole/", "Practitioner/")  # no agent in STU3 is a role
        return f'"requester":{{"agent":{{"reference":"{agent}","display":"{requester.display}"}}}},'

    def _statuses(self, line: Condition) -> str:
        verification = "provisional" if line.verification == "unconfirmed" else line.verification
        return _element("clinicalStatus", line.clinical) + _element("verificationStatus", verification)

    def _not_done(self) -> str:
        return '"status":"suspended","notDone":true,"notDoneReason":{"text":"patient declined"},'


FHIR_VERSIONS: Mapping[str, R4] = {"R4": R4(), "STU3": Stu3()}


def patient(identity: str, family: str, given: str, gender: str, birth_date: str | None, language: str) -> str:
    """A Patient, the same in both; with a name, so that a reader that shows it is noticed."""
    return (
        f'{{"resourceType":"Patient","id":"{identity}","active":true,'
        f'"name":[{{"use":"official","family":"{family}","given":["{given}"]}}],"gender":"{gender}",'
        f"{_element('birthDate', birth_date)}"
        f'"communication":[{{"language":{{"coding":[{{"system":"urn:ietf:bcp:47","code":"{language}"}}]}}}}]}}'
    )


def _element(name: str, text: str | None) -> str:
    """`"name":"text",` or nothing."""
    return f'"{name}":"{text}",' if text else ""
