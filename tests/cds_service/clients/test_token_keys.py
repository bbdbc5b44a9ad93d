"""Keys that are fetched from an issuer: a real server over real TLS, well, badly, or not at all (R-6.5, R-6.14)."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from cds_service.clients.issuer_keys import FetchedKeys
from tests.certificates import HOUR, self_signed, server_context
from tests.charts import SERVICE
from tests.misbehaving_server import HTTP_OK, Answer, LoopbackServer, answer, never_ending, raw
from tests.monotonic_clock import MonotonicClock
from tests.places import ROOT
from tests.registered_service import CALL, PUBLIC_URL, RegisteredService
from tests.token_forge import Forge, Json, assemble, jwk_of, key_for, private_jwk_of, signer

REMOTE, PATH = "https://remote.example.org", "/jwks.json"
NO_KEY, NO_SIGNATURE = "no registered key has this kid", "the signature is not valid"
NOT_FETCHED = "cds_hooks.keys.not_fetched"
OWN, NEXT = key_for("ES384", "remote-clinic"), key_for("ES384", "remote-clinic, later")
SANDBOX = json.loads((ROOT / "cds_service" / "clients" / "sandbox-jwks.json").read_text())["keys"][0]


class Issuer:
    """A server that publishes keys, and counts how often it is asked for them."""

    def __init__(self, certificate: Path | None) -> None:
        self._tls = server_context(certificate) if certificate else None
        self.server = LoopbackServer(tls=self._tls)
        self.url = self.server.base.removesuffix("/fhir") + PATH
        self.publish(jwk_of(OWN, "ES384", "own"))

    def present(self, certificate: Path) -> None:
        """Use another certificate from the next connection on."""
        assert self._tls
        self._tls.load_cert_chain(certificate)

    def publish(self, *keys: Any) -> None:
        self.answer_with(answer({"keys": list(keys)}))

    def answer_with(self, one: Answer) -> None:
        self.server.answers[PATH] = one

    @property
    def asked(self) -> int:
        return self.server.paths.count(PATH)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def issuer(certificate: Path) -> Iterator[Issuer]:
    one = Issuer(certificate)
    yield one
    one.server.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MonotonicClock:
    one = MonotonicClock()
    monkeypatch.setattr("cds_service.clients.registry.FetchedKeys", partial(FetchedKeys, monotonic=one))
    return one


@pytest.fixture
def make_service(
    tmp_path: Path, empty_ledger: Path, clock: MonotonicClock
) -> Iterator[Callable[..., RegisteredService]]:
    made: list[RegisteredService] = []

    def make(url: str, **settings: Any) -> RegisteredService:
        registry = (
            f'[[clients]]\nname = "remote-clinic"\nissuer = "{REMOTE}"\njwks_url = "{url}"\n'
            'algorithms = ["ES384", "RS384"]\n'
        )
        made.append(RegisteredService(tmp_path, empty_ledger, registry=registry, key_sets={}, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def service(make_service: Callable[..., RegisteredService], issuer: Issuer, certificate: Path) -> RegisteredService:
    return make_service(issuer.url, ca_file=certificate)


def forge(service: RegisteredService, *, kid: str = "own", key: Any = OWN, algorithm: str = "ES384") -> Forge:
    now_s = service.now.timestamp()
    return Forge(
        now_s, issuer=REMOTE, audience=PUBLIC_URL + SERVICE, tenant=None, kid=kid, algorithm=algorithm, key=key
    )


def status(service: RegisteredService, **whose: Any) -> int:
    """Of a call with a new good token."""
    return service.call(forge(service, **whose).bearer()).status_code


def status_with_log(service: RegisteredService) -> int:
    """The same, with its events left to the log of the test."""
    headers = {"Authorization": forge(service).bearer(), "Content-Type": "application/json"}
    return service.app.test_client().post(SERVICE, data=CALL, headers=headers).status_code


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens beside the calls; not for long."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.005)


def flood(service: RegisteredService, count: int) -> None:
    """Tokens with kids that nobody has heard of, which anybody can write."""
    one = forge(service)
    for number in range(count):
        token = assemble(one.header | {"kid": f"unknown {number}"}, one.claims, lambda _: b"no signature")
        assert service.call(f"Bearer {token}").status_code == 401
        assert NO_KEY in service.reason()


def test_keys_are_fetched_over_tls_by_a_private_authority(service: RegisteredService, issuer: Issuer) -> None:
    """In production: not before a token needs them, once for many calls, and nothing of ours is sent along."""
    assert issuer.server.connection_count == 0
    assert [status(service) for _ in range(5)] == [200] * 5
    assert issuer.asked == 1
    sent = issuer.server.requests[0].headers
    assert sorted(name.lower() for name in sent) == ["accept", "accept-encoding", "connection", "host", "user-agent"]


def test_issuer_whose_certificate_is_not_trusted_gives_no_keys(
    make_service: Callable[..., RegisteredService], issuer: Issuer, tmp_path: Path
) -> None:
    assert status(make_service(issuer.url)) == 503
    other = self_signed(tmp_path, "127.0.0.1")
    assert status(make_service(issuer.url, ca_file=other)) == 503
    assert issuer.asked == 0


@pytest.mark.parametrize(
    ("begins_in", "kind"),
    [
        pytest.param(-2 * HOUR, "CertificateExpired", id="expired"),
        pytest.param(HOUR, "CertificateNotYetValid", id="not valid yet"),
    ],
)
def test_issuer_whose_certificate_is_out_of_date_gives_no_keys_and_the_log_says_why(
    make_service: Callable[..., RegisteredService], tmp_path: Path, begins_in: timedelta, kind: str
) -> None:
    outdated = self_signed(tmp_path, "127.0.0.1", begins_in=begins_in)
    issuer = Issuer(outdated)
    service = make_service(issuer.url, ca_file=outdated)
    try:
        with capture_logs() as log:
            assert status_with_log(service) == 503
        (told,) = [one for one in log if one["event"] == NOT_FETCHED]
        assert (told["cds_hooks.client"], told["error.type"]) == ("remote-clinic", kind)
        assert str(issuer.server.port) not in repr(log)
        assert issuer.asked == 0
    finally:
        issuer.server.close()


def test_known_keys_outlive_an_issuer_whose_certificate_expires_until_it_is_renewed(
    make_service: Callable[..., RegisteredService], clock: MonotonicClock, tmp_path: Path
) -> None:
    good = self_signed(tmp_path, "127.0.0.1", name="good")
    expired = self_signed(tmp_path, "127.0.0.1", begins_in=-2 * HOUR, name="expired")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(good.read_bytes() + expired.read_bytes())
    issuer = Issuer(good)
    service = make_service(issuer.url, ca_file=trusted)
    try:
        assert status(service) == 200
        issuer.present(expired)
        issuer.publish(jwk_of(NEXT, "ES384", "own"))
        clock.advance(301)
        with capture_logs() as log:
            assert status_with_log(service) == 200
            until(lambda: any(one["event"] == NOT_FETCHED for one in log))
        (told,) = [one for one in log if one["event"] == NOT_FETCHED]
        assert (told["error.type"], told["cds_hooks.keys.known"]) == ("CertificateExpired", True)
        issuer.present(good)
        clock.advance(301)
        assert status(service) == 200  # with the old key, while the new one is fetched
        until(lambda: status(service, key=NEXT) == 200)
    finally:
        issuer.server.close()


def test_certificate_for_another_address_gives_no_keys(
    make_service: Callable[..., RegisteredService], tmp_path: Path
) -> None:
    elsewhere = self_signed(tmp_path, "127.0.0.9")
    issuer = Issuer(elsewhere)
    try:
        assert status(make_service(issuer.url, ca_file=elsewhere)) == 503
        assert issuer.asked == 0
    finally:
        issuer.server.close()


@pytest.mark.parametrize("state", ["up", "down", "hanging"])
def test_flood_of_unknown_kids_asks_the_issuer_once_a_minute(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """R-6.14, and good tokens are taken all the while."""
    assert status(service) == 200
    connections = issuer.server.connection_count
    if state == "hanging":
        monkeypatch.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.5)
        issuer.answer_with(never_ending(b""))
    elif state == "down":
        issuer.answer_with(raw(b""))
    for minute in range(1, 4):
        clock.advance(60)
        flood(service, 334)
        until(lambda: service_is_quiet(issuer))
        assert status(service) == 200
        assert issuer.server.connection_count - connections <= minute
    assert issuer.asked == 4


def service_is_quiet(issuer: Issuer) -> bool:
    """Whether every connection that was opened has also brought its request."""
    return issuer.server.connection_count == len(issuer.server.requests)


def test_known_keys_outlive_an_issuer_that_is_down(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    """However old they become: an outage there is none here. It is asked again every five minutes, beside the calls."""
    assert status(service) == 200
    issuer.server.close()
    for hours in (0.1, 1, 24, 24 * 365):
        clock.advance(hours * 3_600)
        assert status(service) == 200
    flood(service, 3)
    assert status(service) == 200


def test_new_key_is_picked_up_and_the_old_one_goes(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    """Rotation as it should be done: both for a while, then the new one alone."""
    assert status(service) == 200
    issuer.publish(jwk_of(OWN, "ES384", "own"), jwk_of(NEXT, "ES384", "next"))
    clock.advance(59)
    assert status(service, kid="next", key=NEXT) == 401  # asked less than a minute ago
    clock.advance(1)
    assert status(service, kid="next", key=NEXT) == 200
    assert status(service) == 200
    issuer.publish(jwk_of(NEXT, "ES384", "next"))
    clock.advance(301)
    assert status(service, kid="next", key=NEXT) == 200  # and the keys are fetched beside it
    until(lambda: status(service) == 401)
    assert status(service, kid="next", key=NEXT) == 200
    assert issuer.asked == 3


def test_key_that_was_exchanged_under_its_kid_is_exchanged_here(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    assert status(service) == 200
    issuer.publish(jwk_of(NEXT, "ES384", "own"))
    clock.advance(301)
    assert status(service) == 200
    until(lambda: status(service) == 401)
    assert status(service, key=NEXT) == 200


def test_no_key_yet_and_an_issuer_that_is_down_is_503_until_it_is_up(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock
) -> None:
    """R-4.16: not the client's fault, and worth another try. The token id is not used up by it."""
    issuer.answer_with(answer(b"", 500))
    one = forge(service)
    refused = service.call(one.bearer())
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert "WWW-Authenticate" not in refused.headers
    assert "127.0.0.1" not in refused.get_data(as_text=True)
    assert NOT_FETCHED in [event["event"] for event in service.log]
    assert service.rows()["seen_token"] == 0
    issuer.publish(jwk_of(OWN, "ES384", "own"))
    clock.advance(4)
    assert service.call(one.bearer()).status_code == 503
    clock.advance(1)
    assert service.call(one.bearer()).status_code == 200
    assert issuer.asked == 2


