"""What a FHIR server receives: the search and the token of the call, and nothing else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.cds_service.fhir_client.ssrf.asking import (
    BEARER,
    BUDGET_MS,
    MADE_UP,
    SEARCH,
    Connect,
    asking,
)
from tests.charts import cards_of, condition, hook_call, order, post, searchset
from tests.misbehaving_server import LoopbackServer, answer

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def test_no_proxy_and_no_password_of_the_environment_is_used(
    connect: Connect, fhir: LoopbackServer, canary: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it at once: proxies of every spelling, a netrc, and nothing that would except this machine from them."""
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password made-up\ndefault login somebody password made-up\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fhir.answers[SEARCH] = answer(searchset(condition()))
    client = connect(BUDGET_MS + 1)  # an application of its own, made with that environment
    for authorization, sent in [(BEARER, f"Bearer {MADE_UP}"), (None, None)]:
        call = asking(fhir.base) | {"fhirAuthorization": authorization}
        assert "confounders" in cards_of(client, call)
        assert fhir.requests[-1].headers["Authorization"] == sent


def test_nothing_of_one_call_travels_with_the_next(client: FlaskClient, fhir: LoopbackServer) -> None:
    """R-6.17: no cookie, no token; over the same connection."""
    fhir.answers[SEARCH] = answer(searchset(condition()), Set_Cookie="session=1; Path=/", ETag='"1"')
    tokens = ["made-up-one", None, "made-up-two"]
    for token in tokens:
        authorization = BEARER | {"access_token": token} if token else None
        cards_of(client, asking(fhir.base) | {"fhirAuthorization": authorization})
    headers = [one.headers for one in fhir.requests]
    assert [one["Authorization"] for one in headers] == [token and f"Bearer {token}" for token in tokens]
    assert [(one["Cookie"], one["If-None-Match"], one["Referer"]) for one in headers] == [(None, None, None)] * 3
    assert len({one.connection for one in fhir.requests}) == 1


def test_a_server_learns_nothing_but_the_search(client: FlaskClient, fhir: LoopbackServer) -> None:
    """R-2.26: no id of the call, the user or the client in a header."""
    fhir.answers[SEARCH] = answer(searchset())
    cards_of(client, asking(fhir.base))
    names = {name.lower() for name in fhir.requests[0].headers}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "authorization", "connection"}


@pytest.mark.parametrize("token", ["a\r\nX-Injected: 1", "a\nHost: evil.example", "\u20ac", "\x00", "a" * 100_000])
def test_a_token_that_fits_in_no_header_costs_the_data_and_not_the_answer(
    token: str, client: FlaskClient, fhir: LoopbackServer
) -> None:
    fhir.answers[SEARCH] = answer(searchset(condition()))
    call = asking(fhir.base) | {"fhirAuthorization": BEARER | {"access_token": token}}
    assert post(client, call).status_code == 200
    assert all("X-Injected" not in one.headers for one in fhir.requests)
    assert all(one.headers["Host"] == f"127.0.0.1:{fhir.port}" for one in fhir.requests)


@pytest.mark.parametrize(
    "patient_id",
    [
        "..",
        ".",
        "..%2f..%2fadmin",
        "%2e%2e",
        "..\\..\\admin",
        "..;",
        "1?_include=*",
        "1&_count=100000",
        "1&patient=2",
        "1#",
        "1%00",
        "1,2",
        "*",
        " ",
        "1\r\nX-Injected: 1",
        "{{userId}}",
        "\u202e1",
        "a" * 30_000,
        "@127.0.0.1",
        ":80",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_patient_id_is_a_value_and_nothing_more(
    patient_id: str, client: FlaskClient, fhir: LoopbackServer, canary: LoopbackServer
) -> None:
    """R-3.13: whatever it holds, the searches have our two parameters, and the read one step."""
    call = hook_call(order(subject=None), prefetch=None, fhirServer=fhir.base, fhirAuthorization=BEARER)
    call["context"]["patientId"] = patient_id
    assert post(client, call).status_code in (200, 400)
    for request in fhir.requests:
        parts = urlsplit(request.path)
        assert "X-Injected" not in request.headers
        if parts.query:
            assert parts.path in ("/fhir/Condition", "/fhir/Procedure")
            assert parse_qs(parts.query, keep_blank_values=True) == {"patient": [patient_id], "_count": ["500"]}
        else:
            assert parts.path.startswith("/fhir/Patient/")
            assert parts.path.count("/") == 3
            assert unquote(parts.path).removeprefix("/fhir/Patient/") == patient_id
