"""Client tokens, valid and forged: built from parts, or byte by byte where no library would write them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

Json = dict[str, Any]
ALGORITHMS = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
DROP: Any = object()  # as the value of a member: leave it out
_CURVES: dict[str, type[Any]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def key_for(algorithm: str, owner: str = "general-hospital") -> Any:
    """The private key of an owner for an algorithm. All RSA algorithms of an owner share one: they are slow to make."""
    return _key("RSA" if algorithm[:2] in ("RS", "PS") else algorithm, owner)


@cache
def _key(kind: str, owner: str) -> Any:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 1024 if owner == "weak" else 2048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "EdDSA" else ec.generate_private_key(_CURVES[kind]())


def jwk_of(key: Any, algorithm: str, kid: str, **members: Any) -> Json:
    """The public JWK of a private key, as an issuer publishes it; DROP leaves a member out."""
    jwk = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))
    jwk = {name: jwk[name] for name in jwk if name != "key_ops"} | {"kid": kid, "use": "sig", "alg": algorithm}
    return {name: value for name, value in (jwk | members).items() if value is not DROP}


def private_jwk_of(key: Any, algorithm: str, kid: str) -> Json:
    """The JWK of a key with its private half in it, as nobody should publish it."""
    jwk: Json = json.loads(get_default_algorithms()[algorithm].to_jwk(key))
    return jwk | {"kid": kid, "use": "sig", "alg": algorithm}


def pem_of(key: Any) -> bytes:
    """The public half of a private key, as everybody may have it."""
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def der_of(key: Any) -> bytes:
    """The same in binary."""
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def base64url(data: bytes) -> str:
    """Without padding, as in tokens."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    """Back again."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """These members with others in their place, DROP leaving one out."""
    return {name: value for name, value in (dict(members) | dict(changes)).items() if value is not DROP}


def signer(algorithm: str, key: Any) -> Callable[[bytes], bytes]:
    """What signs with a private key as an algorithm says, whatever a token says of itself."""
    method = get_default_algorithms()[algorithm]
    return lambda signed: method.sign(signed, key)


def assemble(header: Any, payload: Any, sign: Callable[[bytes], bytes]) -> str:
    """A token of these two parts; bytes are taken as they are, anything else is written as JSON."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    signed = ".".join(map(base64url, parts))
    return f"{signed}.{base64url(sign(signed.encode()))}"


class Forge:
    """Makes the tokens of one client, good but for what a test changes. Each forge has one `jti` of its own."""

    def __init__(
        self, now_s: float, *, issuer: str, audience: str, tenant: str | None, kid: str, algorithm: str, key: Any
    ) -> None:
        self.jti = str(uuid4())
        self.now_s = now_s
        self.key = key
        self.algorithm = algorithm
        self.header = {"alg": algorithm, "typ": "JWT", "kid": kid}
        times = {"iat": int(now_s), "exp": int(now_s) + 300}
        self.claims: Json = {"iss": issuer, "aud": audience, "jti": self.jti} | times
        if tenant is not None:
            self.claims["tenant"] = tenant

    def token(self, *, sign: Callable[[bytes], bytes] | None = None, raw: Any = None, **changes: Any) -> str:
        """A token whose claims are changed so; `header_<name>` changes a member of the header, `raw` is the payload."""
        header = {name.removeprefix("header_"): value for name, value in changes.items() if name.startswith("header_")}
        claims = {name: value for name, value in changes.items() if not name.startswith("header_")}
        payload = changed(self.claims, claims) if raw is None else raw
        return assemble(changed(self.header, header), payload, sign or signer(self.algorithm, self.key))

    def bearer(self, **changes: Any) -> str:
        """The same as the text of an Authorization header."""
        return f"Bearer {self.token(**changes)}"
