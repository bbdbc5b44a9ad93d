"""One line of each resource type as R4 writes it. Dates are ISO texts, or None where there is none."""

from __future__ import annotations

from bench.bulk_export.ordinary import OrderKind
from bench.bulk_export.writing import Requester, element

ORDER_TYPE = "ServiceRequest"
STATUSES = {"revoked": "revoked", "on-hold": "on-hold"}

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def order(
    identity: str,
    patient: str,
    encounter: str,
    kind: OrderKind,
    status: str,
    priority: str,
    authored: str | None,
    requester: Requester | None,
    reason: str,
) -> str:
    """A ServiceRequest. `reason`: `"reasonCode":[...],`, `"reasonReference":[...],` or nothing."""
    return (
        f'{{"resourceType":"ServiceRequest","id":"{identity}","meta":{{"profile":["{_CORE}servicerequest"]}},'
        f'"status":"{status}","intent":"order","category":[{kind.category}],"priority":"{priority}",'
        f'"code":{kind.code},"subject":{{"reference":"Patient/{patient}"}},'
        f'"encounter":{{"reference":"Encounter/{encounter}"}},{element("authoredOn", authored)}'
        f'{_requester(requester)}{reason}"identifier":[{{"system":"urn:oid:2.999.1.7","value":"{identity}"}}]}}'
    )


def _requester(requester: Requester | None) -> str:
    if requester is None:
        return ""
    return f'"requester":{{"reference":"{requester.reference}","display":"{requester.display}"}},'


def condition(
    identity: str,
    patient: str,
    encounter: str,
    code: str,
    clinical: str | None,
    verification: str,
    category: str,
    onset: str | None,
    recorded: str | None,
    abated: str | None,
) -> str:
    """A Condition."""
    standing = f'"clinicalStatus":{{"coding":[{{"system":"{_CLINICAL}","code":"{clinical}"}}]}},' if clinical else ""
    return (
        f'{{"resourceType":"Condition","id":"{identity}","meta":{{"profile":["{_CORE}condition-problems-health-concerns"]}},'
        f'{standing}"verificationStatus":{{"coding":[{{"system":"{_VERIFICATION}","code":"{verification}"}}]}},'
        f'"category":[{{"coding":[{{"system":"{_CATEGORY}","code":"{category}"}}]}}],"code":{code},'
        f'"subject":{{"reference":"Patient/{patient}"}},{element("onsetDateTime", onset)}'
        f"{element('abatementDateTime', abated)}{element('recordedDate', recorded)}"
        f'"encounter":{{"reference":"Encounter/{encounter}"}}}}'
    )


def procedure(
    identity: str, patient: str, encounter: str, code: str, status: str, start: str | None, end: str | None
) -> str:
    """A Procedure; with an end it has a period, and one that was not done says why."""
    why_not = '"statusReason":{"text":"patient declined"},' if status == "not-done" else ""
    performed = (
        f'"performedPeriod":{{"start":"{start}","end":"{end}"}},' if end else element("performedDateTime", start)
    )
    return (
        f'{{"resourceType":"Procedure","id":"{identity}","meta":{{"profile":["{_CORE}procedure"]}},"status":"{status}",'
        f'{why_not}"code":{code},"subject":{{"reference":"Patient/{patient}"}},{performed}'
        f'"encounter":{{"reference":"Encounter/{encounter}"}}}}'
    )
