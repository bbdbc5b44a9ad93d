"""Who is calling: an Authorization header becomes a TrustedClient, or ClientNotTrusted (R-6.4 to R-6.16).

Nothing of a token is trusted before its signature is verified. Which key that takes is decided by the registry alone: a
token's `jku`, `jwk`, `x5u` and `x5c` are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import jwt
import msgspec

from cds_service.clients.clients_file import Mode, is_tenant
from cds_service.clients.issuer_keys import KeysUnobtainable
from cds_service.clients.registry import CardLimits, RegisteredClient, Registry
from cds_service.clients.token_replay import SeenTokens
from cds_service.errors import ClientNotTrusted, KeysUnavailable, TokenRefusal
from cds_service.event_log.call_log import CallLog
from cds_service.fhir_client.base_url import FhirBase
from cds_service.steps import Steps

LEEWAY_S = 60
_CLOCK_FAULT_S = 3_600  # used token ids are kept this much longer, in case the clock that removes them is wrong
_LONGEST_LIFE_S = 3_600
_LONGEST_TOKEN = 8_192  # characters
_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+) *", re.IGNORECASE | re.ASCII)
_UNUSED: Any = {"verify_signature": False}
_SIGNATURE_ONLY: Any = {  # the claims are checked below, by our own clock
    "verify_signature": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False),
    **dict.fromkeys(("verify_sub", "verify_jti"), False),
}


class _Header(msgspec.Struct):
    alg: str
    kid: str
    typ: str
    crit: object = None
    b64: object = None


_Time = Annotated[float, msgspec.Meta(ge=0, lt=1e12)]  # seconds since 1970; NaN is none, and nothing overflows


class _Claims(msgspec.Struct):
    iss: str
    aud: str | list[str]
    exp: _Time
    iat: _Time
    jti: str
    nbf: _Time | None = None
    tenant: str | None = None


class _Origin(msgspec.Struct):
    """The two claims that say whose token this claims to be."""

    iss: str
    tenant: str | None = None


@dataclass(frozen=True)
class TrustedClient:
    """The verified client of a call. `registration`: None for an unknown caller, in development only.

    `any_loopback`: development, where every FHIR server on this machine may be read.
    """

    registration: RegisteredClient | None
    tenant: str = ""
    jti: str | None = None
    any_loopback: bool = False

    @property
    def name(self) -> str:
        """As it stands in logs and in the ledger."""
        return self.registration.name if self.registration else "unidentified"

    @property
    def mode(self) -> Mode:
        """Whether its users see cards."""
        return self.registration.mode if self.registration else Mode.VISIBLE

    @property
    def card_limits(self) -> CardLimits:
        """What the client asked for against alert fatigue."""
        return self.registration.card_limits if self.registration else CardLimits()

    def may_read(self, server: FhirBase) -> bool:
        """Whether the client may have us read from this FHIR server, its token with us (R-2.27)."""
        registered = self.registration.fhir_servers if self.registration else ()
        return server in registered or (self.any_loopback and server.is_loopback)


class ClientAuth:
    """Checks tokens against the registry. `audiences` are the URLs of ours that a token may be meant for."""

    def __init__(
        self, registry: Registry, seen: SeenTokens, clock: Callable[[], datetime], *, required: bool, production: bool
    ) -> None:
        self._registry = registry
        self._seen = seen
        self._clock = clock
        self._required = required
        self._production = production

    def identify(self, authorization: str | None, audiences: Collection[str], log: CallLog) -> Steps[TrustedClient]:
        """The client of a call, noted in the log. Raises what `authenticate` does, where tokens are required.

        Where they are not, nothing is refused: the log says why the token is not trusted.
        """
        try:
            client = yield from self.authenticate(authorization, audiences)
        except (ClientNotTrusted, KeysUnavailable) as refusal:
            log.client, log.not_trusted = refusal.client, refusal.reason
            if self._required:
                raise
            client, log.went_on = TrustedClient(None, any_loopback=True), True
        log.client, log.tenant, log.jti, log.mode = client.name, client.tenant, client.jti, client.mode
        log.lap("auth")
        return client

    def authenticate(self, authorization: str | None, audiences: Collection[str]) -> Steps[TrustedClient]:
        """The client that this header proves. Raises ClientNotTrusted with the reason (for the log, not the caller),
        and KeysUnavailable where the client's keys are not available.

        The checks go in the order of R-8.9, the signature before what it protects; the token id is used up last.
        """
        unverified_token = _bearer(authorization)
        client, header = self._unverified_client(unverified_token)
        claims = yield from _verified_claims(unverified_token, client, header)
        now_s = self._clock().timestamp()
        fault = _fault_of(claims, audiences, now_s)
        if fault:
            raise ClientNotTrusted(*fault, client.name)
        keep_until_s = int(claims.exp) + LEEWAY_S + 1 + _CLOCK_FAULT_S
        if not (yield from self._seen.is_first_use(claims.iss, claims.jti, keep_until_s)):
            raise ClientNotTrusted(TokenRefusal.REPLAYED, "jti was seen before", client.name)
        return TrustedClient(client, claims.tenant or "", claims.jti, any_loopback=not self._production)

    def _unverified_client(self, unverified_token: str) -> tuple[RegisteredClient, _Header]:
        """Whose token this claims to be, and which key it names."""
        try:
            parts = jwt.decode_complete(unverified_token, options=_UNUSED)
            header = msgspec.convert(parts["header"], _Header)
            origin = msgspec.convert(parts["payload"], _Origin)
        except msgspec.ValidationError as fault:
            raise ClientNotTrusted(TokenRefusal.MALFORMED, f"the token cannot be read: {_told(fault)}") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as fault:
            raise ClientNotTrusted(
                TokenRefusal.MALFORMED, f"the token cannot be read ({type(fault).__name__})"
            ) from None
        if not self._registry.knows(origin.iss):
            raise ClientNotTrusted(TokenRefusal.UNKNOWN_ISSUER, "iss is not registered")
        client = self._registry.find(origin.iss, origin.tenant)
        if client is None:
            raise ClientNotTrusted(TokenRefusal.UNKNOWN_TENANT, "tenant is not registered for this iss")
        return client, header


def _bearer(authorization: str | None) -> str:
    """The one token of a header."""
    if not authorization:
        raise ClientNotTrusted(TokenRefusal.MISSING, "no Authorization header")
    if len(authorization) > _LONGEST_TOKEN:
        raise ClientNotTrusted(TokenRefusal.MALFORMED, "the token is too long")
    match = _BEARER.fullmatch(authorization)
    if not match:
        raise ClientNotTrusted(TokenRefusal.MALFORMED, "the Authorization header is not Bearer and one signed token")
    return match[1]


def _verified_claims(unverified_token: str, client: RegisteredClient, header: _Header) -> Steps[_Claims]:
    """The claims of a token, whose signature is verified with a key and an algorithm of the registered client."""

    def refuse(code: TokenRefusal, reason: str) -> ClientNotTrusted:
        return ClientNotTrusted(code, reason, client.name)

    if header.typ.upper() != "JWT":
        raise refuse(TokenRefusal.MALFORMED, "typ is not JWT")
    if header.crit is not None or header.b64 is not None:
        raise refuse(TokenRefusal.MALFORMED, "the header demands extensions (crit, b64)")
    if header.alg not in client.algorithms:
        raise refuse(TokenRefusal.KEY, "alg is not registered for the client")
    try:
        find_key = partial(client.keys.find, header.kid, header.alg)
        key = find_key() if header.kid in client.keys else (yield find_key)
    except KeysUnobtainable:
        raise KeysUnavailable(client.name) from None
    if key is None:
        raise refuse(TokenRefusal.KEY, "no registered key has this kid and fits this alg")
    try:
        payload = jwt.decode(unverified_token, key, algorithms=[header.alg], options=_SIGNATURE_ONLY)
        return msgspec.convert(payload, _Claims)
    except msgspec.ValidationError as fault:
        raise refuse(TokenRefusal.CLAIMS, f"a claim is missing or wrong: {_told(fault)}") from None
    except (jwt.PyJWTError, ValueError, TypeError) as fault:
        raise refuse(TokenRefusal.SIGNATURE, f"the signature is not valid ({type(fault).__name__})") from None


def _told(fault: msgspec.ValidationError) -> str:
    """Which member, and what it must be: msgspec names types and members, and no value of the token."""
    return str(fault).replace("`", "")


def _fault_of(claims: _Claims, audiences: Collection[str], now_s: float) -> tuple[TokenRefusal, str] | None:
    """Why these claims are not for now and us (R-6.9 to R-6.13)."""
    named = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    life_s = claims.exp - claims.iat
    conditions = (
        (not set(audiences).isdisjoint(named), TokenRefusal.AUDIENCE, "aud is not the URL called"),
        (now_s < claims.exp + LEEWAY_S, TokenRefusal.TIME, "exp is in the past"),
        (claims.iat <= now_s + LEEWAY_S, TokenRefusal.TIME, "iat is in the future"),
        (claims.nbf is None or claims.nbf <= now_s + LEEWAY_S, TokenRefusal.TIME, "nbf is in the future"),
        (0 < life_s <= _LONGEST_LIFE_S, TokenRefusal.TIME, "the token lives longer than an hour"),
        (bool(claims.jti.strip()), TokenRefusal.CLAIMS, "jti is empty"),
        (not claims.tenant or is_tenant(claims.tenant), TokenRefusal.UNKNOWN_TENANT, "tenant is not a name"),
    )
    return next(((code, reason) for is_met, code, reason in conditions if not is_met), None)
