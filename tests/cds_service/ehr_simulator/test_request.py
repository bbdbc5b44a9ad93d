"""The requests that `cds-service call` builds: every FHIR version, every hook; and what it refuses to build."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.ehr_simulator.discovery import parse_address
from cds_service.ehr_simulator.drafts import version_of
from tests.call_server import CallServer, reply
from tests.cds_service.ehr_simulator.test_command import STORED, call
from tests.cds_service.ehr_simulator.test_token import pem
from tests.charts import SNOMED

LP = f"{SNOMED}|277762005|Lumbar puncture"
DRUG = "http://www.nlm.nih.gov/research/umls/rxnorm|161"
REASON = "http://hl7.org/fhir/sid/icd-10-cm|M54.5"
LP_CONCEPT = {"coding": [{"system": SNOMED, "code": "277762005", "display": "Lumbar puncture"}]}
DRUG_CONCEPT = {"coding": [{"system": DRUG.partition("|")[0], "code": "161"}]}
REASON_CONCEPT = {"coding": [{"system": REASON.partition("|")[0], "code": "M54.5"}]}
HOOKS = ("order-sign", "order-select", "patient-view", "encounter-start", "encounter-discharge")


@pytest.fixture
def server() -> Iterator[CallServer]:
    """A CDS service with every hook, and a FHIR server whose version a test chooses."""
    one = CallServer()
    services = [{"hook": hook, "id": hook, "description": "x"} for hook in HOOKS]
    one.answers["GET /cds-services"] = reply({"services": services})
    one.answers["GET /fhir/Patient/42"] = reply({"resourceType": "Patient", "id": "42"})
    yield one
    one.close()


def built(server: CallServer, *arguments: str) -> Any:
    """The request that --dry-run prints."""
    result = call("--service", server.url, "--dry-run", *arguments)
    assert result.exit_code == 0, result.stderr
    assert server.posted() == []
    return json.loads(result.stdout)


def drafts(request: Any) -> list[Any]:
    return [entry["resource"] for entry in request["context"]["draftOrders"]["entry"]]


def test_a_request_is_an_envelope_around_the_drafts(server: CallServer) -> None:
    """R-2.1 to R-2.6, R-2.40 to R-2.43."""
    request = built(server, "--patient", "Patient/42", "--order", LP, "--priority", "routine", "--encounter", "9")
    UUID(request.pop("hookInstance"))
    assert request == {
        "hook": "order-sign",
        "context": {
            "userId": "Practitioner/example",
            "patientId": "42",
            "encounterId": "9",
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [
                    {
                        "resource": {
                            "resourceType": "ServiceRequest",
                            "id": "draft-1",
                            "status": "draft",
                            "intent": "order",
                            "priority": "routine",
                            "code": LP_CONCEPT,
                            "subject": {"reference": "Patient/42"},
                            "encounter": {"reference": "Encounter/9"},
                        }
                    }
                ],
            },
        },
    }


BOTH_REASONS = ("--reason", REASON, "--reason-condition", "c-1")
CONDITION = {"reference": "Condition/c-1"}


@pytest.mark.parametrize(
    ("number", "order", "arguments", "expected"),
    [
        pytest.param(
            "1.0.2",
            LP,
            ["--reason", REASON],
            {"resourceType": "ProcedureRequest", "code": LP_CONCEPT, "reasonCodeableConcept": REASON_CONCEPT},
            id="DSTU2: a ProcedureRequest, with one reason",
        ),
        pytest.param(
            "1.0.2",
            DRUG,
            ["--reason-condition", "c-1"],
            {
                "resourceType": "MedicationOrder",
                "medicationCodeableConcept": DRUG_CONCEPT,
                "patient": {"reference": "Patient/42"},
                "reasonReference": CONDITION,
            },
            id="DSTU2: a MedicationOrder",
        ),
        pytest.param(
            "3.0.2",
            LP,
            [*BOTH_REASONS, "--encounter", "9"],
            {
                "resourceType": "ProcedureRequest",
                "code": LP_CONCEPT,
                "context": {"reference": "Encounter/9"},
                "reasonCode": [REASON_CONCEPT],
                "reasonReference": [CONDITION],
            },
            id="STU3: a ProcedureRequest in a context",
        ),
        pytest.param(
            "4.0.1",
            LP,
            BOTH_REASONS,
            {
                "resourceType": "ServiceRequest",
                "code": LP_CONCEPT,
                "reasonCode": [REASON_CONCEPT],
                "reasonReference": [CONDITION],
            },
            id="R4: a ServiceRequest",
        ),
        pytest.param(
            "4.3.0",
            DRUG,
            ["--reason-text", "pain"],
            {
                "resourceType": "MedicationRequest",
                "medicationCodeableConcept": DRUG_CONCEPT,
                "reasonCode": [{"text": "pain"}],
            },
            id="R4B: a MedicationRequest, for its system is RxNorm",
        ),
        pytest.param(
            "5.0.0",
            LP,
            BOTH_REASONS,
            {
                "resourceType": "ServiceRequest",
                "code": {"concept": LP_CONCEPT},
                "reason": [{"concept": REASON_CONCEPT}, {"reference": CONDITION}],
            },
            id="R5: a ServiceRequest with concepts",
        ),
        pytest.param(
            "5.0.0",
            DRUG,
            [],
            {"resourceType": "MedicationRequest", "medication": {"concept": DRUG_CONCEPT}},
            id="R5: a MedicationRequest with a concept",
        ),
    ],
)
def test_a_draft_is_written_in_the_version_of_the_fhir_server(
    server: CallServer, number: str, order: str, arguments: list[str], expected: Any
) -> None:
    """R-2.74."""
    metadata = {"resourceType": "Conformance" if number < "3" else "CapabilityStatement", "fhirVersion": number}
    server.answers["GET /fhir/metadata"] = reply(metadata)
    request = built(server, "--fhir", f"{server.url}/fhir", "--patient", "42", "--order", order, *arguments)
    (draft,) = drafts(request)
    assert expected.items() <= draft.items()
    assert draft["status"] == "draft"
    assert ("intent" in draft) is (number > "3")
    assert {"code", "medication", "medicationCodeableConcept"} & draft.keys() == (
        {"code", "medication", "medicationCodeableConcept"} & expected.keys()
    )


@pytest.mark.parametrize(
    ("number", "version"),
    [("1.0.2", "DSTU2"), ("3.0.1", "STU3"), ("4.0.0", "R4"), ("4.3.0", "R4B"), ("5.0.0-ballot", "R5"), ("9", None)],
)
def test_a_version_is_known_by_its_number(number: str, version: str | None) -> None:
    assert version_of(number) == version


def test_orders_come_from_codes_words_and_files(server: CallServer, tmp_path: Path) -> None:
    one, bundle = tmp_path / "one.json", tmp_path / "bundle.json"
    one.write_text(json.dumps({"resourceType": "NutritionOrder", "id": "mine", "status": "draft"}))
    bundle.write_text(
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "DeviceRequest"}}]})
    )
    files = ("--order-file", str(one), "--order-file", str(bundle))
    request = built(server, "--patient", "42", "--order", LP, "--order-text", "MRI of the spine", *files)
    told = [(draft["resourceType"], draft["id"]) for draft in drafts(request)]
    assert told == [
        ("ServiceRequest", "draft-1"),
        ("ServiceRequest", "draft-2"),
        ("NutritionOrder", "mine"),
        ("DeviceRequest", "draft-4"),
    ]
    assert drafts(request)[1]["code"] == {"text": "MRI of the spine"}


@pytest.mark.parametrize(
    ("selected", "selections"),
    [
        pytest.param([], ["ServiceRequest/draft-1", "MedicationRequest/draft-2"], id="all, where none is named"),
        pytest.param(["2", "2"], ["MedicationRequest/draft-2"], id="the second"),
    ],
)
def test_order_select_says_what_is_selected(server: CallServer, selected: list[str], selections: list[str]) -> None:
    """R-2.33."""
    chosen = [part for number in selected for part in ("--select", number)]
    orders = ("--order", LP, "--order", DRUG)
    request = built(server, "--hook", "order-select", "--patient", "42", *orders, *chosen)
    assert request["context"]["selections"] == selections


@pytest.mark.parametrize(
    ("hook", "arguments", "context"),
    [
        pytest.param("patient-view", [], {}, id="the opening of a chart"),
        pytest.param("patient-view", ["--encounter", "9"], {"encounterId": "9"}, id="the opening in an encounter"),
        pytest.param("encounter-start", ["--encounter", "9"], {"encounterId": "9"}, id="the start of an encounter"),
        pytest.param("encounter-discharge", ["--encounter", "9"], {"encounterId": "9"}, id="its end"),
    ],
)
def test_hooks_without_orders_have_their_own_context(
    server: CallServer, hook: str, arguments: list[str], context: dict[str, str]
) -> None:
    """R-2.60 to R-2.67."""
    request = built(server, "--hook", hook, "--patient", "42", "--user", "Patient/42", *arguments)
    assert request["context"] == {"userId": "Patient/42", "patientId": "42"} | context


USABLE = ("--patient", "42", "--order", LP)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "--patient ID is needed", id="no patient"),
        pytest.param(["--patient", "42"], "order-sign needs an order", id="no order"),
        pytest.param(["--patient", "a/b", "--order", LP], "a bare FHIR id", id="a patient that is a reference"),
        pytest.param([*USABLE, "--encounter", "E/1"], "a bare FHIR id", id="an encounter that is a reference"),
        pytest.param([*USABLE, "--user", "7"], "such as Practitioner/7", id="a user that is no reference"),
        pytest.param(["--patient", "42", "--order", "277762005"], "is not SYSTEM|CODE", id="an order without system"),
        pytest.param([*USABLE, "--reason", "pain"], "is not SYSTEM|CODE", id="a reason without system"),
        pytest.param([*USABLE, "--select", "1"], "--select is for --hook order-select", id="a selection at signing"),
        pytest.param([*USABLE, "--hook", "order-select", "--select", "2"], "is 1 order", id="a selection of no order"),
        pytest.param([*USABLE, "--hook", "patient-view"], "patient-view has no orders", id="orders without a place"),
        pytest.param(["--hook", "encounter-start", "--patient", "4"], "needs --encounter", id="no encounter"),
        pytest.param([*USABLE, "--hook", "my-hook"], "Invalid value for '--hook'", id="a hook that we cannot build"),
        pytest.param([*USABLE, "--fhir", "x"], "begins with http", id="an invalid FHIR base"),
        pytest.param([*USABLE, "--fhir", "http://u:p@x/"], "without user", id="a FHIR base with a password"),
        pytest.param([*USABLE, "--service", "localhost:8080"], "begins with http", id="a service without a scheme"),
        pytest.param(
            [*USABLE, "--service", "http://u:p@h"], "leave user and password out", id="a service with a password"
        ),
        pytest.param([*USABLE, "--service", "http://h:x"], "Invalid value for --service", id="a service with no port"),
        pytest.param([*USABLE, "--json", "--curl"], "Use only one of", id="two ways of printing"),
        pytest.param([*USABLE, "--partial", "nope"], "it has none", id="a key that is not there"),
        pytest.param([*USABLE, "--issuer", "x"], "need --key FILE", id="an issuer and no key"),
        pytest.param([*USABLE, "--audience", "http://x"], "need --key FILE", id="an audience and no key"),
        pytest.param([*USABLE, "--audience", "x"], "Invalid value for --audience", id="an audience that is no URL"),
        pytest.param([*USABLE, "--service", ""], "Invalid value for --service", id="no service"),
        pytest.param([*USABLE, "--key", STORED], "needs --issuer", id="a key and no issuer"),
        pytest.param([*USABLE, "--timeout", "0"], "Invalid value for '--timeout'", id="no time"),
        pytest.param(["--request", STORED, "--patient", "1"], "sends a file unchanged", id="a file and a patient"),
        pytest.param([*USABLE, "--order-file", STORED], "has no FHIR resource", id="a file that is no order"),
        pytest.param(
            [*USABLE, "--fhir-version", "DSTU2", "--reason", REASON, "--reason-text", "pain"],
            "a DSTU2 order has one reason",
            id="two reasons, where there is room for one",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(server: CallServer, arguments: list[str], words: str) -> None:
    service = [] if "--service" in arguments else ["--service", server.url]
    result = call(*service, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert server.posted() == []


@pytest.mark.parametrize(
    ("text", "discovery", "service_id"),
    [
        ("http://h", "http://h/cds-services", None),
        ("https://h:8/r4/", "https://h:8/r4/cds-services", None),
        ("https://h/r4/cds-services", "https://h/r4/cds-services", None),
        ("https://h/cds-services//lp", "https://h/cds-services", "lp"),
        ("https://h/cds-services/lp/feedback", "https://h/cds-services", "lp"),
        ("https://h/cds-services/a%20b?x=1", "https://h/cds-services", "a b"),
        ("https://h/cds-services-2", "https://h/cds-services-2/cds-services", None),
    ],
)
def test_an_address_is_worked_out(text: str, discovery: str, service_id: str | None) -> None:
    address = parse_address(text)
    assert (address.discovery, address.service_id) == (discovery, service_id)
    assert address.of("a b") == f"{discovery}/a%20b"


@pytest.mark.parametrize(
    "content", [b'{"hook":  "order-sign", "x": 1.50}', b"\xff no JSON \x1b[2J"], ids=["JSON", "none"]
)
def test_a_stored_request_is_sent_byte_for_byte(server: CallServer, tmp_path: Path, content: bytes) -> None:
    server.answers["POST /cds-services/order-sign"] = reply({"cards": []})
    stored = tmp_path / "request"
    stored.write_bytes(content)
    assert call("--service", server.url, "--request", str(stored)).exit_code == 0
    (sent,) = server.posted()
    assert (sent.body, sent.headers["Content-Type"]) == (content, "application/json")
    shown = call("--service", server.url, "--request", str(stored), "--dry-run")
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize("way", ["--dry-run", "--curl"])
def test_a_request_is_printed_without_its_tokens(server: CallServer, tmp_path: Path, way: str) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    signed = ("--key", str(key), "--issuer", "https://ehr.example.org")
    fhir = ("--fhir", f"{server.url}/fhir", "--fhir-version", "R4", "--fhir-token", "s3cret")
    result = call("--service", server.url, *USABLE, *fhir, *signed, way)
    assert result.exit_code == 0
    assert "s3cret" not in result.stdout + result.stderr
    assert "eyJhbGci" not in result.stdout + result.stderr
    assert '"access_token": "(not shown)"' in result.stdout
    assert ("$TOKEN" in result.stdout) is (way == "--curl")


def test_the_curl_command_works_in_a_shell(server: CallServer) -> None:
    server.answers["POST /cds-services/order-sign"] = reply({"cards": []})
    printed = call("--service", server.url, "--patient", "42", "--order-text", "$HOME `id` 'MRI'", "--curl").stdout
    ran = subprocess.run(["sh", "-c", printed], capture_output=True, text=True, timeout=30)  # noqa: S603, S607
    assert json.loads(ran.stdout) == {"cards": []}
    assert drafts(server.posted()[0].json)[0]["code"] == {"text": "$HOME `id` 'MRI'"}


def test_help_of_the_command_does_not_wait_for_what_a_call_needs() -> None:
    """No HTTP, no cryptography, no rich, before a call is made."""
    heavy = {"requests", "jwt", "rich", "cryptography"}
    code = f"import sys, cds_service.cli.main; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout.strip() == "set()"
