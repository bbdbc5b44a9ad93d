"""Says of an Authorization header whether it must be taken, without any code of the service or its JWT library.

Written from docs/clients.md, RFC 7515 and RFC 7519; the registry is that of tests/registered_service.py, written anew.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from tests.registered_service import ISSUER, ODD_KID, VALLEY
from tests.token_forge import ALGORITHMS, key_for

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LEEWAY_S, _LONGEST_LIFE_S, _LONGEST_HEADER = 60, 3_600, 8_192
_HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_NUMBER_BYTES = {"ES256": 32, "ES384": 48, "ES512": 66}  # of r, and of s


@dataclass(frozen=True)
class _Client:
    """`keys`: by kid, the only algorithm that the key may be used with, and whose key it is."""

    issuer: str
    tenants: frozenset[str] | None
    keys: Mapping[str, tuple[str, str]]


_CLIENTS = (
    _Client(
        ISSUER,
        frozenset({"north", "south"}),
        {f"{one} of general-hospital": (one, "general-hospital") for one in ("ES384", "RS384")},
    ),
    _Client(ISSUER, frozenset({"campus"}), {"ES384 of university-clinic": ("ES384", "university-clinic")}),
    _Client(
        VALLEY,
        None,
        {one: (one, "valley-practices") for one in ALGORITHMS}
        | dict.fromkeys(("bare", ODD_KID), ("ES384", "valley-practices")),
    ),
)


class _Invalid(Exception):
    """The token must be refused."""


@dataclass
class TokenOracle:
    """`now_s`: the time of the service. Remembers which token ids were used."""

    now_s: Callable[[], float]
    _used: set[tuple[str, str]] = field(default_factory=set)

    def must_take(self, authorizations: list[str], audiences: set[str]) -> bool:
        """Whether these headers hold one token that is good now, for one of these addresses, and for the first time."""
        try:
            claims = self._claims(authorizations)
            self._check(claims, audiences)
        except _Invalid:
            return False
        name = (claims["iss"], claims["jti"])
        is_first = name not in self._used
        self._used.add(name)
        return is_first

    def _claims(self, authorizations: list[str]) -> dict[str, Any]:
        if len(authorizations) != 1 or len(authorizations[0]) > _LONGEST_HEADER:
            raise _Invalid
        scheme, _, rest = authorizations[0].partition(" ")
        parts = rest.strip(" ").split(".")
        if scheme.lower() != "bearer" or len(parts) != 3 or not all(part and set(part) <= _ALPHABET for part in parts):
            raise _Invalid
        header, claims = _object(parts[0]), _object(parts[1])
        client = _client_of(claims)
        if (
            not all(isinstance(header.get(name), str) for name in ("alg", "kid", "typ"))
            or header["typ"].upper() != "JWT"
        ):
            raise _Invalid
        if "crit" in header or header.get("b64") is not None:
            raise _Invalid
        algorithm, owner = client.keys.get(header["kid"], (None, ""))
        if algorithm is None or header["alg"] != algorithm:
            raise _Invalid
        _verify(algorithm, key_for(algorithm, owner).public_key(), f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2]))
        return claims

    def _check(self, claims: Mapping[str, Any], audiences: set[str]) -> None:
        aud = claims.get("aud")
        named = [aud] if isinstance(aud, str) else aud
        if not isinstance(named, list) or not all(isinstance(one, str) for one in named) or audiences.isdisjoint(named):
            raise _Invalid
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti.strip():
            raise _Invalid
        now_s, exp, iat = self.now_s(), _time(claims.get("exp")), _time(claims.get("iat"))
        nbf = now_s if claims.get("nbf") is None else _time(claims["nbf"])
        if now_s >= exp + _LEEWAY_S or max(iat, nbf) > now_s + _LEEWAY_S or not 0 < exp - iat <= _LONGEST_LIFE_S:
            raise _Invalid


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part).decode())
    except (ValueError, RecursionError):
        raise _Invalid from None
    if not isinstance(value, dict):
        raise _Invalid
    return value


def _bytes(part: str) -> bytes:
    """Base64url without padding; unused bits at the end must be 0, so that no token has two texts (RFC 4648, 3.5)."""
    if len(part) % 4 == 1:
        raise _Invalid
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise _Invalid
    return data


def _client_of(claims: Mapping[str, Any]) -> _Client:
    tenant = claims.get("tenant")
    if tenant is not None and not isinstance(tenant, str):
        raise _Invalid
    if tenant and (len(tenant) > 200 or not tenant.isprintable() or not tenant.strip()):
        raise _Invalid
    for client in _CLIENTS:
        if claims.get("iss") == client.issuer and (client.tenants is None or tenant in client.tenants):
            return client
    raise _Invalid


def _time(value: Any) -> float:
    """Seconds since 1970, before the year 33658. NaN is none: it is in no range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise _Invalid
    return value


def _verify(algorithm: str, key: Any, signed: bytes, signature: bytes) -> None:
    """RFC 7518 section 3, RFC 8037."""
    try:
        if algorithm == "EdDSA":
            key.verify(signature, signed)
            return
        digest = _HASHES[algorithm[2:]]
        if algorithm in _NUMBER_BYTES:
            size = _NUMBER_BYTES[algorithm]
            if len(signature) != 2 * size:
                raise _Invalid
            r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
        elif algorithm.startswith("PS"):
            key.verify(signature, signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            key.verify(signature, signed, padding.PKCS1v15(), digest)
    except InvalidSignature:
        raise _Invalid from None
