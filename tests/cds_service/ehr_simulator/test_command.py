"""`cds-service call` against this project's own service, over a real connection, with charts from a FHIR server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from jwt.algorithms import get_default_algorithms
from werkzeug.serving import make_server

from cds_service.cli.main import main
from cds_service.ehr_simulator.token import Signer
from tests.call_server import CallServer, reply
from tests.charts import SERVICE, condition, patient, searchset
from tests.registered_service import client_entry, write_clients
from tests.server_process import free_port

LUMBAR_PUNCTURE = "http://snomed.info/sct|277762005|Lumbar puncture"
STORED = "fixtures/hook_calls/lumbar_puncture_with_stenosis.json"
ISSUER = "https://ehr.example.org"


def call(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["call", *arguments], env={"FHIR_TOKEN": None, "COLUMNS": "100"} | variables)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serve(make_app: Callable[..., Flask], port: int) -> Iterator[Callable[..., str]]:
    """Serves the real application with these settings until the test is over, and gives its base URL."""
    running = []

    def start(**settings: Any) -> str:
        app = make_app(clock=lambda: datetime.now(UTC), port=port, **settings)
        server = make_server("127.0.0.1", port, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{port}"

    with structlog.testing.capture_logs():  # the events of the service are not what the command prints
        yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def fhir() -> Iterator[CallServer]:
    """A FHIR R4 server with a patient who has a spinal stenosis and two pages of conditions."""
    server = CallServer()
    first = searchset(condition(), link=[{"relation": "next", "url": f"{server.url}/fhir/page-2"}])
    server.answers |= {
        "GET /fhir/metadata": reply({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}),
        "GET /fhir/Patient/pat-1": reply(patient()),
        "GET /fhir/Condition?patient=pat-1&_count=500": reply(first),
        "GET /fhir/page-2": reply(searchset(condition(id="condition-2"))),
        "GET /fhir/Procedure?patient=pat-1&_count=500": reply({"resourceType": "Bundle", "type": "searchset"}),
    }
    yield server
    server.close()


def test_a_call_from_a_fhir_server_shows_the_cards_and_what_went_along(
    serve: Callable[..., str], fhir: CallServer
) -> None:
    base = serve()
    result = call(
        "--service", base, "--fhir", f"{fhir.url}/fhir", "--patient", "pat-1", "--order", LUMBAR_PUNCTURE
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "info · card 1" in result.stdout
    assert "Chart shows spinal stenosis" in result.stdout
    assert "[ 1.1 Add patient instructions to this order ]" in result.stdout
    assert f"{base}/education/lumbar-puncture" in result.stdout
    assert result.stdout.rstrip().endswith("2 cards, 3 resources sent")
    assert result.stderr.splitlines() == [
        "Calling lumbar-puncture-back-pain (order-sign): Lumbar puncture and back pain",
        "  also listed: lumbar-puncture-back-pain (order-select): Lumbar puncture and back pain",
        "Prefetch: 1 Patient, 2 Condition; no data for procedures",
    ]


@pytest.mark.parametrize("end", ["", "/", "/cds-services", "/cds-services/", SERVICE, SERVICE + "/"])
def test_the_address_may_be_that_of_the_server_of_discovery_or_of_the_service(
    serve: Callable[..., str], end: str
) -> None:
    result = call("--service", serve() + end, "--request", STORED)
    assert result.exit_code == 0, result.stderr
    assert "2 cards" in result.stdout


def test_silence_is_said_in_words(serve: Callable[..., str]) -> None:
    result = call("--service", serve(), "--patient", "pat-1", "--order", "http://loinc.org|718-7")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "No card: the service is silent.")
    assert "0 cards" in result.stdout


def test_json_is_the_answer_as_it_came_and_nothing_else(serve: Callable[..., str]) -> None:
    result = call("--service", serve(), "--request", STORED, "--json")
    assert result.exit_code == 0
    assert [card["indicator"] for card in json.loads(result.stdout)["cards"]] == ["info", "info"]
    assert result.stderr.startswith("Calling ")


def test_a_work_up_without_its_procedures_is_refused_in_the_words_of_the_service(serve: Callable[..., str]) -> None:
    """R-4.8: the 412 and its OperationOutcome."""
    result = call("--service", serve(), "--patient", "pat-1", "--order-text", "MRI lumbar spine")
    assert (result.exit_code, result.stdout) == (1, "")
    told = result.stderr.splitlines()
    assert "cds-service: cannot call: the service answered 412: it cannot get the FHIR data that it needs" in told
    assert any(line.startswith("  It says: ") and "procedures" in line.lower() for line in told)


def test_a_request_that_is_not_what_the_service_takes_is_refused_by_field(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    stored = tmp_path / "request.json"
    stored.write_text(json.dumps({"hook": "order-sign", "hookInstance": "nonsense", "context": {}}))
    result = call("--service", serve(), "--request", str(stored))
    assert result.exit_code == 1
    assert "answered 400" in result.stderr
    assert "hookInstance is not a UUID" in result.stderr


def test_feedback_reaches_the_service(serve: Callable[..., str]) -> None:
    result = call("--service", serve(), "--request", STORED, "--accept", "1.1", "--override", "2:baseline-documented")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "Feedback: 200"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        pytest.param(("--accept", "7.1"), "no card with the number 7: there are 2", id="a card that is not there"),
        pytest.param(("--accept", "1.9"), "no suggestion of card 1 with the number 9", id="no such suggestion"),
        pytest.param(("--accept", "1"), "no suggestion of card 1 with the number (none)", id="no suggestion named"),
        pytest.param(("--override", "1:nope"), "no reason nope; it has already-discussed,", id="no such reason"),
    ],
)
def test_feedback_on_what_is_not_there_is_not_sent(
    serve: Callable[..., str], wish: tuple[str, str], words: str
) -> None:
    result = call("--service", serve(), "--request", STORED, *wish)
    assert result.exit_code == 1
    assert f"no feedback was sent: {'the card has ' if 'reason' in words else 'there is '}{words}" in result.stderr


def write_key(file: Path, key: Any, *, as_jwk: bool, kid: str | None) -> str:
    """The private key in a file; the kid under which its public half is to be registered."""
    if as_jwk:
        algorithm = "ES384" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS384"
        jwk = json.loads(get_default_algorithms()[algorithm].to_jwk(key))
        file.write_text(json.dumps(jwk | {"kid": kid} if kid else jwk))
    else:
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Signer(file, ISSUER, kid=kid).kid


def register(folder: Path, key: Any, kid: str, **members: Any) -> Path:
    """A clients file that knows this key."""
    algorithm = "ES384" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS384"
    public = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))
    keys = [public | {"kid": kid, "alg": algorithm}]
    return write_clients(
        folder, client_entry("hospital", ISSUER, algorithms=[algorithm], **members), {"hospital": keys}
    )


@pytest.mark.parametrize("end", ["", SERVICE], ids=["by its base URL", "by its own URL"])
@pytest.mark.parametrize(
    ("key", "as_jwk", "kid"),
    [
        pytest.param(ec.generate_private_key(ec.SECP384R1()), False, None, id="P-384 in PEM, named by its thumbprint"),
        pytest.param(ec.generate_private_key(ec.SECP384R1()), True, "key-1", id="P-384 as a JWK, with its own kid"),
        pytest.param(rsa.generate_private_key(65537, 2048), False, "key-2", id="RSA in PEM, with a kid given"),
    ],
)
def test_a_signed_call_is_trusted_and_so_is_its_feedback(
    serve: Callable[..., str], tmp_path: Path, key: Any, as_jwk: bool, kid: str | None, end: str
) -> None:
    """R-6.4 to R-6.13: discovery, call and feedback each with a token of their own."""
    file = tmp_path / "key"
    registered = register(tmp_path, key, write_key(file, key, as_jwk=as_jwk, kid=kid), tenants=["north"])
    base = serve(require_tokens=True, clients_file=registered)
    signed = ("--key", str(file), "--issuer", ISSUER, "--tenant", "north", *(("--kid", kid) if kid else ()))
    result = call("--service", base + end, "--request", STORED, *signed, "--override", "1")
    assert result.exit_code == 0, result.stderr
    assert "2 cards" in result.stdout
    assert result.stderr.splitlines()[-1] == "Feedback: 200"


@pytest.mark.parametrize("end", ["", "/cds-services", SERVICE])
def test_a_service_behind_a_proxy_can_be_called_directly_under_its_public_name(
    serve: Callable[..., str], tmp_path: Path, end: str
) -> None:
    """R-6.9: discovery, call and feedback each name their public URL."""
    key, public = ec.generate_private_key(ec.SECP384R1()), "https://cds.example.org"
    clients = register(tmp_path, key, write_key(tmp_path / "key", key, as_jwk=False, kid=None))
    base = serve(require_tokens=True, clients_file=clients, public_url=public)
    signed = ("--key", str(tmp_path / "key"), "--issuer", ISSUER)
    asked = ("--service", base, "--request", STORED, *signed, "--override", "1")
    refused = call(*asked)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--audience URL" in refused.stderr
    result = call(*asked, "--audience", public + end)
    assert result.exit_code == 0, result.stderr
    assert "2 cards" in result.stdout
    assert result.stderr.splitlines()[-1] == "Feedback: 200"


def test_a_token_that_is_not_taken_is_told_in_its_claims_and_never_shown(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    key, stranger = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    base = serve(require_tokens=True, open_discovery=True, clients_file=register(tmp_path, key, "key-1"))
    write_key(tmp_path / "key.pem", stranger, as_jwk=False, kid="key-1")
    signed = ("--key", str(tmp_path / "key.pem"), "--issuer", ISSUER, "--kid", "key-1")
    result = call("--service", base, "--request", STORED, *signed)
    assert (result.exit_code, result.stdout) == (1, "")
    said = f"iss {ISSUER}, aud {base}{SERVICE}, kid key-1, alg ES384"
    assert "the service answered 401: it does not accept this caller" in result.stderr
    assert f"Claims and key of the token: {said}." in result.stderr
    assert "cds-service doctor" in result.stderr
    assert "eyJ" not in result.stderr


def test_a_call_that_needed_a_token_says_how_to_sign_one(serve: Callable[..., str], tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    base = serve(require_tokens=True, clients_file=register(tmp_path, key, "key-1"))
    result = call("--service", base, "--request", STORED)
    assert result.exit_code == 1
    assert "discovery answered 401" in result.stderr
    assert "No token was sent. Use --key FILE --issuer URL to sign one." in result.stderr
