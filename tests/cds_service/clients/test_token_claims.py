"""Attacks with claims: validly signed tokens for other times, places or clients (R-6.8 to R-6.13)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.charts import SERVICE
from tests.registered_service import CALL, DISCOVERY, FEEDBACK, ISSUER, PUBLIC_URL, VALLEY, RegisteredService
from tests.token_forge import DROP, Forge, signer

HERE = PUBLIC_URL + SERVICE
OTHER_AUD, WRONG_CLAIM, UNREADABLE = "aud is not the URL called", "a claim is missing or wrong", "cannot be read"
PAST, IAT_FUTURE, NBF_FUTURE = "exp is in the past", "iat is in the future", "nbf is in the future"
TOO_LONG, NO_ISSUER, NO_TENANT = "lives longer than an hour", "iss is not registered", "tenant is not registered"
NO_KEY = "no registered key has this kid"
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    one = RegisteredService(tmp_path_factory.mktemp("claims"), empty_ledger)
    yield one
    one.close()


def claim(name: str, value: Any, reason: str, what: str) -> Any:
    """One claim in the place of the good one; DROP leaves it out."""
    return pytest.param({name: lambda now: value}, reason, id=f"{name} {what}")


def time(name: str, at: Callable[[float], Any], reason: str, what: str, **others: Callable[[float], Any]) -> Any:
    """One time, reckoned from now, and others beside it."""
    return pytest.param({name: at} | others, reason, id=f"{name} {what}")


AUDIENCES = [
    claim("aud", DROP, WRONG_CLAIM, "left out"),
    claim("aud", None, WRONG_CLAIM, "null"),
    claim("aud", "", OTHER_AUD, "empty"),
    claim("aud", PUBLIC_URL, OTHER_AUD, "the bare host"),
    claim("aud", f"{PUBLIC_URL}/cds-services", OTHER_AUD, "discovery, for a call"),
    claim("aud", f"{HERE}/feedback", OTHER_AUD, "feedback, for a call"),
    claim("aud", f"{PUBLIC_URL}/cds-services/another", OTHER_AUD, "another service"),
    claim("aud", f"https://other.example.org{SERVICE}", OTHER_AUD, "another host"),
    claim("aud", f"https://cds.example.org.attacker.example{SERVICE}", OTHER_AUD, "a host that begins with ours"),
    claim("aud", f"http://cds.example.org{SERVICE}", OTHER_AUD, "http for https"),
    claim("aud", f"https://cds.example.org:443{SERVICE}", OTHER_AUD, "with a port"),
    claim("aud", f"{HERE}/", OTHER_AUD, "with a slash at its end"),
    claim("aud", f"{HERE}?x=1", OTHER_AUD, "with a query"),
    claim("aud", f"{HERE}#x", OTHER_AUD, "with a fragment"),
    claim("aud", f" {HERE}", OTHER_AUD, "with a blank before it"),
    claim("aud", HERE[:-1], OTHER_AUD, "a character short"),
    claim("aud", f"{HERE}-2", OTHER_AUD, "of which ours is the beginning"),
    claim("aud", HERE.upper(), OTHER_AUD, "in capital letters"),
    claim("aud", HERE.replace("cds.", "cⅾs."), OTHER_AUD, "in letters that look like ours"),
    claim("aud", SERVICE, OTHER_AUD, "a path"),
    claim("aud", "*", OTHER_AUD, "a wildcard"),
    claim("aud", f"{HERE} {PUBLIC_URL}", OTHER_AUD, "two in one text"),
    claim("aud", [], OTHER_AUD, "an empty list"),
    claim("aud", [f"{HERE}/", PUBLIC_URL], OTHER_AUD, "a list without ours"),
    claim("aud", [[HERE]], WRONG_CLAIM, "a list in a list"),
    claim("aud", [HERE, 1], WRONG_CLAIM, "a list with a number beside ours"),
    claim("aud", [1, 2], WRONG_CLAIM, "a list of numbers"),
    claim("aud", {HERE: True}, WRONG_CLAIM, "an object"),
    claim("aud", {"0": HERE}, WRONG_CLAIM, "an object that looks like a list"),
    claim("aud", True, WRONG_CLAIM, "true"),
]

TIMES = [
    claim("exp", DROP, WRONG_CLAIM, "left out"),
    claim("exp", None, WRONG_CLAIM, "null"),
    claim("exp", NAN, WRONG_CLAIM, "NaN"),
    claim("exp", INFINITY, WRONG_CLAIM, "Infinity"),
    claim("exp", -INFINITY, WRONG_CLAIM, "-Infinity"),
    claim("exp", True, WRONG_CLAIM, "true"),
    claim("exp", -1, WRONG_CLAIM, "negative"),
    claim("exp", 0, PAST, "zero"),
    claim("exp", 10**400, WRONG_CLAIM, "a number of 400 digits"),
    claim("exp", 1e300, WRONG_CLAIM, "a number with 300 zeros"),
    claim("exp", 2**63, WRONG_CLAIM, "a number that overflows 64 bits"),
    claim("exp", {"$gt": 0}, WRONG_CLAIM, "an object"),
    time("exp", lambda now: str(now + 300), WRONG_CLAIM, "a text"),
    time("exp", lambda now: [now + 300], WRONG_CLAIM, "a list"),
    time("exp", lambda now: (now + 300) * 1000, WRONG_CLAIM, "in milliseconds"),
    time("exp", lambda now: now - 61, PAST, "61 s ago", iat=lambda now: now - 361),
    time("exp", lambda now: now - 60, PAST, "60 s ago, to the second", iat=lambda now: now - 360),
    time("exp", lambda now: now + 3_601, TOO_LONG, "an hour and a second after iat"),
    time("exp", lambda now: now, TOO_LONG, "the same as iat: it never lived", iat=lambda now: now),
    time("exp", lambda now: now + 10, TOO_LONG, "before iat", iat=lambda now: now + 20),
    time("exp", lambda now: 10**400, WRONG_CLAIM, "huge beside a fractional iat", iat=lambda now: now + 0.5),
    claim("iat", DROP, WRONG_CLAIM, "left out"),
    claim("iat", None, WRONG_CLAIM, "null"),
    claim("iat", NAN, WRONG_CLAIM, "NaN"),
    claim("iat", -INFINITY, WRONG_CLAIM, "-Infinity"),
    claim("iat", False, WRONG_CLAIM, "false"),
    claim("iat", -(10**400), WRONG_CLAIM, "a negative number of 400 digits"),
    claim("iat", 0, TOO_LONG, "zero"),
    time("iat", lambda now: str(now), WRONG_CLAIM, "a text"),
    time("iat", lambda now: now + 61, IAT_FUTURE, "61 s ahead"),
    time("iat", lambda now: now - 3_400, TOO_LONG, "so long ago that the life is over an hour"),
    time("nbf", lambda now: now + 61, NBF_FUTURE, "61 s ahead"),
    time("nbf", lambda now: str(now), WRONG_CLAIM, "a text"),
    claim("nbf", NAN, WRONG_CLAIM, "NaN"),
    claim("nbf", INFINITY, WRONG_CLAIM, "Infinity"),
    claim("nbf", True, WRONG_CLAIM, "true"),
]

TOKEN_IDS = [
    claim("jti", DROP, WRONG_CLAIM, "left out"),
    claim("jti", None, WRONG_CLAIM, "null"),
    claim("jti", "", "jti is empty", "empty"),
    claim("jti", " \t\n", "jti is empty", "blank"),
    claim("jti", "\u2003", "jti is empty", "a wide blank"),
    claim("jti", 7, WRONG_CLAIM, "a number"),
    claim("jti", True, WRONG_CLAIM, "true"),
    claim("jti", ["a"], WRONG_CLAIM, "a list"),
    claim("jti", {"a": 1}, WRONG_CLAIM, "an object"),
    claim("jti", "j" * 9_000, "the token is too long", "of 9,000 characters"),
]

WHOSE = [
    claim("iss", DROP, UNREADABLE, "left out"),
    claim("iss", None, UNREADABLE, "null"),
    claim("iss", "", NO_ISSUER, "empty"),
    claim("iss", [ISSUER], UNREADABLE, "in a list"),
    claim("iss", {"iss": ISSUER}, UNREADABLE, "an object"),
    claim("iss", 1, UNREADABLE, "a number"),
    claim("iss", "https://attacker.example.org", NO_ISSUER, "of nobody we know"),
    claim("iss", f"{ISSUER}/", NO_ISSUER, "with a slash at its end"),
    claim("iss", ISSUER.upper(), NO_ISSUER, "in capital letters"),
    claim("iss", ISSUER.removeprefix("https://"), NO_ISSUER, "without its scheme"),
    claim("iss", f"{ISSUER}\x00", NO_ISSUER, "with NUL at its end"),
    claim("iss", f" {ISSUER}", NO_ISSUER, "with a blank before it"),
    claim("iss", ISSUER.replace("e", "е"), NO_ISSUER, "in letters that look like it"),
    claim("iss", "\ud800", NO_ISSUER, "half a surrogate pair"),
    claim("iss", "general-hospital", NO_ISSUER, "the name of the client"),
    claim("iss", "https://sandbox.cds-hooks.org", NO_ISSUER, "of the Sandbox"),
    claim("iss", VALLEY, NO_KEY, "of another client"),
    claim("tenant", DROP, NO_TENANT, "left out"),
    claim("tenant", None, NO_TENANT, "null"),
    claim("tenant", "", NO_TENANT, "empty"),
    claim("tenant", "west", NO_TENANT, "that is not listed"),
    claim("tenant", "North", NO_TENANT, "in other case"),
    claim("tenant", "north ", NO_TENANT, "with a blank"),
    claim("tenant", "north,south", NO_TENANT, "two in one"),
    claim("tenant", ["north"], UNREADABLE, "in a list"),
    claim("tenant", 1, UNREADABLE, "a number"),
    claim("tenant", {"north": 1}, UNREADABLE, "an object"),
    claim("tenant", "campus", NO_KEY, "of the client with the same issuer"),
]


@pytest.mark.parametrize(("claims", "reason"), [*AUDIENCES, *TIMES, *TOKEN_IDS, *WHOSE])
def test_claim_that_is_not_for_now_and_us_is_refused(
    service: RegisteredService, claims: dict[str, Callable[[float], Any]], reason: str
) -> None:
    forge = service.forge()
    changes = {name: at(forge.now_s) for name, at in claims.items()}
    service.assert_refused(forge.bearer(**changes), reason)
    assert service.call(forge.bearer()).status_code == 200


@pytest.mark.parametrize(
    ("path", "audience"),
    [
        pytest.param(DISCOVERY, HERE, id="a call's token, for discovery"),
        pytest.param(DISCOVERY, f"{PUBLIC_URL}/cds-services/", id="discovery with a slash at its end"),
        pytest.param(DISCOVERY, PUBLIC_URL, id="the host, for discovery"),
        pytest.param(FEEDBACK, f"{PUBLIC_URL}/cds-services", id="discovery's token, for feedback"),
        pytest.param(FEEDBACK, f"{PUBLIC_URL}/cds-services/another/feedback", id="another service's feedback"),
        pytest.param(FEEDBACK, f"{HERE}/feedback/", id="feedback with a slash at its end"),
        pytest.param("/cds-services/another", HERE, id="a token for us, sent to a service that is not there"),
        pytest.param("/cds-services/another/feedback", f"{HERE}/feedback", id="its feedback"),
    ],
)
def test_token_is_good_for_the_url_it_names_only(service: RegisteredService, path: str, audience: str) -> None:
    """R-6.9. Whether a service exists is told to registered clients only."""
    service.assert_refused(service.forge().bearer(aud=audience), OTHER_AUD, path=path)


def test_service_that_is_not_there_is_told_to_registered_clients_only(service: RegisteredService) -> None:
    known = service.forge(path="/cds-services/another").bearer()
    assert service.send("/cds-services/another", known, CALL).status_code == 404
    service.assert_refused(None, "no Authorization header", path="/cds-services/another")


MIXED_UP = [
    pytest.param(lambda s: s.forge().bearer(tenant="campus"), NO_KEY, id="its own key, the neighbor's tenant"),
    pytest.param(
        lambda s: s.forge().bearer(tenant="campus", header_kid="ES384 of university-clinic"),
        "the signature is not valid",
        id="its own key, the neighbor's tenant and kid",
    ),
    pytest.param(lambda s: s.forge_clinic().bearer(tenant="north"), NO_KEY, id="the neighbor with our tenant"),
    pytest.param(lambda s: s.forge().bearer(iss=VALLEY), NO_KEY, id="its own key, another issuer"),
    pytest.param(
        lambda s: s.forge().bearer(iss=VALLEY, header_kid="ES384"),
        "the signature is not valid",
        id="its own key, another issuer and its kid",
    ),
    pytest.param(lambda s: s.forge_valley().bearer(iss=ISSUER), NO_TENANT, id="a client without tenants as another"),
    pytest.param(
        lambda s: s.forge_valley().bearer(iss=ISSUER, tenant="north"), NO_KEY, id="the same, with the other's tenant"
    ),
    pytest.param(
        lambda s: s.forge_valley(kid="bare").bearer(iss=ISSUER, tenant="north", header_kid="ES384 of general-hospital"),
        "the signature is not valid",
        id="the same, with the other's kid too",
    ),
]


@pytest.mark.parametrize(("attack", "reason"), MIXED_UP)
def test_client_cannot_pass_for_another(
    service: RegisteredService, attack: Callable[[RegisteredService], str], reason: str
) -> None:
    """R-6.8: a key is bound to its issuer and tenants."""
    service.assert_refused(attack(service), reason)


@pytest.mark.parametrize(
    "tenant",
    [
        pytest.param("\ud800", id="half a surrogate pair, which no database takes"),
        pytest.param("a\x00b", id="NUL, which PostgreSQL does not take"),
        pytest.param("t" * 201, id="longer than its column"),
        pytest.param("line\nbreak", id="a line break"),
        pytest.param("\u202egnirts", id="a direction mark"),
        pytest.param("  ", id="only blanks"),
    ],
)
def test_tenant_of_a_client_without_tenants_is_a_name_all_the_same(service: RegisteredService, tenant: str) -> None:
    """It stands in the ledger, in logs and in reports; one that the database cannot store looks like an outage."""
    service.assert_refused(service.forge_valley().bearer(tenant=tenant), "tenant is not a name")


def written(forge: Forge, *more: str, **changes: Any) -> bytes:
    """The claims as JSON, with more members at its end: by hand, for no library writes a member twice."""
    claims = {name: value for name, value in (forge.claims | changes).items() if value is not DROP}
    return (json.dumps(claims)[:-1] + "".join(f", {one}" for one in more) + "}").encode()


TWICE = [
    pytest.param([f'"iss": "{VALLEY}"'], NO_KEY, id="iss twice, another client's last"),
    pytest.param(['"iss": "https://attacker.example.org"'], NO_ISSUER, id="iss twice, a stranger's last"),
    pytest.param(['"tenant": "campus"'], NO_KEY, id="tenant twice, the neighbor's last"),
    pytest.param(['"aud": "https://other.example.org"'], OTHER_AUD, id="aud twice, another's last"),
    pytest.param(['"exp": 1'], PAST, id="exp twice, long past last"),
    pytest.param(['"exp": null'], WRONG_CLAIM, id="exp twice, null last"),
    pytest.param(['"jti": ""'], "jti is empty", id="jti twice, empty last"),
    pytest.param(['"\\u0069ss": "https://attacker.example.org"'], NO_ISSUER, id="iss twice, the last with an escape"),
]


@pytest.mark.parametrize(("more", "reason"), TWICE)
def test_of_a_claim_that_stands_there_twice_the_last_counts_everywhere(
    service: RegisteredService, more: list[str], reason: str
) -> None:
    """RFC 7519 section 4: the key is chosen by the same issuer that the checks see, so nothing is gained by it."""
    forge = service.forge()
    service.assert_refused(forge.bearer(raw=written(forge, *more)), reason)
    assert service.call(forge.bearer()).status_code == 200


def test_first_of_two_claims_gives_nobody_anything(service: RegisteredService) -> None:
    """The other way round: another client's name first, one's own last, is a call of one's own."""
    forge = service.forge()
    claims = json.dumps(forge.claims)
    raw = ('{"iss": "' + VALLEY + '", "tenant": "campus", ' + claims[1:]).encode()
    assert service.call(forge.bearer(raw=raw)).status_code == 200
    (event,) = service.log
    assert (event["cds_hooks.client"], event["cds_hooks.tenant"]) == ("general-hospital", "north")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"claims"', id="a text"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b"{'iss': 'x'}", id="in single quotes"),
        pytest.param(b"\x80\x04\x95.", id="a pickle"),
        pytest.param(b"\xff\xfe\xfd", id="no text"),
        pytest.param(b'{"iss": ' + b"9" * 5_000 + b"}", id="a number of 5,000 digits"),
        pytest.param(b'{"a": \xff}', id="not UTF-8"),
        pytest.param(b'{"\\ud800": 1, "iss": "' + ISSUER.encode() + b'"}', id="a name that is half a surrogate pair"),
    ],
)
def test_payload_that_is_no_object_of_claims_is_refused(service: RegisteredService, raw: bytes) -> None:
    service.assert_refused(service.forge().bearer(raw=raw), UNREADABLE)


def test_no_depth_of_nesting_breaks_anything(service: RegisteredService) -> None:
    """The parser gives up at a depth that depends on the stack it stands on: around there, too, the answer is plain."""

    def status_at(levels: int) -> int:
        forge = service.forge()
        nested = "[" * levels + "]" * levels
        return service.call(forge.bearer(raw=written(forge, f'"x": {nested}'))).status_code

    shallow, deep = 10, 1_200
    assert (status_at(shallow), status_at(deep)) == (200, 401)
    while deep - shallow > 1:
        middle = (shallow + deep) // 2
        shallow, deep = (middle, deep) if status_at(middle) == 200 else (shallow, middle)
    assert {status_at(levels) for levels in range(deep - 4, deep + 12)} == {200, 401}


def test_refused_call_is_not_even_read(service: RegisteredService) -> None:
    """Neither how large a body is, nor its type or form, is told to a stranger."""
    for body in (b"", b"not JSON", b"[" * 100_000, b"x" * 8_000_001):
        service.assert_refused("Bearer a.b.c", UNREADABLE, body=body)
    signed_by_nobody = service.forge().bearer(sign=signer("ES384", service.forge_clinic().key))
    service.assert_refused(signed_by_nobody, "the signature is not valid", body=b"not JSON")
