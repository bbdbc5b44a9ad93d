"""What an issuer publishes instead of keys, and keys that may not be used (R-6.4, R-6.5)."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest

from tests.cds_service.clients.issuers.issuer import (
    NEXT,
    NO_KEY,
    NO_SIGNATURE,
    NOT_FETCHED,
    OWN,
    Issuer,
    forge,
    status,
)
from tests.misbehaving_server import HTTP_OK, Answer, answer, never_ending, raw
from tests.monotonic_clock import MonotonicClock
from tests.places import ROOT
from tests.registered_service import RegisteredService
from tests.token_forge import Json, jwk_of, key_for, private_jwk_of, signer

SANDBOX = json.loads((ROOT / "cds_service" / "clients" / "sandbox-jwks.json").read_text())["keys"][0]


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
        hurried.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.1)
        issuer.answer_with(useless)
        assert status(service) == 503
    issuer.publish(jwk_of(OWN, "ES384", "own"))
    clock.advance(5)
    assert status(service) == 200
    with monkeypatch.context() as hurried:
        hurried.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.1)
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