def test_stranger_learns_of_no_outage(service: RegisteredService, issuer: Issuer) -> None:
    """Only who names a registered issuer and a registered algorithm makes us ask."""
    issuer.answer_with(answer(b"", 500))
    one = forge(service)
    for token in (one.bearer(iss="https://attacker.example.org"), one.bearer(header_alg="none"), "Bearer a.b.c", None):
        assert service.call(token).status_code == 401
    assert issuer.server.connection_count == 0


USELESS: dict[str, Answer] = {
    "404": answer({"keys": []}, 404),
    "500 with good keys": answer({"keys": [jwk_of(OWN, "ES384", "own")]}, 500),
    "a redirect to good keys": answer(b"", 302, Location="/elsewhere.json"),
    "a redirect with good keys in its body": answer(
        {"keys": [jwk_of(OWN, "ES384", "own")]}, 307, Location="/elsewhere.json"
    ),
    "no content": answer(b"", 204),
    "an empty body": answer(b""),
    "a page": answer(b"<!DOCTYPE html><title>Log in</title>", Content_Type="text/html"),
    "half of it": answer(json.dumps({"keys": [jwk_of(OWN, "ES384", "own")]}).encode()[:-9]),
    "not UTF-8": answer(b'{"keys": "\xff\xfe"}'),
    "a list": answer([jwk_of(OWN, "ES384", "own")]),
    "one key alone": answer(jwk_of(OWN, "ES384", "own")),
    "keys that are an object": answer({"keys": {"own": jwk_of(OWN, "ES384", "own")}}),
    "keys that are null": answer({"keys": None}),
    "no keys": answer({"keys": []}),
    "keys that are no objects": answer({"keys": [None, 1, "own", ["own"]]}),
    "symmetric keys only": answer({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "own", "alg": "HS384"}]}),
    "keys for encryption only": answer({"keys": [jwk_of(OWN, "ES384", "own", use="enc")]}),
    "key_ops that are a number": answer({"keys": [jwk_of(OWN, "ES384", "own", key_ops=1)]}),
    "a point that is on no curve": answer({"keys": [jwk_of(OWN, "ES384", "own", y=jwk_of(OWN, "ES384", "")["x"])]}),
    "coordinates that are lists": answer({"keys": [jwk_of(OWN, "ES384", "own", x=[1], y={})]}),
    "nesting without end": answer(b"[" * 200_000),
    "a number of 100,000 digits": answer(b'{"keys": ' + b"9" * 100_000 + b"}"),
    "more than is read": answer({"keys": [jwk_of(OWN, "ES384", "own")], "padding": "x" * 300_000}),
    "a bomb of gzip": answer(gzip.compress(b"[" * 10_000_000), Content_Encoding="gzip"),
    "good keys in gzip, unasked": answer(
        gzip.compress(json.dumps({"keys": [jwk_of(OWN, "ES384", "own")]}).encode()), Content_Encoding="gzip"
    ),
    "a body that ends too soon": raw(HTTP_OK, b'Content-Length: 9999\r\n\r\n{"keys": ['),
    "a body without end": never_ending(HTTP_OK + b"\r\n", b" " * 9_999),
    "a body in drips": never_ending(HTTP_OK + b"\r\n{", b" "),
    "headers in drips": never_ending(HTTP_OK + b"X-Drip: ", b"x"),
    "a status line in drips": never_ending(b"HTTP/1.1 ", b"2"),
    "headers without end": raw(HTTP_OK, *[b"X-%d: y\r\n" % number for number in range(200)]),
    "chunks that are none": raw(HTTP_OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": never_ending(b""),
    "a closed connection": raw(b""),
}


