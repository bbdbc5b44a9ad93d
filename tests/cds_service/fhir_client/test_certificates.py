"""A FHIR server with an invalid TLS certificate: its data is not available, and the card says so (R-2.86)."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cds_service.fhir_client.test_registered_servers import NOT_CHECKED, chart_server, detail
from tests.certificates import HOUR, self_signed, server_context
from tests.charts import PATIENT, SERVICE, hook_call, order
from tests.misbehaving_server import LoopbackServer
from tests.registered_service import ISSUER, RegisteredService, client_entry
from tests.work_ups import BEARER, MRI

OUT_OF_DATE = [
    pytest.param("expired", "CertificateExpired", id="expired an hour ago"),
    pytest.param("early", "CertificateNotYetValid", id="valid in an hour"),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By name; `trusted` is the file of all that the service trusts."""
    folder = tmp_path_factory.mktemp("tls")
    begins = {"good": timedelta(), "expired": -2 * HOUR, "early": HOUR}
    made = {name: self_signed(folder, "127.0.0.1", begins_in=when, name=name) for name, when in begins.items()}
    trusted = folder / "trusted.pem"
    trusted.write_bytes(b"".join(file.read_bytes() for file in made.values()))
    return made | {"trusted": trusted, "elsewhere": self_signed(folder, "127.0.0.9", name="elsewhere")}


@pytest.fixture
def tls(certificates: dict[str, Path]) -> ssl.SSLContext:
    """Of the server, to which a test may give another certificate."""
    return server_context(certificates["good"])


@pytest.fixture
def server(tls: ssl.SSLContext) -> Iterator[LoopbackServer]:
    one = chart_server(tls)
    yield one
    one.close()


@pytest.fixture
def service(
    tmp_path: Path, empty_ledger: Path, certificates: dict[str, Path], server: LoopbackServer
) -> Iterator[RegisteredService]:
    registry = client_entry("general-hospital", ISSUER, fhir_servers=[server.base])
    one = RegisteredService(
        tmp_path / "service", empty_ledger, registry=registry, ca_file=certificates["trusted"], fhir_budget_ms=10_000
    )
    yield one
    one.close()


def words(service: RegisteredService, server: LoopbackServer) -> str:
    return detail(service, server.base, service.forge().bearer())


@pytest.mark.parametrize(("name", "kind"), [*OUT_OF_DATE, pytest.param("elsewhere", "", id="of another host")])
def test_the_card_says_what_was_not_checked_and_the_log_says_why(
    service: RegisteredService,
    server: LoopbackServer,
    tls: ssl.SSLContext,
    certificates: dict[str, Path],
    name: str,
    kind: str,
) -> None:
    """Nothing is sent to it: no token and no id of the patient; none of it, and no address, is in the log."""
    tls.load_cert_chain(certificates[name])
    assert NOT_CHECKED in words(service, server)
    assert server.requests == []
    (told,) = service.log
    assert f"({kind or 'Certificate'}" in told["cds_hooks.fetch.failure.conditions"]
    for secret in (PATIENT, str(server.port), "127.0.0.1", BEARER["access_token"]):
        assert secret not in repr(service.log)


@pytest.mark.parametrize(("name", "kind"), OUT_OF_DATE)
def test_a_work_up_without_procedures_is_412(
    service: RegisteredService,
    server: LoopbackServer,
    tls: ssl.SSLContext,
    certificates: dict[str, Path],
    name: str,
    kind: str,
) -> None:
    """R-4.6. Never "no lumbar puncture found"."""
    tls.load_cert_chain(certificates[name])
    call = hook_call(order(MRI), fhirServer=server.base, fhirAuthorization=BEARER, prefetch=None)
    assert service.send(SERVICE, service.forge().bearer(), json.dumps(call).encode()).status_code == 412
    assert kind in repr(service.log)


def test_a_renewed_certificate_needs_no_restart(
    service: RegisteredService, server: LoopbackServer, tls: ssl.SSLContext, certificates: dict[str, Path]
) -> None:
    tls.load_cert_chain(certificates["expired"])
    assert NOT_CHECKED in words(service, server)
    tls.load_cert_chain(certificates["good"])
    said = words(service, server)
    assert "spinal stenosis" in said
    assert NOT_CHECKED not in said
