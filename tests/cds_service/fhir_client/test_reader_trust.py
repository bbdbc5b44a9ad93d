"""Where the FHIR reader goes and what it takes along: only its base, only this call's token (R-2.26, R-2.27)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.fhir_client.base_url import parse_base
from cds_service.fhir_client.reader import FetchResult, FhirReader
from tests.charts import Json, condition, searchset
from tests.misbehaving_server import LoopbackServer, answer, never_ending

BEARER = "made-up-token-for-these-tests"
THREADS = 64
DOES_NOT_HANG_S = 30.0


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """The FHIR server of the call."""
    one = LoopbackServer()
    yield one
    one.close()


@pytest.fixture
def canary() -> Iterator[LoopbackServer]:
    """Another server on the same machine, which nobody may contact."""
    one = LoopbackServer()
    yield one
    one.close()
    assert one.requests == []


@pytest.fixture
def reader() -> FhirReader:
    return FhirReader(budget_ms=4000, threads=THREADS)


def page(next_url: str | None = None) -> Json:
    """A page with one Condition."""
    link = {"link": [{"relation": "next", "url": next_url}]} if next_url else {}
    return searchset(condition()) | link


def fetch(reader: FhirReader, server: LoopbackServer, token: str | None = BEARER) -> FetchResult:
    return reader.fetch(parse_base(server.base), token, {"conditions": "Condition"}, reader.deadline())["conditions"]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_no_redirect_is_followed(
    status: int, reader: FhirReader, server: LoopbackServer, canary: LoopbackServer
) -> None:
    """Neither to another server nor on the same one; design.md 6."""
    server.answers |= {
        "/fhir/Condition": answer(page("elsewhere")),
        "/fhir/elsewhere": answer(page(), status, Location=f"{canary.base}/Condition"),
        "/fhir/Patient/1": answer(page(), status, Location="/fhir/Patient/2"),
    }
    urls = {"conditions": "Condition", "patient": "Patient/1"}
    results = reader.fetch(parse_base(server.base), BEARER, urls, reader.deadline())
    assert results["conditions"].failure == results["patient"].failure == f"the server answered {status}"
    assert len(results["conditions"].entries) == 1
    assert sorted(server.paths) == ["/fhir/Condition", "/fhir/Patient/1", "/fhir/elsewhere"]


def test_the_body_of_a_redirect_is_not_read(reader: FhirReader, server: LoopbackServer) -> None:
    """Bounded memory and a straggler that ends: the client goes away, and that stops the server's answer."""
    endless = b"HTTP/1.1 302 Found\r\nLocation: /fhir/x\r\n\r\n"
    gone_away = server.note_when_over("/fhir/Condition", never_ending(endless, b" " * 1000))
    one = FhirReader(budget_ms=60_000, threads=THREADS)
    assert fetch(one, server).failure
    assert gone_away.wait(DOES_NOT_HANG_S)


