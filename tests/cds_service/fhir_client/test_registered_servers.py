"""Production: only the FHIR servers registered for the client of a call are read, over TLS that is checked (R-2.27)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext

import pytest

from tests.certificates import self_signed, server_context
from tests.charts import PATIENT, SERVICE, condition, hook_call, patient, searchset
from tests.misbehaving_server import LoopbackServer, answer
from tests.registered_service import ISSUER, VALLEY, RegisteredService, client_entry
from tests.work_ups import BEARER

NOT_CHECKED = "Problem list not available."


def chart_server(tls: SSLContext) -> LoopbackServer:
    """A FHIR server with a chart that shows spinal stenosis."""
    one = LoopbackServer(tls=tls)
    one.answers |= {
        f"/fhir/Condition?patient={PATIENT}&_count=500": answer(searchset(condition())),
        f"/fhir/Procedure?patient={PATIENT}&_count=500": answer(searchset()),
        f"/fhir/Patient/{PATIENT}": answer(patient()),
    }
    return one


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def server(certificate: Path) -> Iterator[LoopbackServer]:
    """The FHIR server of general-hospital."""
    one = chart_server(server_context(certificate))
    yield one
    one.close()


@pytest.fixture
def canary(certificate: Path) -> Iterator[LoopbackServer]:
    """Another server, registered for nobody or for somebody else: it must see nothing of a call."""
    one = LoopbackServer(tls=server_context(certificate))
    yield one
    one.close()


@pytest.fixture
def service(
    tmp_path: Path, empty_ledger: Path, certificate: Path, server: LoopbackServer, canary: LoopbackServer
) -> Iterator[RegisteredService]:
    registry = client_entry("general-hospital", ISSUER, fhir_servers=[f"{server.base}/"])
    registry += client_entry("valley-practices", VALLEY, fhir_servers=[canary.base])
    one = RegisteredService(
        tmp_path / "service", empty_ledger, registry=registry, ca_file=certificate, fhir_budget_ms=10_000
    )
    yield one
    one.close()


def detail(service: RegisteredService, fhir_server: str, bearer: str) -> str:
    """The words of all cards of a call without prefetch."""
    call = hook_call(fhirServer=fhir_server, fhirAuthorization=BEARER, prefetch=None)
    response = service.send(SERVICE, bearer, json.dumps(call).encode())
    assert response.status_code == 200, response.get_data(as_text=True)
    return "\n".join(card["summary"] + card["detail"] for card in response.get_json()["cards"])


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param("{base}", id="as it is registered, but for the slash"),
        pytest.param("{base}/", id="with a slash at the end"),
        pytest.param("HTTPS://127.0.0.1:{port}/fhir", id="with the scheme in capitals"),
    ],
)
def test_the_registered_server_is_read_with_the_token_of_the_call(
    service: RegisteredService, server: LoopbackServer, canary: LoopbackServer, spelling: str
) -> None:
    address = spelling.format(base=server.base, port=server.port)
    assert "spinal stenosis" in detail(service, address, service.forge().bearer())
    assert {one.headers["Authorization"] for one in server.requests} == {f"Bearer {BEARER['access_token']}"}
    assert len(server.requests) == 3
    assert canary.requests == []


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("https://127.0.0.1:{canary}/fhir", id="the server of another client"),
        pytest.param("https://localhost:{port}/fhir", id="the registered one by another name"),
        pytest.param("https://127.0.0.1:{port}/fhir/other", id="a path below the registered one"),
        pytest.param("https://127.0.0.1:{port}", id="the host without the path"),
        pytest.param("https://127.0.0.1:{port}/FHIR", id="the path in capitals"),
        pytest.param("http://127.0.0.1:{port}/fhir", id="without TLS"),
        pytest.param("https://x@127.0.0.1:{port}/fhir", id="with a user before the host"),
        pytest.param("https://127.0.0.1:{port}/fhir/../fhir", id="with steps up the path"),
    ],
)
def test_any_other_server_is_not_contacted_and_the_card_says_what_was_not_checked(
    service: RegisteredService, server: LoopbackServer, canary: LoopbackServer, address: str
) -> None:
    said = detail(service, address.format(port=server.port, canary=canary.port), service.forge().bearer())
    assert NOT_CHECKED in said
    assert "spinal stenosis" not in said
    assert server.requests == canary.requests == []


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_token(
    tmp_path: Path, empty_ledger: Path, server: LoopbackServer
) -> None:
    """Without `ca_file` its certificate is one that signed itself."""
    registry = client_entry("general-hospital", ISSUER, fhir_servers=[server.base])
    strict = RegisteredService(tmp_path / "strict", empty_ledger, registry=registry, fhir_budget_ms=10_000)
    assert NOT_CHECKED in detail(strict, server.base, strict.forge().bearer())
    assert server.requests == []
    strict.close()
