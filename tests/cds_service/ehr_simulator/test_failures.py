"""`cds-service call` with a service or FHIR server that is broken, slow, unusual or missing: clear messages."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.call_server import CallServer, hang_up, reply, silence
from tests.cds_service.ehr_simulator.foreign_service import (
    CARD,
    call_helper,
    foreign_service,
    greet,
)
from tests.cds_service.ehr_simulator.test_command import STORED, call
from tests.certificates import self_signed, server_context
from tests.misbehaving_server import Answer, LoopbackServer, answer
from tests.server_process import COMMAND, free_port


@pytest.fixture
def server() -> Iterator[CallServer]:
    with foreign_service() as one:
        yield one


@pytest.mark.parametrize(
    ("discovery", "words"),
    [
        pytest.param(
            reply(b"<!doctype html>", Content_Type="text/html"), "the answer is HTML or XML, not JSON", id="HTML"
        ),
        pytest.param(
            reply(b"\n<Bundle/>", Content_Type="application/xml"), "the answer is HTML or XML, not JSON", id="XML"
        ),
        pytest.param(reply(b""), "the answer is an empty body", id="nothing"),
        pytest.param(reply(b'{"services": ['), "invalid JSON (JSONDecodeError, line 1 column 15)", id="half of it"),
        pytest.param(reply(b'{"services": NaN}'), "invalid JSON (ValueError)", id="what only Python takes for JSON"),
        pytest.param(reply(b"[" * 100_000), "invalid JSON (RecursionError)", id="a nest without end"),
        pytest.param(reply({"resourceType": "Bundle"}), "JSON without a list of services", id="a FHIR resource"),
        pytest.param(reply(["services"]), "JSON without a list of services", id="a list"),
        pytest.param(reply(b"", 404), "discovery answered 404", id="a 404"),
        pytest.param(reply(b"", 503, Retry_After="60"), "called again after 60", id="a 503 that says when"),
        pytest.param(
            reply(b"", 302, Location="https://a.example.org/?s=1"), "redirects to https://a.example.org/:", id="302"
        ),
        pytest.param(hang_up, "closed the connection before its answer was complete", id="half an answer"),
        pytest.param(silence, "did not answer within 0.3 s", id="silence"),
    ],
)
def test_what_is_no_cds_service_is_said_to_be_none(server: CallServer, discovery: Answer, words: str) -> None:
    server.answers["GET /r4/cds-services"] = discovery
    result = greet(server, "--timeout", "0.3" if discovery is silence else "10")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("cds-service: cannot call: ")
    assert words in result.stderr
    assert [one.method for one in server.asked] == ["GET"]  # no redirect was followed


@pytest.mark.parametrize(
    ("played", "words"),
    [
        pytest.param(reply(b"<html>", 200), "the service answered 200 with HTML or XML, not JSON", id="200 with HTML"),
        pytest.param(reply(b"", 204), "the service answered 204: no answer with cards", id="204"),
        pytest.param(reply(b"", 307, Location="/x"), "it redirects, and redirects are not followed", id="307"),
        pytest.param(reply({"message": "no\x1b[2J"}, 400), "It says: no[2J", id="400 with a message of its own"),
        pytest.param(reply({"error": "bad"}, 401), "No token was sent. Use --key", id="401 without a token"),
        pytest.param(reply(b"", 403), "this client is not allowed to call it", id="403"),
        pytest.param(reply(b"", 404), "It lists second (order-select)", id="404, with the list"),
        pytest.param(reply(b"", 405, Allow="GET"), "It accepts GET.", id="405"),
        pytest.param(
            reply({"issue": [{"details": {"text": "no data"}, "expression": ["Patient"]}, 7]}, 412),
            "It says: no data (at Patient)",
            id="412 with the words of an OperationOutcome",
        ),
        pytest.param(reply(b"", 413), "the request is too large", id="413"),
        pytest.param(reply(b"", 429, Retry_After="9"), "It can be called again after 9.", id="429"),
        pytest.param(reply(b"Traceback", 500), "the service answered 500: the server failed", id="500"),
        pytest.param(hang_up, "closed the connection", id="half an answer"),
    ],
)
def test_an_answer_without_cards_is_told_in_words(server: CallServer, played: Answer, words: str) -> None:
    server.answers["POST /r4/cds-services/patient-greeting"] = played
    result = greet(server)
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr
    assert "\x1b" not in result.stderr
    assert len(server.posted()) == 1


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        pytest.param([], "the answer is not a JSON object", id="a list"),
        pytest.param({}, "the answer has no list of cards", id="an empty object"),
        pytest.param({"cards": None}, "the answer has no list of cards", id="null for cards"),
    ],
)
def test_an_answer_of_another_shape_is_silence_with_a_fault(server: CallServer, document: Any, fault: str) -> None:
    server.answers["POST /r4/cds-services/patient-greeting"] = reply(document)
    result = greet(server)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "No card: the service is silent.")
    assert f"Not valid CDS Hooks: {fault}" in result.stderr


def test_a_service_named_by_its_own_address_is_called_even_where_discovery_is_closed(server: CallServer) -> None:
    server.answers["GET /r4/cds-services"] = reply(b"", 403)
    result = call("--service", f"{server.url}/r4/cds-services/patient-greeting", "--request", STORED)
    assert result.exit_code == 0
    assert "discovery answered 403" in result.stderr
    assert "without prefetch" in result.stderr


@pytest.mark.parametrize("role", ["service", "FHIR server"])
def test_where_nothing_listens_that_is_said(server: CallServer, role: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    if role == "service":
        result = call("--service", nowhere, "--request", STORED)
    else:
        result = call(
            *("--service", f"{server.url}/r4", "--hook", "order-select", "--patient", "1", "--order-text", "CT"),
            *("--fhir", f"{nowhere}/fhir"),
        )
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"nothing listens at {nowhere}" in result.stderr


def test_a_name_that_nobody_has_is_said_to_be_unknown() -> None:
    result = call("--service", "http://nobody.invalid", "--request", STORED)
    assert result.exit_code == 1
    assert "no such host: nobody.invalid" in result.stderr


def test_tls_where_there_is_none_says_what_to_write(server: CallServer) -> None:
    result = call("--service", server.url.replace("http:", "https:"), "--request", STORED)
    assert result.exit_code == 1
    assert "does not speak TLS" in result.stderr
    assert "write http://" in result.stderr


def test_a_certificate_that_nobody_vouches_for_is_said_and_how_to_vouch_for_it(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "127.0.0.1")
    secure = LoopbackServer(tls=server_context(certificate))
    secure.answers["/fhir/cds-services"] = answer({"services": []})
    try:
        distrusted = call("--service", secure.base, "--request", STORED)
        trusted = call("--service", secure.base, "--request", STORED, REQUESTS_CA_BUNDLE=str(certificate))
    finally:
        secure.close()
    assert f"TLS with {secure.base.removesuffix('/fhir')} failed: self-signed certificate" in distrusted.stderr
    assert "REQUESTS_CA_BUNDLE" in distrusted.stderr
    assert "no service with the hook order-sign is listed there" in trusted.stderr


def test_a_netrc_file_adds_no_password(server: CallServer, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password CANARY\n")
    assert call_helper(server, NETRC=str(netrc)).exit_code == 0
    assert {one.headers["Authorization"] for one in server.asked} == {None}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        pytest.param(reply(b"", 401), "/fhir/metadata: the FHIR server answers 401", id="401"),
        pytest.param(reply(b"<html>"), "answers with HTML or XML, not JSON", id="HTML"),
        pytest.param(reply({"a": 1}), "JSON that is not a FHIR resource", id="other JSON"),
        pytest.param(
            reply({"resourceType": "CapabilityStatement", "fhirVersion": "0.5.0"}),
            "has a version that is not supported: 0.5.0",
            id="a version that we do not know",
        ),
    ],
)
def test_a_fhir_server_that_does_not_tell_its_version_ends_the_call(
    server: CallServer, metadata: Answer, words: str
) -> None:
    server.answers["GET /fhir/metadata"] = metadata
    result = call_helper(server)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "--fhir-version" in result.stderr
    assert server.posted() == []
    assert call_helper(server, "--fhir-version", "R4").exit_code == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param({}, "answers 401; put a token for it in FHIR_TOKEN)", id="without a token: where to put one"),
        pytest.param({"FHIR_TOKEN": "s3cret"}, "answers 401)", id="with a token: nothing more"),
    ],
)
def test_a_fhir_server_that_wants_a_token_is_said_to(server: CallServer, variables: dict[str, str], words: str) -> None:
    server.answers["GET /fhir/Condition?patient=pat-1"] = reply(b"", 401)
    assert f"  left out: problems (the FHIR server {words}" in call_helper(server, **variables).stderr


def test_a_slow_service_is_waited_for_in_sight_and_the_answer_stays_clean(server: CallServer) -> None:
    """On a terminal, that is; elsewhere no line is added, as the other tests show."""
    greeting = server.answers["POST /r4/cds-services/patient-greeting"]

    def slowly(handler: Any) -> None:
        time.sleep(0.5)
        greeting(handler)

    server.answers["POST /r4/cds-services/patient-greeting"] = slowly
    arguments = ["call", "--service", f"{server.url}/r4", "--hook", "patient-view", "--patient", "pat-1", "--json"]
    ours, theirs = pty.openpty()
    with subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE, stderr=theirs) as process:  # noqa: S603
        os.close(theirs)
        assert process.stdout
        answered = process.stdout.read()
    seen = os.read(ours, 100_000).decode()
    os.close(ours)
    assert json.loads(answered) == {"cards": [CARD]}
    assert f"waiting for {server.url}/r4/cds-services/patient-greeting" in seen


def test_a_slow_key_costs_only_itself(server: CallServer) -> None:
    server.answers["GET /fhir/Condition?patient=pat-1"] = silence
    result = call_helper(server, "--timeout", "0.5")
    assert result.exit_code == 0
    assert "  left out: problems (" in result.stderr
    assert "did not answer within 0.5 s" in result.stderr
    assert "patient" in json.loads(server.posted()[0].body)["prefetch"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_patient_that_the_fhir_server_does_not_have_ends_the_call(server: CallServer, status: int) -> None:
    fhir = f"{server.url}/fhir"
    server.answers["GET /cds-services"] = reply({"services": [{"hook": "order-sign", "id": "one"}]})
    server.answers["GET /fhir/Patient/pat-1"] = reply(b"", status)
    result = call(
        "--service", server.url, "--fhir", fhir, "--patient", "pat-1", "--order-text", "x", "--fhir-version", "R4"
    )  # fmt: skip
    assert result.exit_code == 1
    assert "the FHIR server has no patient pat-1" in result.stderr
    assert f"{fhir}/Patient" in result.stderr
    assert server.posted() == []


@pytest.mark.parametrize(
    ("order", "words"),
    [
        pytest.param("277762005", "such as 'http://snomed.info/sct|277762005'", id="a code alone"),
        pytest.param("snomed|277762005", "write http://snomed.info/sct", id="the name of a code system"),
        pytest.param("hospital codes|LP", "write it as SYSTEM|CODE, such as", id="another name"),
    ],
)
def test_an_order_in_another_form_is_answered_with_an_example(server: CallServer, order: str, words: str) -> None:
    result = call("--service", server.url, "--patient", "pat-1", "--order", order)
    assert result.exit_code == 2
    assert words in result.stderr
    assert server.posted() == []
