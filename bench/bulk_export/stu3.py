"""One line of each resource type as STU3 writes it, under the same names as r4.py."""

from __future__ import annotations

from bench.bulk_export.writing import Condition, Order, Procedure, Requester, element

ORDER_TYPE = "ProcedureRequest"
STATUSES = {"revoked": "cancelled", "on-hold": "suspended"}

_CATEGORY = "http://hl7.org/fhir/condition-category"


def order(line: Order) -> str:
    """A ProcedureRequest."""
    return (
        f'{{"resourceType":"ProcedureRequest","id":"{line.identity}","status":"{line.status}","intent":"order",'
        f'"category":[{line.kind.category}],"priority":"{line.priority}","code":{line.kind.code},'
        f'"subject":{{"reference":"Patient/{line.patient}"}},"context":{{"reference":"Encounter/{line.encounter}"}},'
        f"{element('authoredOn', line.authored)}{_requester(line.requester)}{line.reason}"
        f'"identifier":[{{"system":"urn:oid:2.999.1.7","value":"{line.identity}"}}]}}'
    )


def _requester(requester: Requester | None) -> str:
    if requester is None:
        return ""
    agent = requester.reference.replace("PractitionerRole/", "Practitioner/")  # no agent in STU3 is a role
    return f'"requester":{{"agent":{{"reference":"{agent}","display":"{requester.display}"}}}},'


def condition(line: Condition) -> str:
    """A Condition."""
    verification = "provisional" if line.verification == "unconfirmed" else line.verification
    return (
        f'{{"resourceType":"Condition","id":"{line.identity}",{element("clinicalStatus", line.clinical)}'
        f'"verificationStatus":"{verification}","category":[{{"coding":[{{"system":"{_CATEGORY}","code":"{line.category}"}}]}}],'
        f'"code":{line.code},"subject":{{"reference":"Patient/{line.patient}"}},{element("onsetDateTime", line.onset)}'
        f"{element('abatementDateTime', line.abated)}{element('assertedDate', line.recorded)}"
        f'"context":{{"reference":"Encounter/{line.encounter}"}}}}'
    )


def procedure(line: Procedure) -> str:
    """A Procedure; one that was not done says so."""
    not_done = '"notDone":true,"notDoneReason":{"text":"patient declined"},' if line.status == "not-done" else ""
    status = "suspended" if line.status == "not-done" else line.status
    performed = (
        f'"performedPeriod":{{"start":"{line.start}","end":"{line.end}"}},'
        if line.end
        else element("performedDateTime", line.start)
    )
    return (
        f'{{"resourceType":"Procedure","id":"{line.identity}","status":"{status}",{not_done}"code":{line.code},'
        f'"subject":{{"reference":"Patient/{line.patient}"}},{performed}"context":{{"reference":"Encounter/{line.encounter}"}}}}'
    )
