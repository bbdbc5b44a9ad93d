"""A CDS service and a FHIR server that are not ours, and calls to them by `cds-service call`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from click.testing import Result

from tests.call_server import CallServer, reply
from tests.cds_service.ehr_simulator.test_command import call
from tests.charts import condition, patient, searchset

PATIENT_VIEW = {
    "hook": "patient-view",
    "id": "patient-greeting",
    "title": "Patient greeting",
    "description": "Greets",
    "prefetch": {"patientToGreet": "Patient/{{context.patientId}}"},
}
# The shape of the discovery documents of public sandbox services, with every kind of template that is met there.
DISCOVERY = {
    "services": [
        PATIENT_VIEW,
        {
            "hook": "order-select",
            "id": "order-helper",
            "description": "Helps",
            "prefetch": {
                "patient": "Patient/{{context.patientId}}",
                "problems": "Condition?patient={{ context.patientId }}",
                "user": "{{context.userId}}",
                "practitioner": "Practitioner/{{userPractitionerId}}",
                "self": "Patient/{{userPatientId}}",
                "encounter": "Encounter/{{context.encounterId}}",
                "drafts": "ServiceRequest?_id={{context.draftOrders}}",
                "role": "PractitionerRole?practitioner={{%user.id}}",
                "recent": "Observation?date=ge{{today() - 90 days}}",
                "elsewhere": "http://203.0.113.7/Patient/{{context.patientId}}",
                "broken": "Observation?patient={{context.patientId",
                "missing": "Coverage?patient={{context.patientId}}",
                "refused": "Immunization?patient={{context.patientId}}",
                "html": "Device?patient={{context.patientId}}",
                "outcome": "Consent?patient={{context.patientId}}",
                "nothing": "Goal?patient={{context.patientId}}",
            },
        },
        {"hook": "order-select", "id": "second", "description": "Comes second"},
        {"id": "no hook"},
        "nonsense",
    ]
}
CARD = {"summary": "Hello", "indicator": "info", "source": {"label": "Greeter"}}


def outcome(*issues: Any) -> dict[str, Any]:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


@contextmanager
def foreign_service() -> Iterator[CallServer]:
    """A foreign CDS service at /r4, and a FHIR server at /fhir, that say hello."""
    one = CallServer()
    one.answers |= {
        "GET /r4/cds-services": reply(DISCOVERY),
        "POST /r4/cds-services/patient-greeting": reply({"cards": [CARD]}),
        "POST /r4/cds-services/order-helper": reply({"cards": []}),
        "GET /fhir/metadata": reply({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}),
        "GET /fhir/Patient/pat-1": reply(patient()),
        "GET /fhir/Condition?patient=pat-1": reply(searchset(condition())),
        "GET /fhir/Practitioner/7": reply({"resourceType": "Practitioner", "id": "7"}),
        "GET /fhir/Immunization?patient=pat-1": reply(
            {"resourceType": "OperationOutcome", "issue": [{"code": "forbidden", "diagnostics": "no scope for it"}]},
            403,
        ),
        "GET /fhir/Device?patient=pat-1": reply(b"<html>", Content_Type="text/html"),
        "GET /fhir/Consent?patient=pat-1": reply(outcome({"code": "timeout"})),
        "GET /fhir/Goal?patient=pat-1": reply(searchset()),
    }
    try:
        yield one
    finally:
        one.close()


def call_helper(server: CallServer, *arguments: str, **variables: str) -> Result:
    """The order-select service of the foreign server, for a patient of its FHIR server."""
    return call(
        *("--service", f"{server.url}/r4", "--hook", "order-select", "--fhir", f"{server.url}/fhir"),
        *("--patient", "pat-1", "--order-text", "CT head", "--user", "Practitioner/7"),
        *arguments,
        **variables,
    )


def greet(server: CallServer, *arguments: str) -> Result:
    """Its patient-view service."""
    return call("--service", f"{server.url}/r4", "--hook", "patient-view", "--patient", "pat-1", *arguments)
