"""The public keys of an issuer: from a file, or from the one address that is registered for it (R-6.5, R-6.14).

PyJWT parses the keys; we keep them (ADR 7). Known keys stay good while the issuer is down, an unknown `kid` fetches the
key set at most once a minute, and no call waits longer than a few seconds for it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from cds_service.background_refresh import BackgroundRefresh
from cds_service.event_log.events import log_keys_not_fetched

_KINDS = {  # the key that an algorithm takes: type and curve (RFC 7518 section 3.1, RFC 8037)
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
}
ALGORITHMS = tuple(sorted(_KINDS))  # asymmetric ones only: neither `none` nor HMAC can be registered

_LEAST_RSA_BITS = 2048
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
# x of the P-384 key of the CDS Hooks Sandbox, hashed: its private half is public (clients.md 2).
_SANDBOX_KEY = "b48a92d35caa0a51a12d45a1d5ac10ccfc72301b8e63a623a0d7b7a311c0c101"

_OLD_S = 300.0  # keys older than this are fetched again, without delaying calls
_UNKNOWN_KID_S = 60.0  # between two requests to the issuer
_NO_KEY_YET_S = 5.0
_WAIT_S = 3.0  # for a fetch that is under way
_MOST_WAITING = 8  # calls: an issuer that hangs must not block the threads of other clients


class KeysUnobtainable(Exception):
    """No key of this issuer is known, and the key set cannot be fetched.

    The message is the kind of error and names no address.
    """


class KeySet:
    """The usable keys of one JSON Web Key Set, by `kid`. `ignored`: how many are of no use, by reason."""

    def __init__(self, document: Any, *, allow_sandbox: bool) -> None:
        """Raises ValueError where this is no key set."""
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise ValueError("is not a JSON Web Key Set (an object with a list named keys)")
        self._keys: dict[str, dict[str, Any]] = {}
        self._parsed: dict[tuple[str, str], PyJWK] = {}
        self.ignored: dict[str, int] = {}
        for jwk in document["keys"]:
            fault = _fault_of(jwk, allow_sandbox)
            if fault is None and jwk["kid"] in self._keys:
                fault = "a kid that is listed twice"
            if fault is None:
                self._keys[jwk["kid"]] = jwk
            else:
                self.ignored[fault] = self.ignored.get(fault, 0) + 1

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    @property
    def is_known(self) -> bool:
        """Whether there is any key."""
        return bool(self._keys)

    def warm(self) -> None:
        """Nothing: the keys are known already."""

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of this id where it is one for this algorithm, else None."""
        key = self._parsed.get((kid, algorithm))
        if key is None and kid in self._keys and _fits(self._keys[kid], algorithm):
            key = self._parsed[kid, algorithm] = PyJWK.from_dict(self._keys[kid], algorithm)
        return key


def _fault_of(jwk: Any, allow_sandbox: bool) -> str | None:
    """Why a member of a key set is of no use here."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        return "a key without kid"
    if _PRIVATE_MEMBERS & jwk.keys():
        return "a private or symmetric key"
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return "a key that is not for signatures"
    algorithm = next((name for name in ALGORITHMS if _fits(jwk, name)), None)
    if algorithm is None:
        return "a kind of key that no algorithm here takes"
    try:
        key = PyJWK.from_dict(jwk, algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return "a key that cannot be read"
    if isinstance(key, RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        return f"an RSA key of fewer than {_LEAST_RSA_BITS} bits"
    if not allow_sandbox and _is_sandbox_key(key):
        return "the key of the CDS Hooks Sandbox, whose private half is public"
    return None


def _is_sandbox_key(key: Any) -> bool:
    """Whether the private half of this key stands in the repository of the CDS Hooks Sandbox.

    By the parsed number, since one key can be written in several ways; by x alone, since the same private half also
    gives the point with the other y.
    """
    if not isinstance(key, EllipticCurvePublicKey):
        return False
    return hashlib.sha256(str(key.public_numbers().x).encode()).hexdigest() == _SANDBOX_KEY


def _fits(jwk: dict[str, Any], algorithm: str) -> bool:
    kty, curve = _KINDS[algorithm]
    return (
        jwk.get("kty") == kty and (curve is None or jwk.get("crv") == curve) and jwk.get("alg", algorithm) == algorithm
    )


def read_key_file(path: Path, *, allow_sandbox: bool) -> KeySet:
    """The keys of a file, read once: a change of it takes a restart. Raises ValueError in words for an operator."""
    try:
        document = json.loads(path.read_bytes())
    except OSError:
        raise ValueError("cannot be read") from None
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    keys = KeySet(document, allow_sandbox=allow_sandbox)
    for fault in keys.ignored:
        raise ValueError(f"holds {fault}: leave only what verifies this client's tokens")
    if not keys:
        raise ValueError("has no key")
    return keys


class FetchedKeys:
    """Keys from one address. `fetch` gives the bytes of the key set, or raises KeysUnobtainable."""

    def __init__(
        self,
        client: str,
        url: str,
        fetch: Callable[[str], bytes],
        *,
        allow_sandbox: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = url
        self._fetch = fetch
        self._allow_sandbox = allow_sandbox
        self._keys: KeySet | None = None
        self._refreshing = BackgroundRefresh(
            self._refresh, name="issuer-keys", most_waiting=_MOST_WAITING, monotonic=monotonic
        )

    def __contains__(self, kid: str) -> bool:
        return self._keys is not None and kid in self._keys

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of this id where it is one for this algorithm, else None.

        Raises KeysUnobtainable where no key of the issuer is known yet and it does not answer.
        """
        keys = self._keys
        if keys is not None and kid in keys:
            self._refreshing.begin(after_s=_OLD_S)
            return keys.find(kid, algorithm)
        end = self._refreshing.begin(after_s=_NO_KEY_YET_S if keys is None else _UNKNOWN_KID_S)
        self._refreshing.wait(end, _WAIT_S)
        if self._keys is None:
            raise KeysUnobtainable
        return self._keys.find(kid, algorithm)

    @property
    def is_known(self) -> bool:
        """Whether a key of the issuer has ever been fetched."""
        return self._keys is not None

    def warm(self) -> None:
        """Begin to fetch the keys where none is known, so that they are there for a first call."""
        if self._keys is None:
            self._refreshing.begin(after_s=_NO_KEY_YET_S)

    def ask(self) -> KeySet:
        """The key set as the issuer gives it now. Raises KeysUnobtainable."""
        try:
            return KeySet(json.loads(self._fetch(self._url)), allow_sandbox=self._allow_sandbox)
        except (ValueError, RecursionError):
            raise KeysUnobtainable("NotAKeySet") from None

    def _refresh(self) -> None:
        """Replace the keys by those of the issuer. A set without a usable key is an outage: the old keys stay."""
        try:
            keys = self.ask()
            reason = None if keys else "NoUsableKey"
        except KeysUnobtainable as fault:
            reason = str(fault) or type(fault).__name__
        except Exception as fault:  # of any library, for unexpected bytes: the keys that are known stay
            reason = type(fault).__name__
        if reason is None:
            self._keys = keys
        else:
            log_keys_not_fetched(self._client, reason, known=self._keys is not None)