@pytest.mark.parametrize("useless", [pytest.param(one, id=what) for what, one in USELESS.items()])
def test_useless_answer_of_an_issuer_loses_nothing(
    service: RegisteredService, issuer: Issuer, clock: MonotonicClock, monkeypatch: pytest.MonkeyPatch, useless: Answer
) -> None:
    """At first there is no key, which is 503; once there is one, it stays. Every call is over soon."""
    issuer.server.answers["/elsewhere.json"] = answer({"keys": [jwk_of(OWN, "ES384", "own")]})
    began = time.monotonic()
    with monkeypatch.context() as hurried:
        hurried.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.3)
        issuer.answer_with(useless)
        assert status(service) == 503
    issuer.publish(jwk_of(OWN, "ES384", "own"))
    clock.advance(5)
    assert status(service) == 200
    with monkeypatch.context() as hurried:
        hurried.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.3)
        issuer.answer_with(useless)
        clock.advance(60)
        assert status(service, kid="unknown") == 401
    assert NOT_FETCHED in [event["event"] for event in service.log]
    assert status(service) == 200
    assert "/elsewhere.json" not in issuer.server.paths
    assert time.monotonic() - began < 60, "a call hung"


WEAK = key_for("RS384", "weak")
SECRET = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ", "kid": "odd"}


