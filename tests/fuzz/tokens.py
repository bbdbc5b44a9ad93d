"""Tokens of registered clients, and what becomes of them in the hands of somebody who should not have them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.charts import SERVICE
from tests.fuzz import odd
from tests.registered_service import DISCOVERY, FEEDBACK, ISSUER, ODD_KID, PUBLIC_URL, VALLEY
from tests.token_forge import (
    ALGORITHMS,
    DROP,
    assemble,
    base64url,
    changed,
    der_of,
    jwk_of,
    key_for,
    pem_of,
    signer,
    unbase64url,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Changes = tuple[tuple[str, Any], ...]

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_ORDER_P384 = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)
_CLIENTS = {  # issuer, tenants to name, algorithms, and its name in a kid
    "general-hospital": (ISSUER, ["north", "south"], ["ES384", "RS384"]),
    "university-clinic": (ISSUER, ["campus"], ["ES384"]),
    "valley-practices": (VALLEY, [None, "anywhere"], list(ALGORITHMS)),
}
PATHS = {  # the path that is called, and the addresses that its tokens may be for
    SERVICE: (SERVICE,),
    FEEDBACK: (SERVICE, FEEDBACK),
    DISCOVERY: (DISCOVERY,),
    "/cds-services/no-such-service": ("/cds-services/no-such-service",),
}


@dataclass(frozen=True)
class Seconds:
    """A time, so many seconds after the time at which the token is made."""

    later: float


@dataclass(frozen=True)
class TokenPlan:
    """What to make: by whom, for which path, and what is done to it. `again`: how often it is sent once more."""

    client: str
    algorithm: str
    tenant: str | None
    path: str
    method: str
    header: Changes
    claims: Changes
    raw_claims: bytes | None
    signature: str
    damages: tuple[tuple[str, str, int], ...]
    wrapping: tuple[str, ...]
    again: int
    pause_s: int

    def authorizations(self, now_s: float, jti: str) -> list[str]:
        """The Authorization headers, most often one, with a new signature."""
        token = self._token(now_s, jti)
        for part, how, place in self.damages:
            token = _damaged(token, part, how, place)
        texts = [text.replace("TOKEN", token) for text in self.wrapping]
        if any("OTHER" in text for text in texts):
            other = TokenPlan.good()._token(now_s, f"{jti}, another")
            texts = [text.replace("OTHER", other) for text in texts]
        return texts

    @classmethod
    def good(cls, claims: Changes = ()) -> TokenPlan:
        """A token of general-hospital with these claims, to which nothing is done."""
        return cls(
            *("general-hospital", "ES384", "north", SERVICE, "POST"),
            (),
            claims,
            None,
            "own",
            (),
            ("Bearer TOKEN",),
            0,
            0,
        )

    def _token(self, now_s: float, jti: str) -> str:
        kid = self.algorithm if self.client == "valley-practices" else f"{self.algorithm} of {self.client}"
        header = {"alg": self.algorithm, "typ": "JWT", "kid": kid}
        claims: dict[str, Any] = {
            "iss": _CLIENTS[self.client][0],
            "aud": PUBLIC_URL + self.path,
            "jti": jti,
            "iat": int(now_s),
            "exp": int(now_s) + 300,
            "tenant": DROP if self.tenant is None else self.tenant,
        }
        changes = {name: now_s + value.later if isinstance(value, Seconds) else value for name, value in self.claims}
        payload: Any = self.raw_claims
        if payload is None:
            payload = odd.to_bytes(changed(claims, changes))
        full_header = odd.to_bytes(changed(header, dict(self.header)))
        return assemble(full_header, payload, _SIGNATURES[self.signature](self))


def _own_key(plan: TokenPlan) -> Any:
    return key_for(plan.algorithm, plan.client)


def _by_another_algorithm(plan: TokenPlan) -> Callable[[bytes], bytes]:
    """The client's RSA key with the other padding; an ECDSA key's numbers in DER, as everybody but JOSE writes them."""
    other = {"RS": "PS", "PS": "RS"}.get(plan.algorithm[:2])
    if other:
        return signer(other + plan.algorithm[2:], _own_key(plan))
    sign = signer(plan.algorithm, _own_key(plan))
    return lambda signed: b"\x30" + sign(signed)


def _mirrored(plan: TokenPlan) -> Callable[[bytes], bytes]:
    """The other s of the same ECDSA signature, which is as good."""
    sign = signer(plan.algorithm, _own_key(plan))
    if plan.algorithm != "ES384":
        return sign

    def mirror(signed: bytes) -> bytes:
        signature = sign(signed)
        return signature[:48] + (_ORDER_P384 - int.from_bytes(signature[48:], "big")).to_bytes(48, "big")

    return mirror


def _hmac_with(form: Callable[[Any], bytes]) -> Callable[[TokenPlan], Callable[[bytes], bytes]]:
    """The public key as the secret of an HMAC, which `alg` may say or not."""
    return lambda plan: lambda signed: hmac.new(form(_own_key(plan)), signed, hashlib.sha384).digest()


_SIGNATURES: dict[str, Callable[[TokenPlan], Callable[[bytes], bytes]]] = {
    "own": lambda plan: signer(plan.algorithm, _own_key(plan)),
    "mirrored": _mirrored,
    "a stranger's": lambda plan: signer(plan.algorithm, key_for(plan.algorithm, "stranger")),
    "another client's": lambda plan: signer(plan.algorithm, key_for(plan.algorithm, "university-clinic")),
    "by another algorithm": _by_another_algorithm,
    "HMAC of the PEM": _hmac_with(pem_of),
    "HMAC of the DER": _hmac_with(der_of),
    "HMAC of nothing": _hmac_with(lambda _: b""),
    "none": lambda _: lambda _: b"",
    "zeros": lambda _: lambda _: bytes(96),
    "of other text": lambda plan: lambda _: signer(plan.algorithm, _own_key(plan))(b"other"),
}
_OTHER_SIGNATURES = sorted(set(_SIGNATURES) - {"own"})
_STRANGER = jwk_of(key_for("ES384", "stranger"), "ES384", "stranger")
# Not the list of 900 levels: whether Python reads it hangs on how deep the caller is.
_ANY = st.sampled_from([DROP, *(value for value in odd.VALUES if value != "«deeper list»")])
_KIDS = [
    *("ES384", "RS384", "bare", ODD_KID, "ES384 of general-hospital", "RS384 of general-hospital", "stranger", ""),
    *("ES384 of university-clinic", "../../../../dev/null", "' OR 1=1 --", "general-hospital.json", "k" * 3_000),
    *("https://attacker.example.org/jwks.json", "es384 OF general-hospital", "ES384 of general-hospital\x00", "\ud800"),
]
_ALGS = [*ALGORITHMS, "none", "None", "nOnE", "", "HS256", "HS384", "HS512", "ES256K", "es384", "ES384 ", "RSA-OAEP"]
_HEADER = {
    "alg": st.sampled_from(_ALGS) | _ANY,
    "kid": st.sampled_from(_KIDS) | _ANY,
    "typ": st.sampled_from(["jwt", "Jwt", "JOSE", "at+jwt", "JWE"]) | _ANY,
    "crit": st.sampled_from([["exp"], ["b64"], [], None]),
    "b64": st.sampled_from([False, True, None]),
    "jwk": st.just(_STRANGER) | _ANY,
    "jku": st.just("https://attacker.example.org/jwks.json") | _ANY,
    "x5u": _ANY,
    "x5c": st.just([base64url(der_of(key_for("ES384", "stranger")))]) | _ANY,
    "zip": st.just("DEF"),
    "enc": st.just("A256GCM"),
    "cty": _ANY,
}
_MOMENTS = st.sampled_from(
    [
        *(-4_000, -3_600, -3_299, -301, -61, -60, -59, -1, 0, 0.5, 1, 59, 60, 61, 62, 299, 3_599, 3_600, 3_601, 86_400),
        1e11,
    ]
).map(Seconds)
_ADDRESSES = [PUBLIC_URL, f"{PUBLIC_URL}/", *(f"{PUBLIC_URL}{path}" for path in (SERVICE, FEEDBACK, DISCOVERY))]
_ADDRESSES += [
    f"{PUBLIC_URL}{SERVICE}/",
    f"http://cds.example.org{SERVICE}",
    f"HTTPS://CDS.EXAMPLE.ORG{SERVICE}",
    SERVICE,
]
_CLAIMS = {
    "aud": st.sampled_from(_ADDRESSES) | st.lists(st.sampled_from(_ADDRESSES), max_size=4) | _ANY,
    "iss": st.sampled_from([ISSUER, VALLEY, f"{ISSUER}/", ISSUER.upper(), "https://attacker.example.org"]) | _ANY,
    "tenant": st.sampled_from(["north", "south", "campus", "North", "north ", "", None, "x" * 201, "a\nb", "\ud800"])
    | _ANY,
    "jti": _ANY | st.sampled_from(["the same again", "THE SAME AGAIN", " the same again"]),
    "iat": _MOMENTS | _ANY,
    "exp": _MOMENTS | _ANY,
    "nbf": _MOMENTS | _ANY,
    "sub": _ANY,
    "client_id": _ANY,
    "padding": st.sampled_from([100, 4_000, 7_000, 100_000]).map(lambda number: "p" * number),
}
_RAW_CLAIMS = [b"", b"null", b"[]", b"{", b'"text"', b"\xff\xfe", b'{"iss": 1}', b"[" * 20_000, b'{"a":' * 20_000]
_WRAPPINGS: list[tuple[str, ...]] = [
    *[("Bearer TOKEN",)] * 4,
    *[("bearer TOKEN",), ("BEARER TOKEN",), ("Bearer   TOKEN",), ("Bearer TOKEN  ",)],  # good, too
    *[("TOKEN",), ("Basic TOKEN",), ("DPoP TOKEN",), ("BearerTOKEN",), ("Bearer\tTOKEN",), ("Bearer",), ("",), ()],
    *[("Bearer TOKEN,",), ("Bearer TOKEN, Bearer OTHER",), ("Bearer TOKEN OTHER",), ("Bearer TOKEN.OTHER",)],
    *[('Bearer "TOKEN"',), ("Bearer TOKEN=",), ("Bearer .TOKEN",), ("Bearer TOKEN.",), ("Bearer TOKEN; a",)],
    *[("Bearer TOKEN\x00",), ("Bearer é TOKEN",)],
    *[("Bearer TOKEN", "Bearer OTHER"), ("Bearer TOKEN", "Bearer TOKEN"), ("", "Bearer TOKEN")],
]
_DAMAGES = st.tuples(
    st.sampled_from(["header", "claims", "signature", "token"]),
    st.sampled_from(["flip", "cut", "double", "drop", "insert", "last bits", "decoded flip"]),
    st.integers(0, 10_000),
)
_TARGETS = [("POST", SERVICE)] * 6 + [("POST", FEEDBACK)] * 2 + [("GET", DISCOVERY)]
_TARGETS += [("POST", "/cds-services/no-such-service")]


@st.composite
def token_plans(draw: Draw) -> TokenPlan:
    """A good token in one case of four or so, else one with up to three things done to it."""
    client = draw(st.sampled_from(sorted(_CLIENTS)))
    _, tenants, algorithms = _CLIENTS[client]
    method, path = draw(st.sampled_from(_TARGETS))
    what = draw(st.lists(st.sampled_from(["header", "claims", "raw", "signature", "damage", "wrapping"]), max_size=3))
    changes_of = {"header": _HEADER, "claims": _CLAIMS}
    changes = {
        name: tuple((key := draw(st.sampled_from(sorted(values))), draw(values[key])) for _ in range(what.count(name)))
        for name, values in changes_of.items()
    }
    return TokenPlan(
        client=client,
        algorithm=draw(st.sampled_from(algorithms)),
        tenant=draw(st.sampled_from(tenants)),
        path=path,
        method=method,
        header=changes["header"],
        claims=changes["claims"],
        raw_claims=draw(st.sampled_from(_RAW_CLAIMS)) if "raw" in what else None,
        signature=draw(st.sampled_from(_OTHER_SIGNATURES)) if "signature" in what else "own",
        damages=tuple(draw(_DAMAGES) for _ in range(what.count("damage"))),
        wrapping=draw(st.sampled_from(_WRAPPINGS)) if "wrapping" in what else ("Bearer TOKEN",),
        again=draw(st.sampled_from([0, 0, 0, 1, 2])),
        pause_s=draw(st.sampled_from([0, 0, 1, 30, 299, 360, 361, 3_600])),
    )


def _damaged(token: str, part: str, how: str, place: int) -> str:
    parts = token.split(".")
    index = {"header": 0, "claims": 1, "signature": 2}.get(part)
    if index is not None and index >= len(parts):  # an earlier damage took it away
        return token
    text = token if index is None else parts[index]
    if not text:
        return token
    at = place % len(text)
    match how:
        case "flip":
            text = f"{text[:at]}{'B' if text[at] == 'A' else 'A'}{text[at + 1 :]}"
        case "cut":
            text = text[:at]
        case "double":
            text = text[:at] + text
        case "drop":
            text = text[:at] + text[at + 1 :]
        case "insert":
            text = f"{text[:at]}{'=+/ .%-_'[place % 8]}{text[at:]}"
        case "last bits":  # of the last character of the Base64, some may mean nothing
            text = text[:-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[place % 32]
        case "decoded flip" if index is not None:
            whole = "".join(filter(_ALPHABET.__contains__, text))  # an earlier damage may have put anything into it
            data = bytearray(unbase64url(whole[: len(whole) // 4 * 4])) or bytearray(b"x")
            data[place % len(data)] ^= 1 << place % 8
            text = base64url(bytes(data))
    if index is None:
        return text
    parts[index] = text
    return ".".join(parts)
