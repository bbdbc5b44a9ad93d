"""The token of a client (R-6.4 to R-6.13): a new one for each request, for exactly the URL that is called."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cds_service.clients.key_pair import thumbprint

_LIFE_S = 300
_EC_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class KeyUnusable(ValueError):
    """The file has no key that can sign; the message says why, and contains nothing of the key."""


class Signer:
    """Signs for one issuer with one key. `kid`: the argument, or the key's own, or its RFC 7638 thumbprint."""

    def __init__(self, file: Path, issuer: str, *, tenant: str | None = None, kid: str | None = None) -> None:
        self._key, self.algorithm, own_kid = _load(file)
        self._claims = {"iss": issuer} | ({"tenant": tenant} if tenant else {})
        self.kid = kid or own_kid or thumbprint(self._key, self.algorithm)

    def __repr__(self) -> str:
        """Never the key."""
        return f"<Signer {self.algorithm} {self.kid}>"

    def token(self, audience: str) -> str:
        """A new token whose `aud` is this URL."""
        now = int(time.time())
        claims = self._claims | {"aud": audience, "iat": now, "exp": now + _LIFE_S, "jti": str(uuid4())}
        return jwt.encode(claims, self._key, self.algorithm, headers={"kid": self.kid})

    def headers(self, audience: str) -> dict[str, str]:
        """The header of a request with a new token whose `aud` is this URL."""
        return {"Authorization": f"Bearer {self.token(audience)}"}


def _load(file: Path) -> tuple[Any, str, str | None]:
    """A private key in PEM, or as a JWK or a set with one of them; its algorithm; its kid."""
    try:
        text = file.read_bytes()
    except OSError as fault:
        raise KeyUnusable(f"{file.name} cannot be read: {fault.strerror}") from None
    if text.lstrip()[:1] == b"{":
        return _load_jwk(text, file.name)
    try:
        key: Any = load_pem_private_key(text, password=None)
    except TypeError:
        raise KeyUnusable(f"{file.name} is encrypted: use an unencrypted copy that only you can read") from None
    except ValueError:
        raise KeyUnusable(f"{file.name} is neither a private key in PEM nor a JWK") from None
    return key, _algorithm_of(key, file.name), None


def _load_jwk(text: bytes, name: str) -> tuple[Any, str, str | None]:
    try:
        document = json.loads(text)
        listed = document.get("keys", [document])
        private = [key for key in listed if isinstance(key, dict) and "d" in key]
        if len(private) != 1:
            raise KeyUnusable(f"{name} has {len(private)} private keys; it must have one")
        (jwk,) = private
        algorithm = jwk.get("alg") or _algorithm_of(jwt.PyJWK(jwk).key, name)
        key = jwt.PyJWK(jwk, algorithm).key
    except KeyUnusable:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, jwt.PyJWTError):
        raise KeyUnusable(f"{name} is not a JWK with a private key") from None
    if algorithm.startswith("HS"):
        raise KeyUnusable(f"{name} is a shared secret; CDS Hooks requires a key pair")
    return key, algorithm, jwk.get("kid")


def _algorithm_of(key: Any, name: str) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _EC_ALGORITHMS:
        return _EC_ALGORITHMS[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS384"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    raise KeyUnusable(f"{name} has a key that cannot sign tokens: use P-384 or RSA")