@pytest.mark.parametrize(
    ("jwk", "algorithm", "key"),
    [
        pytest.param(jwk_of(NEXT, "ES384", "odd", use="enc"), "ES384", NEXT, id="a key for encryption"),
        pytest.param(jwk_of(NEXT, "ES384", "odd", key_ops=["sign"]), "ES384", NEXT, id="a key that may only sign"),
        pytest.param(jwk_of(NEXT, "ES384", "odd", alg="ECDH-ES"), "ES384", NEXT, id="a key for key agreement"),
        pytest.param(jwk_of(NEXT, "ES384", "odd", alg="ES256"), "ES384", NEXT, id="a key that says another alg"),
        pytest.param(jwk_of(NEXT, "ES384", "odd", crv="P-256"), "ES384", NEXT, id="a key that says another curve"),
        pytest.param(jwk_of(NEXT, "ES384", "odd", kty="RSA"), "ES384", NEXT, id="a key that says another kty"),
        pytest.param(private_jwk_of(NEXT, "ES384", "odd"), "ES384", NEXT, id="a key with its private half"),
        pytest.param(jwk_of(WEAK, "RS384", "odd"), "RS384", WEAK, id="an RSA key of 1024 bits"),
        pytest.param(jwk_of(NEXT, "ES384", "odd") | {"kid": 7}, "ES384", NEXT, id="a kid that is a number"),
        pytest.param(SECRET, "ES384", NEXT, id="a symmetric key"),
        pytest.param(SANDBOX | {"kid": "odd"}, "ES384", NEXT, id="the key of the Sandbox"),
    ],
)
def test_key_that_may_not_be_used_is_passed_over(
    service: RegisteredService, issuer: Issuer, jwk: Json, algorithm: str, key: Any
) -> None:
    """It stands in the set that the issuer really gives; the keys beside it are good."""
    issuer.publish(jwk, jwk_of(OWN, "ES384", "own"))
    assert status(service) == 200
    one = forge(service, kid="odd", key=key, algorithm=algorithm)
    service.assert_refused(one.bearer(), NO_KEY)


