"""Attacks on the algorithm, the key and the header of a token, against the production application (R-6.4 to R-6.7).

Every refusal looks alike from outside, says why in the log only, writes nothing, and uses up no token id.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.misbehaving_server import LoopbackServer, answer
from tests.registered_service import RegisteredService
from tests.token_forge import (
    DROP,
    Forge,
    assemble,
    base64url,
    der_of,
    jwk_of,
    key_for,
    pem_of,
    private_jwk_of,
    signer,
    unbase64url,
)

ATTACKER = key_for("ES384", "attacker")
NO_ALGORITHM, NO_KEY, UNREADABLE = "alg is not registered", "no registered key has this kid", "cannot be read"
NO_SIGNATURE, NO_BEARER = "the signature is not valid", "is not Bearer and one signed token"
EXTENSION, TYPE = "demands extensions", "typ is not JWT"

Attack = Callable[[Forge], str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    one = RegisteredService(tmp_path_factory.mktemp("attacks"), empty_ledger)
    yield one
    one.close()


def resigned(forge: Forge, key: Any, **changes: Any) -> str:
    """Signed with another key than the one the header names."""
    return forge.bearer(sign=signer("ES384", key), **changes)


def by_hmac(secret: bytes, digest: str, **changes: Any) -> Attack:
    """Signed with HMAC, the public key as its secret: what a verifier that believes `alg` would take."""
    return lambda forge: forge.bearer(
        sign=lambda signed: hmac.new(secret, signed, f"sha{digest}").digest(), header_alg=f"HS{digest}", **changes
    )


def public_forms() -> dict[str, bytes]:
    """The public keys of the client, as an attacker may write them."""
    jwk = jwk_of(key_for("ES384"), "ES384", "ES384 of general-hospital")
    return {
        "its public key in PEM": pem_of(key_for("ES384")),
        "its public key in PEM without the last newline": pem_of(key_for("ES384")).strip(),
        "its public key in DER": der_of(key_for("ES384")),
        "its RSA key in PEM": pem_of(key_for("RS384")),
        "its JWK": json.dumps(jwk).encode(),
        "the x of its JWK": unbase64url(jwk["x"]),
        "no bytes": b"",
    }


ALGORITHM_ATTACKS = [
    *(
        pytest.param(
            lambda forge, alg=alg: forge.bearer(header_alg=alg, sign=lambda _: b"none at all"),
            NO_ALGORITHM,
            id=f"alg {alg!r} with some signature",
        )
        for alg in ("none", "None", "NONE", "nOnE", "none ", "", "HS256\x00", "ES384 ")
    ),
    *(
        pytest.param(
            lambda forge, alg=alg: forge.bearer(header_alg=alg, sign=lambda _: b""),
            NO_BEARER,
            id=f"alg {alg!r} without a signature",
        )
        for alg in ("none", "None", "ES384")
    ),
    *(
        pytest.param(by_hmac(secret, digest), NO_ALGORITHM, id=f"HS{digest} with {form} as the secret")
        for digest in ("256", "384", "512")
        for form, secret in public_forms().items()
    ),
    pytest.param(
        by_hmac(pem_of(key_for("ES384")), "384", header_kid="ES384"), NO_ALGORITHM, id="HS384 under an unknown kid"
    ),
    pytest.param(
        lambda forge: forge.bearer(
            header_alg="ES384", sign=lambda s: hmac.new(pem_of(forge.key), s, hashlib.sha384).digest()
        ),
        NO_SIGNATURE,
        id="an HMAC by the public key that calls itself ES384",
    ),
    pytest.param(
        lambda forge: forge.bearer(header_alg="RS384", sign=signer("RS384", key_for("RS384"))),
        NO_KEY,
        id="RS384 under the kid of the ES384 key",
    ),
    pytest.param(
        lambda forge: forge.bearer(header_kid="RS384 of general-hospital"), NO_KEY, id="ES384 under the RSA key's kid"
    ),
    pytest.param(
        lambda forge: forge.bearer(
            header_alg="PS384", header_kid="RS384 of general-hospital", sign=signer("PS384", key_for("RS384"))
        ),
        NO_ALGORITHM,
        id="PS384 by the client's own RSA key, registered for RS384",
    ),
    pytest.param(
        lambda forge: forge.bearer(
            header_alg="RS384", header_kid="RS384 of general-hospital", sign=signer("PS384", key_for("RS384"))
        ),
        NO_SIGNATURE,
        id="a PS384 signature that calls itself RS384",
    ),
    pytest.param(
        lambda forge: forge.bearer(
            header_alg="RS256", header_kid="RS384 of general-hospital", sign=signer("RS256", key_for("RS384"))
        ),
        NO_ALGORITHM,
        id="RS256 by the client's own RSA key, registered for RS384",
    ),
    pytest.param(
        lambda forge: forge.bearer(header_alg="EdDSA", sign=signer("EdDSA", key_for("EdDSA"))),
        NO_ALGORITHM,
        id="EdDSA, which is not registered",
    ),
    pytest.param(lambda forge: forge.bearer(header_alg="ES256"), NO_ALGORITHM, id="ES256, which is not registered"),
    pytest.param(lambda forge: forge.bearer(header_alg="es384"), NO_ALGORITHM, id="alg in small letters"),
    pytest.param(lambda forge: forge.bearer(header_alg="ＥＳ384"), NO_ALGORITHM, id="alg in full-width letters"),
    pytest.param(lambda forge: forge.bearer(header_alg=DROP), UNREADABLE, id="no alg"),
    pytest.param(lambda forge: forge.bearer(header_alg=None), UNREADABLE, id="alg null"),
    pytest.param(lambda forge: forge.bearer(header_alg=["ES384"]), UNREADABLE, id="alg in a list"),
    pytest.param(lambda forge: forge.bearer(header_alg=384), UNREADABLE, id="alg a number"),
    pytest.param(lambda forge: forge.bearer(header_alg={"ES384": True}), UNREADABLE, id="alg an object"),
]

KEY_ATTACKS = [
    pytest.param(lambda forge: resigned(forge, ATTACKER), NO_SIGNATURE, id="the attacker's key under the known kid"),
    pytest.param(
        lambda forge: resigned(forge, ATTACKER, header_jwk=jwk_of(ATTACKER, "ES384", "ES384 of general-hospital")),
        NO_SIGNATURE,
        id="the attacker's key in the header, under the known kid",
    ),
    pytest.param(
        lambda forge: resigned(forge, ATTACKER, header_jwk=jwk_of(ATTACKER, "ES384", "mine"), header_kid="mine"),
        NO_KEY,
        id="the attacker's key in the header, under a kid of its own",
    ),
    pytest.param(
        lambda forge: resigned(forge, ATTACKER, header_x5c=[base64url(der_of(ATTACKER))]),
        NO_SIGNATURE,
        id="the attacker's certificate chain in the header",
    ),
    pytest.param(
        lambda forge: resigned(forge, ATTACKER, header_jwks={"keys": [jwk_of(ATTACKER, "ES384", "x")]}, header_kid="x"),
        NO_KEY,
        id="a whole key set in the header",
    ),
    pytest.param(
        lambda forge: resigned(forge, key_for("ES384", "university-clinic")),
        NO_SIGNATURE,
        id="another client's key under this client's kid",
    ),
    pytest.param(
        lambda forge: resigned(forge, key_for("ES384", "university-clinic"), header_kid="ES384 of university-clinic"),
        NO_KEY,
        id="another client's key under its own kid",
    ),
    *(
        pytest.param(lambda forge, kid=kid: resigned(forge, ATTACKER, header_kid=kid), NO_KEY, id=f"kid: {what}")
        for what, kid in {
            "a path": "../../../../dev/null",
            "the path of the key file": "general-hospital.json",
            "SQL": "x' UNION SELECT 'key' -- ",
            "a shell command": "$(cat /etc/passwd)",
            "a URL": "https://attacker.example.org/jwks.json",
            "NUL": "ES384 of general-hospital\x00",
            "only NUL": "\x00",
            "very long": "k" * 4000,
            "empty": "",
            "blank": " ",
            "the known one in other case": "es384 OF general-hospital",
            "the known one and a blank": "ES384 of general-hospital ",
            "half a surrogate pair": "\ud800",
            "the name of an attribute": "__class__",
        }.items()
    ),
    *(
        pytest.param(lambda forge, kid=kid: forge.bearer(header_kid=kid), UNREADABLE, id=f"kid: {what}")
        for what, kid in {
            "left out": DROP,
            "null": None,
            "a number": 1,
            "true": True,
            "a list with the known one": ["ES384 of general-hospital"],
            "an object": {"kid": "ES384 of general-hospital"},
        }.items()
    ),
]


def unsigned(header: Any, payload: Any) -> str:
    """A token that anybody can write."""
    return f"Bearer {assemble(header, payload, lambda _: b'nothing that verifies')}"


def nested(levels: int) -> bytes:
    """JSON that is nothing but depth."""
    return b"[" * levels + b"]" * levels


NO_HEADERS: dict[str, Any] = {
    "a list": [],
    "a text": "ES384",
    "null": None,
    "empty": {},
    "no JSON": b"alg=ES384",
    "cut off": b'{"alg":"ES384","typ":"JWT","kid":"ES3',
    "not UTF-8": b'{"alg":"ES384","typ":"JWT","kid":"\xff"}',
    "two objects": b'{"alg":"ES384"}{"alg":"none"}',
    "a number of 5,000 digits": b'{"alg":' + b"1" * 5_000 + b"}",
}

HEADER_ATTACKS = [
    pytest.param(lambda f: f.bearer(header_typ=DROP), UNREADABLE, id="no typ"),
    pytest.param(lambda f: f.bearer(header_typ=None), UNREADABLE, id="typ null"),
    pytest.param(lambda f: f.bearer(header_typ=""), TYPE, id="typ empty"),
    pytest.param(lambda f: f.bearer(header_typ="at+jwt"), TYPE, id="an access token of OAuth"),
    pytest.param(lambda f: f.bearer(header_typ="JOSE"), TYPE, id="typ JOSE"),
    pytest.param(lambda f: f.bearer(header_typ="JWT "), TYPE, id="typ with a blank"),
    pytest.param(lambda f: f.bearer(header_typ=["JWT"]), UNREADABLE, id="typ in a list"),
    pytest.param(lambda f: f.bearer(header_crit=["exp"]), UNREADABLE, id="crit names exp"),
    pytest.param(lambda f: f.bearer(header_crit=[]), UNREADABLE, id="crit names nothing"),
    pytest.param(lambda f: f.bearer(header_crit=None), UNREADABLE, id="crit null"),
    pytest.param(lambda f: f.bearer(header_crit="b64"), UNREADABLE, id="crit is no list"),
    pytest.param(
        lambda f: f.bearer(header_crit=["https://x.example.org/unknown"]), UNREADABLE, id="crit that nobody knows"
    ),
    pytest.param(lambda f: f.bearer(header_crit=["b64"], header_b64=True), EXTENSION, id="b64 true, and critical"),
    pytest.param(lambda f: f.bearer(header_b64=True), EXTENSION, id="b64 true"),
    pytest.param(lambda f: f.bearer(header_b64=False), UNREADABLE, id="b64 false"),
    pytest.param(lambda f: f.bearer(header_crit=["b64"], header_b64=False), UNREADABLE, id="b64 false, and critical"),
    pytest.param(
        lambda f: f.bearer(header_zip="DEF", raw=zlib.compress(json.dumps(f.claims).encode())),
        UNREADABLE,
        id="claims that are compressed",
    ),
    pytest.param(
        lambda f: f.bearer(header_cty="JWT", raw=f.token().encode()), UNREADABLE, id="a good token inside a token"
    ),
    pytest.param(lambda f: unsigned(nested(2_500), f.claims), UNREADABLE, id="a header of lists 2,500 levels deep"),
    pytest.param(lambda f: unsigned(b"[" * 5_000, {}), UNREADABLE, id="a header 5,000 levels deep"),
    pytest.param(lambda f: unsigned(f.header, b"[" * 5_000), UNREADABLE, id="claims 5,000 levels deep"),
    pytest.param(
        lambda f: f.bearer(raw=b'{"iss":' + nested(2_500) + b"}"), UNREADABLE, id="a signed iss 2,500 levels deep"
    ),
    pytest.param(
        lambda f: f.bearer(raw=b'{"x":' * 900 + b"1" + b"}" * 900), UNREADABLE, id="signed objects 900 levels deep"
    ),
    *(
        pytest.param(
            lambda f, header=header: f"Bearer {assemble(header, f.claims, signer('ES384', f.key))}",
            UNREADABLE,
            id=f"a header that is {what}",
        )
        for what, header in NO_HEADERS.items()
    ),
    pytest.param(
        lambda f: f"Bearer {assemble(twice(f, 'alg', 'none'), f.claims, signer('ES384', f.key))}",
        NO_ALGORITHM,
        id="alg twice, none last",
    ),
    pytest.param(
        lambda f: f"Bearer {assemble(twice(f, 'kid', 'another'), f.claims, signer('ES384', f.key))}",
        NO_KEY,
        id="kid twice, an unknown one last",
    ),
]


def twice(forge: Forge, name: str, last: str) -> bytes:
    """The header with one member a second time at its end."""
    return json.dumps(forge.header)[:-1].encode() + f', "{name}": "{last}"}}'.encode()


@pytest.mark.parametrize(("attack", "reason"), [*ALGORITHM_ATTACKS, *KEY_ATTACKS, *HEADER_ATTACKS])
def test_forged_token_is_refused_and_uses_up_no_token_id(
    service: RegisteredService, attack: Attack, reason: str
) -> None:
    forge = service.forge()
    service.assert_refused(attack(forge), reason)
    assert service.call(forge.bearer()).status_code == 200


VALLEY_ATTACKS = [
    pytest.param("ES256", "ES384", "ES256", NO_KEY, id="an ES256 key under ES384"),
    pytest.param("ES512", "ES384", "ES512", NO_KEY, id="an ES512 key under ES384"),
    pytest.param("RS384", "ES384", "RS384", NO_KEY, id="an RSA key under ES384"),
    pytest.param("ES384", "RS384", "ES384", NO_KEY, id="an EC key under RS384"),
    pytest.param("PS384", "PS384", "RS384", NO_KEY, id="PS384 by a key whose JWK says RS384"),
    pytest.param("RS256", "RS256", "RS512", NO_KEY, id="RS256 by a key whose JWK says RS512"),
    pytest.param("EdDSA", "EdDSA", "ES384", NO_KEY, id="EdDSA under the kid of an EC key"),
    pytest.param("ES384", "ES384", "EdDSA", NO_KEY, id="ES384 under the kid of an Ed25519 key"),
    pytest.param("RS384", "PS384", "PS384", NO_SIGNATURE, id="an RS384 signature that calls itself PS384"),
    pytest.param("RS256", "RS512", "RS512", NO_SIGNATURE, id="an RS256 signature that calls itself RS512"),
]


@pytest.mark.parametrize(("signed_as", "called", "kid", "reason"), VALLEY_ATTACKS)
def test_algorithm_is_bound_to_its_key_even_where_all_are_registered(
    service: RegisteredService, signed_as: str, called: str, kid: str, reason: str
) -> None:
    forge = service.forge_valley()
    sign = signer(signed_as, key_for(signed_as, "valley-practices"))
    service.assert_refused(forge.bearer(header_alg=called, header_kid=kid, sign=sign), reason)
    assert service.call(forge.bearer()).status_code == 200


@pytest.mark.parametrize("member", ["jku", "x5u"])
@pytest.mark.parametrize("kid", ["ES384 of general-hospital", "mine"])
def test_address_in_a_token_is_never_asked_for_keys(service: RegisteredService, member: str, kid: str) -> None:
    """R-6.7: not even a connection is opened."""
    canary = LoopbackServer()
    try:
        canary.answers["/jwks.json"] = answer({"keys": [jwk_of(ATTACKER, "ES384", kid)]})
        where = f"http://127.0.0.1:{canary.port}/jwks.json"
        forge = service.forge()
        token = resigned(forge, ATTACKER, **{f"header_{member}": where, "header_kid": kid})
        service.assert_refused(token, NO_SIGNATURE if kid != "mine" else NO_KEY)
        assert service.call(forge.bearer(**{f"header_{member}": where})).status_code == 200  # a good one may name it
        assert canary.connection_count == 0
    finally:
        canary.close()


def test_private_half_in_a_key_file_refuses_to_start(tmp_path: Path, empty_ledger: Path) -> None:
    """What is in that file has been handed about."""
    keys = [private_jwk_of(key_for("ES384"), "ES384", "k")]
    with pytest.raises(Exception, match="private or symmetric"):
        RegisteredService(tmp_path, empty_ledger, key_sets={"general-hospital": keys})
