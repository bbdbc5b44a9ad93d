"""One line of each resource type as R4 writes it. Dates are ISO texts, or None where there is none."""

from __future__ import annotations

from bench.bulk_export.writing import Condition, Order, Procedure, Requester, element

ORDER_TYPE = "ServiceRequest"
STATUSES = {"revoked": "revoked", "on-hold": "on-hold"}

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def order(line: Order) -> str:
    """A ServiceRequest."""
    return (
        f'{{"resourceType":"ServiceRequest","id":"{line.identity}","meta":{{"profile":["{_CORE}servicerequest"]}},'
        f'"status":"{line.status}","intent":"order","category":[{line.kind.category}],"priority":"{line.priority}",'
        f'"code":{line.kind.code},"subject":{{"reference":"Patient/{line.patient}"}},'
        f'"encounter":{{"reference":"Encounter/{line.encounter}"}},{element("authoredOn", line.authored)}'
        f'{_requester(line.requester)}{line.reason}"identifier":[{{"system":"urn:oid:2.999.1.7","value":"{line.identity}"}}]}}'
    )


def _requester(requester: Requester | None) -> str:
    if requester is None:
        return ""
    return f'"requester":{{"reference":"{requester.reference}","display":"{requester.display}"}},'


def condition(line: Condition) -> str:
    """A Condition."""
    standing = (
        f'"clinicalStatus":{{"coding":[{{"system":"{_CLINICAL}","code":"{line.clinical}"}}]}},' if line.clinical else ""
    )
    return (
        f'{{"resourceType":"Condition","id":"{line.identity}","meta":{{"profile":["{_CORE}condition-problems-health-concerns"]}},'
        f'{standing}"verificationStatus":{{"coding":[{{"system":"{_VERIFICATION}","code":"{line.verification}"}}]}},'
        f'"category":[{{"coding":[{{"system":"{_CATEGORY}","code":"{line.category}"}}]}}],"code":{line.code},'
        f'"subject":{{"reference":"Patient/{line.patient}"}},{element("onsetDateTime", line.onset)}'
        f"{element('abatementDateTime', line.abated)}{element('recordedDate', line.recorded)}"
        f'"encounter":{{"reference":"Encounter/{line.encounter}"}}}}'
    )


def procedure(line: Procedure) -> str:
    """A Procedure; one that was not done says why."""
    why_not = '"statusReason":{"text":"patient declined"},' if line.status == "not-done" else ""
    performed = (
        f'"performedPeriod":{{"start":"{line.start}","end":"{line.end}"}},'
        if line.end
        else element("performedDateTime", line.start)
    )
    return (
        f'{{"resourceType":"Procedure","id":"{line.identity}","meta":{{"profile":["{_CORE}procedure"]}},"status":"{line.status}",'
        f'{why_not}"code":{line.code},"subject":{{"reference":"Patient/{line.patient}"}},{performed}'
        f'"encounter":{{"reference":"Encounter/{line.encounter}"}}}}'
    )
