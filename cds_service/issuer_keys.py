"""The public keys of an issuer: from a file, or from the one address that is registered for it (R-6.5, R-6.14).

PyJWT parses the keys; keeping them is ours (ADR 7). What is known stays good while the issuer is down, an unknown `kid`
asks the issuer at most once a minute, and only one call at a time waits for it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from cds_service.audit import log_keys_not_fetched

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
_SANDBOX_KEY = "9848498d160d1e8b158be107d117045a965cb8e252d4ed5570a8d2113440e6a8"

_OLD_S = 300.0  # keys older than this are fetched anew, beside the calls
_UNKNOWN_KID_S = 60.0  # between two requests to the issuer
_NO_KEY_YET_S = 5.0
_WAIT_S = 3.0  # for a fetch that is under way
_MOST_WAITING = 8  # calls: an issuer that hangs must not hold the threads of others


class KeysUnobtainable(Exception):
    """There is no key of this issuer yet, and it cannot be asked. The message names no address."""


class KeySet:
    """The usable keys of one JSON Web Key Set, by `kid`. `ignored`: how many are of no use, by reason."""

    def __init__(self, document: Any, *, allow_sandbox: bool) -> None:
        """Raises ValueError where this is no key set."""
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise ValueError("is no JSON Web Key Set: an object with a list named keys")
        self._keys: dict[str, dict[str, Any]] = {}
        self._parsed: dict[tuple[str, str], PyJWK] = {}
        self.ignored: dict[str, int] = {}
        for jwk in document["keys"]:
            fault = _fault_of(jwk, allow_sandbox)
            if fault is None and jwk["kid"] in self._keys:
                fault = "a kid that stands there twice"
            if fault is None:
                self._keys[jwk["kid"]] = jwk
            else:
                self.ignored[fault] = self.ignored.get(fault, 0) + 1

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of this id where it is one for this algorithm, else None."""
        found = self._parsed.get((kid, algorithm))
        if found is None and kid in self._keys:
            found = _parse(self._keys[kid], algorithm)
            if found is not None:
                self._parsed[kid, algorithm] = found
        return found


def _fault_of(jwk: Any, allow_sandbox: bool) -> str | None:
    """Why a member of a key set is of no use here."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        return "a key without kid"
    if _PRIVATE_MEMBERS & jwk.keys():
        return "a private or symmetric key"
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        return "a key that is not for signatures"
    if not allow_sandbox and is_sandbox_key(jwk):
        return "the key of the CDS Hooks Sandbox, whose private half is public"
    return None if any(_fits(jwk, one) for one in ALGORITHMS) else "a kind of key that no algorithm here takes"


def is_sandbox_key(jwk: dict[str, Any]) -> bool:
    """Whether this is the key whose private half stands in the repository of the CDS Hooks Sandbox."""
    return hashlib.sha256(str(jwk.get("x")).encode()).hexdigest() == _SANDBOX_KEY


def _fits(jwk: dict[str, Any], algorithm: str) -> bool:
    kty, curve = _KINDS[algorithm]
    return (
        jwk.get("kty") == kty and (curve is None or jwk.get("crv") == curve) and jwk.get("alg", algorithm) == algorithm
    )


def _parse(jwk: dict[str, Any], algorithm: str) -> PyJWK | None:
    if not _fits(jwk, algorithm):
        return None
    try:
        key = PyJWK.from_dict(jwk, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    weak = isinstance(key.key, RSAPublicKey) and key.key.key_size < _LEAST_RSA_BITS
    return None if weak else key


def read_key_file(path: Path, *, allow_sandbox: bool) -> KeySet:
    """The keys of a file. Raises ValueError in words for an operator."""
    try:
        keys = KeySet(json.loads(path.read_bytes()), allow_sandbox=allow_sandbox)
    except OSError:
        raise ValueError("cannot be read") from None
    except RecursionError:
        raise ValueError("nests too deeply") from None
    for fault in keys.ignored:
        raise ValueError(f"holds {fault}: leave only what verifies this client's tokens")
    if not keys:
        raise ValueError("holds no key")
    return keys


class FileKeys:
    """Keys that were read at the start; a change of the file takes a restart."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of this id where it is one for this algorithm, else None."""
        return self._keys.find(kid, algorithm)


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
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._asked_at = float("-inf")
        self._fetching = Lock()
        self._places = BoundedSemaphore(_MOST_WAITING)

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of this id where it is one for this algorithm, else None.

        Raises KeysUnobtainable where no key of the issuer is known yet and it does not answer.
        """
        keys = self._keys
        if keys is not None and kid in keys:
            if self._monotonic() - self._asked_at > _OLD_S and self._fetching.acquire(blocking=False):
                Thread(target=self._refresh_and_release, name="issuer-keys", daemon=True).start()
            return keys.find(kid, algorithm)
        self._ask_for(kid)
        if self._keys is None:
            raise KeysUnobtainable
        return self._keys.find(kid, algorithm)

    def _ask_for(self, kid: str) -> None:
        """Ask the issuer, where that is due; or wait for the call that is asking, a few at a time."""
        if not (self._is_due() or self._fetching.locked()) or not self._places.acquire(blocking=False):
            return
        try:
            if self._fetching.acquire(timeout=_WAIT_S):
                try:
                    if self._is_due() and not (self._keys and kid in self._keys):
                        self._refresh()
                finally:
                    self._fetching.release()
        finally:
            self._places.release()

    def _is_due(self) -> bool:
        pause = _NO_KEY_YET_S if self._keys is None else _UNKNOWN_KID_S
        return self._monotonic() - self._asked_at >= pause

    def _refresh_and_release(self) -> None:
        try:
            self._refresh()
        finally:
            self._fetching.release()

    def ask(self) -> KeySet:
        """The key set as the issuer gives it now. Raises KeysUnobtainable."""
        try:
            return KeySet(json.loads(self._fetch(self._url)), allow_sandbox=self._allow_sandbox)
        except (ValueError, RecursionError):
            raise KeysUnobtainable from None

    def _refresh(self) -> None:
        """Take what the issuer gives, or keep what there is."""
        try:
            self._keys = self.ask()
        except KeysUnobtainable as fault:
            log_keys_not_fetched(self._client, type(fault).__name__, known=self._keys is not None)
        finally:
            self._asked_at = self._monotonic()