@pytest.mark.parametrize(
    "next_url",
    [
        pytest.param("{canary}/Condition", id="another port"),
        pytest.param("//127.0.0.1:{canary_port}/fhir/Condition", id="another port, without a scheme"),
        pytest.param("http://localhost:{canary_port}/fhir/Condition", id="another name and port"),
        pytest.param("http://localhost:{port}/fhir/Condition", id="another name of the same host"),
        pytest.param("https://127.0.0.1:{port}/fhir/Condition", id="another scheme"),
        pytest.param("ftp://127.0.0.1:{port}/fhir/Condition", id="a scheme that is not HTTP"),
        pytest.param("file:///fhir/Condition", id="a file"),
        pytest.param("http://127.0.0.1:{port}/admin", id="a path outside the base"),
        pytest.param("/admin", id="a path from the root"),
        pytest.param("http://127.0.0.1:{port}/fhirx/Condition", id="a path that only begins like the base"),
        pytest.param("../admin", id="a path that climbs"),
        pytest.param("Condition/../../admin", id="a path that goes down and then climbs"),
        pytest.param("/fhir/%2e%2e/admin", id="a path that climbs in disguise"),
        pytest.param("..\\admin", id="a path that climbs by a backslash"),
        pytest.param("http://127.0.0.1:{port}@127.0.0.1:{canary_port}/fhir/x", id="the base as a user name"),
        pytest.param("http://u:p@127.0.0.1:{port}/fhir/x", id="a user name before the base"),
        pytest.param("http://127.0.0.1:{canary_port}\\@127.0.0.1:{port}/fhir/x", id="a backslash before the base"),
        pytest.param("http://127.0.0.1:{canary_port}#@127.0.0.1:{port}/fhir/x", id="a fragment before the base"),
        pytest.param("http://127.0.0.1:{port}.evil.example/fhir/x", id="a port that goes on as a name"),
        pytest.param("http://[::1/fhir/x", id="an address that cannot be parsed"),
        pytest.param("http://127.0.0.1:99999/fhir/x", id="a port that does not exist"),
    ],
)  # fmt: skip
def test_a_next_link_that_leaves_the_base_is_not_followed(
    next_url: str, reader: FhirReader, server: LoopbackServer, canary: LoopbackServer
) -> None:
    """R-2.27, R-2.85: the token goes to the base only; what was read before is kept."""
    url = next_url.format(canary=canary.base, canary_port=canary.port, port=server.port)
    server.answers["/fhir/Condition"] = answer(page(url))
    result = fetch(reader, server)
    assert server.paths == ["/fhir/Condition"]
    assert result.failure == "a link leaves the FHIR server"
    assert len(result.entries) == 1


@pytest.mark.parametrize("length", [1, 2, 3])
def test_next_links_in_a_circle_are_walked_once(length: int, reader: FhirReader, server: LoopbackServer) -> None:
    for number in range(length):
        server.answers[f"/fhir/p{number}"] = answer(page(f"p{(number + 1) % length}"))
    result = reader.fetch(parse_base(server.base), BEARER, {"conditions": "p0"}, reader.deadline())["conditions"]
    assert result.failure == "pages run in a circle"
    assert len(result.entries) == len(server.requests) == length


def test_nothing_of_one_call_travels_in_the_next(reader: FhirReader, server: LoopbackServer) -> None:
    """R-2.26: no cookie and no token of an earlier call."""
    server.answers["/fhir/Condition"] = answer(page(), Set_Cookie="session=1; Path=/")
    for token in (BEARER, None, "another-made-up-token"):
        assert fetch(reader, server, token).failure is None
    assert [request.headers["Cookie"] for request in server.requests] == [None, None, None]
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == [f"Bearer {BEARER}", None, "Bearer another-made-up-token"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_of_the_environment_is_used(
    variable: str, server: LoopbackServer, canary: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, f"http://127.0.0.1:{canary.port}")
    server.answers["/fhir/Condition"] = answer(page())
    assert fetch(FhirReader(budget_ms=4000, threads=THREADS), server).failure is None


def test_no_netrc_of_the_environment_is_used(
    reader: FhirReader, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password made-up\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers["/fhir/Condition"] = answer(page())
    assert fetch(reader, server, token=None).failure is None
    assert "Authorization" not in server.requests[0].headers
    assert fetch(reader, server).failure is None
    assert server.requests[1].headers["Authorization"] == f"Bearer {BEARER}"


def test_where_there_is_no_server_that_the_client_may_use_nothing_is_read(reader: FhirReader) -> None:
    results = reader.fetch(None, BEARER, {"conditions": "Condition"}, reader.deadline())
    assert results == {"conditions": FetchResult(failure="no FHIR server that this client may use")}


def test_one_dead_server_does_not_delay_another_call(server: LoopbackServer) -> None:
    """The same reader, straight after a call whose server never answered."""
    one = FhirReader(budget_ms=200, threads=1)
    server.answers |= {"/fhir/Condition": never_ending(b""), "/fhir/Patient/1": answer(page())}
    started = time.monotonic()
    assert fetch(one, server).failure == "time budget spent"
    results = one.fetch(parse_base(server.base), BEARER, {"patient": "Patient/1"}, one.deadline())
    assert results["patient"].failure is None
    assert time.monotonic() - started < DOES_NOT_HANG_S