def test_symmetric_key_of_the_set_verifies_nothing(service: RegisteredService, issuer: Issuer) -> None:
    """R-6.4: everybody can read it."""
    issuer.publish(SECRET, jwk_of(OWN, "ES384", "own"))
    sign = signer("HS384", b"secret-secret-secret-secret-secret-secret")
    service.assert_refused(forge(service, kid="odd").bearer(header_alg="HS384", sign=sign), "alg is not registered")


def test_of_two_keys_with_one_kid_the_first_counts(service: RegisteredService, issuer: Issuer) -> None:
    """R-6.5 has them unique. What comes later in the set cannot displace what came first."""
    issuer.publish(jwk_of(OWN, "ES384", "own"), jwk_of(NEXT, "ES384", "own"))
    assert status(service) == 200
    service.assert_refused(forge(service, key=NEXT).bearer(), NO_SIGNATURE)


def test_development_fetches_keys_from_loopback_without_tls(
    make_service: Callable[..., RegisteredService],
) -> None:
    """With `require_tokens` it checks as production does."""
    issuer = Issuer(None)
    try:
        service = make_service(issuer.url, profile="development", require_tokens=True)
        assert status(service) == 200
        service.assert_refused(forge(service, key=NEXT).bearer(), NO_SIGNATURE)
        assert service.send(SERVICE, None, CALL).status_code == 401
    finally:
        issuer.server.close()
