"""One line of each resource type as STU3 writes it, under the same names as r4.py."""

from __future__ import annotations

from bench.bulk_export.ordinary import OrderKind
from bench.bulk_export.writing import Requester, element

ORDER_TYPE = "ProcedureRequest"
STATUSES = {"revoked": "cancelled", "on-hold": "suspended"}

_CATEGORY = "http://hl7.org/fhir/condition-category"


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
    """A ProcedureRequest."""
    return (
        f'{{"resourceType":"ProcedureRequest","id":"{identity}","status":"{status}","intent":"order",'
        f'"category":[{kind.category}],"priority":"{priority}","code":{kind.code},'
        f'"subject":{{"reference":"Patient/{patient}"}},"context":{{"reference":"Encounter/{encounter}"}},'
        f"{element('authoredOn', authored)}{_requester(requester)}{reason}"
        f'"identifier":[{{"system":"urn:oid:2.999.1.7","value":"{identity}"}}]}}'
    )


def _requester(requester: Requester | None) -> str:
    if requester is None:
        return ""
    agent = requester.reference.replace("PractitionerRole/", "Practitioner/")  # no agent in STU3 is a role
    return f'"requester":{{"agent":{{"reference":"{agent}","display":"{requester.display}"}}}},'


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
    verification = "provisional" if verification == "unconfirmed" else verification
    return (
        f'{{"resourceType":"Condition","id":"{identity}",{element("clinicalStatus", clinical)}'
        f'"verificationStatus":"{verification}","category":[{{"coding":[{{"system":"{_CATEGORY}","code":"{category}"}}]}}],'
        f'"code":{code},"subject":{{"reference":"Patient/{patient}"}},{element("onsetDateTime", onset)}'
        f"{element('abatementDateTime', abated)}{element('assertedDate', recorded)}"
        f'"context":{{"reference":"Encounter/{encounter}"}}}}'
    )


def procedure(
    identity: str, patient: str, encounter: str, code: str, status: str, start: str | None, end: str | None
) -> str:
    """A Procedure; one that was not done says so."""
    not_done = '"notDone":true,"notDoneReason":{"text":"patient declined"},' if status == "not-done" else ""
    status = "suspended" if status == "not-done" else status
    performed = (
        f'"performedPeriod":{{"start":"{start}","end":"{end}"}},' if end else element("performedDateTime", start)
    )
    return (
        f'{{"resourceType":"Procedure","id":"{identity}","status":"{status}",{not_done}"code":{code},'
        f'"subject":{{"reference":"Patient/{patient}"}},{performed}"context":{{"reference":"Encounter/{encounter}"}}}}'
    )
