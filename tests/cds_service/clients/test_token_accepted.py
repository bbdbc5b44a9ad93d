"""Tokens that must be accepted: as Epic, Oracle Health and the Sandbox sign them, and as the standard allows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.charts import HOOK_INSTANCE, SERVICE
from tests.fake_fhir_server import FakeFhirServer
from tests.registered_service import (
    CALL,
    DISCOVERY,
    FEEDBACK,
    ODD_KID,
    PUBLIC_URL,
    VALLEY,
    RegisteredService,
    client_entry,
)
from tests.test_recorded_calls import CALLS, serve_lab_patients
from tests.token_forge import ALGORITHMS, DROP, Forge, Json, jwk_of, key_for, signer, unbase64url

HERE = PUBLIC_URL + SERVICE
ENTRY = {"card": HOOK_INSTANCE, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T02:30:00Z"}
REPORT = json.dumps({"feedback": [ENTRY]}).encode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    one = RegisteredService(tmp_path_factory.mktemp("accepted"), empty_ledger)
    yield one
    one.close()


def assert_accepted(service: RegisteredService, token: str, *, client: str = "general-hospital") -> Json:
    """Cards come, the log says whose call it was, and no part of the token is in it. Gives the event."""
    answer = service.call(token)
    assert answer.status_code == 200, service.log
    assert len(answer.get_json()["cards"]) == 1
    (event,) = service.log
    assert event["cds_hooks.client"] == client
    assert "cds_hooks.token.refused" not in event
    for part in token.removeprefix("Bearer ").split("."):
        assert part not in repr(service.log)
    return dict(event)


ACCEPTED: list[Any] = [
    pytest.param(lambda f: f.bearer(), id="the plainest token"),
    pytest.param(lambda f: f.bearer(aud=[HERE]), id="aud a list of ours alone"),
    pytest.param(lambda f: f.bearer(aud=["https://other.example.org", HERE]), id="aud a list with ours in it"),
    pytest.param(lambda f: f.bearer(tenant="south"), id="the other tenant"),
    pytest.param(lambda f: f.bearer(header_typ="jwt"), id="typ in small letters"),
    pytest.param(lambda f: f.bearer(header_x="y", header_iat=1, header_jwk=None), id="unknown members in the header"),
    pytest.param(
        lambda f: f.bearer(header_zip="DEF"), id="a member of encrypted tokens, which signed ones do not know"
    ),
    pytest.param(lambda f: f.bearer(header_jku="https://ehr.example.org/jwks"), id="a jku, which is not looked at"),
    pytest.param(lambda f: f.bearer(sub={"any": ["thing"]}, scope=1, azp=None), id="other claims of any type"),
    pytest.param(lambda f: f.bearer(nbf=None), id="nbf null"),
    pytest.param(lambda f: f.bearer(nbf=int(f.now_s) + 59), id="nbf 59 s ahead"),
    pytest.param(lambda f: f.bearer(iat=int(f.now_s) + 59), id="iat 59 s ahead"),
    pytest.param(lambda f: f.bearer(iat=int(f.now_s) + 60), id="iat 60 s ahead, to the second"),
    pytest.param(lambda f: f.bearer(iat=f.now_s - 301, exp=f.now_s - 59), id="exp 59 s ago"),
    pytest.param(lambda f: f.bearer(iat=f.now_s - 0.25, exp=f.now_s + 299.75, nbf=f.now_s - 0.5), id="times in floats"),
    pytest.param(lambda f: f.bearer(iat=f.now_s + 0.5), id="iat rounded up by half a second"),
    pytest.param(lambda f: f.bearer(exp=int(f.now_s) + 3_600), id="a life of an hour"),
    pytest.param(lambda f: f.bearer(jti="x"), id="a jti of one letter"),
    pytest.param(lambda f: f.bearer(jti="j" * 4_000), id="a jti of 4,000 characters"),
    pytest.param(lambda f: f.bearer(jti="ключ 鍵 \U0001f511 \ud800\x00"), id="a jti of any characters"),
    pytest.param(lambda f: f"bearer {f.token()}", id="the scheme in small letters"),
    pytest.param(lambda f: f"BEARER   {f.token()}  ", id="the scheme in capitals, and blanks"),
    pytest.param(
        lambda f: f.bearer(raw=b" \n" + json.dumps(f.claims, indent=4).encode()), id="claims laid out in lines"
    ),
    pytest.param(lambda f: f.bearer(x="y" * 5_000), id="a long token, short of 8 kB"),
]


@pytest.mark.parametrize("token", ACCEPTED)
def test_token_that_the_standard_allows_is_taken(service: RegisteredService, token: Callable[[Forge], str]) -> None:
    assert_accepted(service, token(service.forge()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_that_can_be_registered_works(service: RegisteredService, algorithm: str) -> None:
    event = assert_accepted(service, service.forge_valley(algorithm).bearer(), client="valley-practices")
    assert "cds_hooks.tenant" not in event  # for a client without tenants none is asked for


@pytest.mark.parametrize("kid", [pytest.param("bare", id="a JWK without alg and use"), ODD_KID])
def test_odd_key_works(service: RegisteredService, kid: str) -> None:
    assert_accepted(service, service.forge_valley(kid=kid).bearer(), client="valley-practices")


@pytest.mark.parametrize("tenant", ["anywhere", "Klinik für Neurologie, Haus 3", "", None])
def test_client_without_tenants_may_name_one(service: RegisteredService, tenant: str | None) -> None:
    event = assert_accepted(service, service.forge_valley().bearer(tenant=tenant), client="valley-practices")
    assert event.get("cds_hooks.tenant", "") == (tenant or "")


def test_two_tokens_of_the_same_second_are_two_tokens(service: RegisteredService) -> None:
    for _ in range(2):
        assert_accepted(service, service.forge().bearer())


@pytest.mark.parametrize("audience", [HERE, f"{HERE}/feedback", [f"{HERE}/feedback", HERE]])
def test_feedback_is_taken_for_either_address(service: RegisteredService, audience: str | list[str]) -> None:
    """R-6.9: the text is silent; clients do either."""
    before = service.rows()["feedback"]
    answer = service.send(FEEDBACK, service.forge().bearer(aud=audience), REPORT)
    assert (answer.status_code, answer.get_json()["unknownCards"]) == (200, 1)
    assert service.rows()["feedback"] == min(before + 1, 1)  # the entry is the same each time


def test_discovery_is_given_to_a_registered_client(service: RegisteredService) -> None:
    answer = service.discover(service.forge(path=DISCOVERY).bearer())
    assert (answer.status_code, answer.get_json()["services"][0]["id"]) == (200, SERVICE.rpartition("/")[2])


def test_open_discovery_is_given_to_anybody_and_calls_are_not(tmp_path: Path, empty_ledger: Path) -> None:
    """R-9.6: a token that means nothing to us is no obstacle either."""
    service = RegisteredService(tmp_path, empty_ledger, open_discovery=True)
    try:
        for token in (None, "Bearer a.b.c", service.forge(path=DISCOVERY).bearer()):
            assert service.discover(token).status_code == 200
        service.assert_refused(None, "no Authorization header")
    finally:
        service.close()


def test_card_is_recorded_for_the_client_and_tenant_that_asked(tmp_path: Path, empty_ledger: Path) -> None:
    service = RegisteredService(tmp_path, empty_ledger)
    try:
        answer = service.call(service.forge(tenant="south").bearer())
        (card,) = answer.get_json()["cards"]
        service.app.extensions["writer"].flush()
        with service.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT card_uuid, client, tenant FROM issued_card").all()
        assert [tuple(row) for row in rows] == [(card["uuid"], "general-hospital", "south")]
    finally:
        service.close()


EPIC_KID = base64.b64encode(bytes(range(240, 256)) * 2).decode()
ORACLE_TENANTS = ["ec2458f2-1e24-41c8-b71b-0e701af7583d", "2f7b8c4e-0000-4000-8000-000000000001"]
VENDORS = client_entry(
    "epic-site", "https://site.example.org/interconnect/api/FHIR/R4", algorithms=["RS384"]
) + client_entry("oracle-health", "https://cds-hooks.cerner.com", tenants=ORACLE_TENANTS)


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    keys = {
        "epic-site": [jwk_of(key_for("RS384", "epic"), "RS384", EPIC_KID)],
        "oracle-health": [jwk_of(key_for("ES384", "oracle"), "ES384", "oracle-1")],
    }
    one = RegisteredService(tmp_path_factory.mktemp("vendors"), empty_ledger, registry=VENDORS, key_sets=keys)
    yield one
    one.close()


def test_token_as_a_copy_of_epics_page_describes_it_is_taken(vendors: RegisteredService) -> None:
    """RS384, a base64 kid with `/`, `+` and `=`, nbf five minutes before, 15 minutes of life, sub and more."""
    assert set("/+=") <= set(EPIC_KID)
    key, now_s = key_for("RS384", "epic"), vendors.now.timestamp()
    issuer = "https://site.example.org/interconnect/api/FHIR/R4"
    one = Forge(now_s, issuer=issuer, audience=HERE, tenant=None, kid=EPIC_KID, algorithm="RS384", key=key)
    token = one.bearer(
        nbf=int(now_s) - 300, exp=int(now_s) + 900, sub="client-id", header_jku=f"{issuer}/jwks", epic="more"
    )
    assert_accepted(vendors, token, client="epic-site")


@pytest.mark.parametrize("tenant", ["ec2458f2-1e24-41c8-b71b-0e701af7583d", "2f7b8c4e-0000-4000-8000-000000000001"])
def test_token_of_every_tenant_of_one_fixed_issuer_is_taken(vendors: RegisteredService, tenant: str) -> None:
    """Oracle Health: one issuer for all sites."""
    one = Forge(
        vendors.now.timestamp(),
        issuer="https://cds-hooks.cerner.com",
        audience=HERE,
        tenant=tenant,
        kid="oracle-1",
        algorithm="ES384",
        key=key_for("ES384", "oracle"),
    )
    assert assert_accepted(vendors, one.bearer(), client="oracle-health")["cds_hooks.tenant"] == tenant


RECORDED: dict[str, Json] = {
    path.stem: recorded
    for path, recorded in ((path, json.loads(path.read_text("utf-8"))) for path in CALLS)
    if "Authorization" in recorded["request"]["headers"]
}


@pytest.fixture(scope="module")
def demanding(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    """Development without a clients file, but with tokens required: the Sandbox is the one client there is."""
    fhir_server = FakeFhirServer()
    serve_lab_patients(fhir_server)
    settings: dict[str, Any] = {
        "profile": "development",
        "require_tokens": True,
        "clients_file": None,
        "public_url": "",
    }
    folder = tmp_path_factory.mktemp("demanding")
    one = RegisteredService(folder, empty_ledger, fhir_server=fhir_server, **settings)
    yield one
    one.close()


@pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED)
def test_recorded_token_of_the_sandbox_is_taken_once(demanding: RegisteredService, recorded: Json) -> None:
    """As it came over the wire, at the time it came; its iat is rounded, and may lie half a second ahead."""
    request = recorded["request"]
    token = request["headers"]["Authorization"]
    demanding.now = datetime.fromisoformat(recorded["recordedAt"]).astimezone(UTC)
    body = json.dumps(request["body"]).encode() if "body" in request else None
    answer = demanding.send(request["path"], token, body)
    assert answer.status_code in (200, 400, 412), answer.get_data()  # as the recorded body deserves
    assert [event["cds_hooks.client"] for event in demanding.log] == ["cds-hooks-sandbox"]
    assert demanding.send(request["path"], token, body).status_code == 401
    assert demanding.reason() == "jti was seen before"


def test_there_are_recorded_tokens_for_every_endpoint() -> None:
    tokens = [one["request"]["headers"]["Authorization"] for one in RECORDED.values()]
    claims = [json.loads(unbase64url(token.split(".")[1])) for token in tokens]
    assert len(claims) > 20
    assert {one["aud"].removeprefix("http://127.0.0.1:8080") for one in claims} == {DISCOVERY, SERVICE, FEEDBACK}


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(None, id="no token"),
        pytest.param("Bearer a.b.c", id="no token at all in what is called one"),
        pytest.param("Basic eDp5", id="another scheme"),
        pytest.param("Bearer " + "x" * 9_000, id="too long"),
    ],
)
def test_development_refuses_nobody_and_logs_why_it_would(
    tmp_path: Path, empty_ledger: Path, token: str | None
) -> None:
    """R-9.6: an open service does not choke on a bearer token that it does not know."""
    service = RegisteredService(tmp_path, empty_ledger, profile="development")
    try:
        assert service.call(token).status_code == 200
        (event,) = service.log
        assert (event["cds_hooks.client"], bool(event["cds_hooks.token.not_trusted"])) == ("unidentified", True)
        assert service.call(service.forge().bearer()).status_code == 200
        assert [event["cds_hooks.client"] for event in service.log] == ["general-hospital"]
    finally:
        service.close()


def test_what_a_token_says_of_itself_is_believed_only_when_it_holds(tmp_path: Path, empty_ledger: Path) -> None:
    """In development, where the call is answered all the same: not recorded as the client it claims to be from."""
    service = RegisteredService(tmp_path, empty_ledger, profile="development")
    try:
        forged = service.forge().bearer(sign=signer("ES384", key_for("ES384", "attacker")), exp=DROP, iss=VALLEY)
        assert service.send(SERVICE, forged, CALL).status_code == 200
        service.app.extensions["writer"].flush()
        with service.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT client, tenant FROM issued_card").all()
        assert [tuple(row) for row in rows] == [("unidentified", "")]
        assert service.rows()["seen_token"] == 0
    finally:
        service.close()


def test_two_clients_get_the_same_answer_to_the_same_call(service: RegisteredService) -> None:
    answers = [service.call(one.bearer()).get_data() for one in (service.forge(), service.forge_clinic())]
    assert answers[0] == answers[1]
