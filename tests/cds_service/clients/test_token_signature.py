"""Attacks on the signature: altered tokens, and other ways to write the same signature (R-6.14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from tests.registered_service import RegisteredService
from tests.token_forge import Forge, base64url, unbase64url

UNREADABLE, NO_SIGNATURE = "cannot be read", "the signature is not valid"
P384_ORDER = int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[RegisteredService]:
    one = RegisteredService(tmp_path_factory.mktemp("signature"), empty_ledger)
    yield one
    one.close()


def altered(forge: Forge, part: int, alter: Callable[[bytes], bytes]) -> str:
    """A good token, one of whose parts (0 header, 1 claims, 2 signature) was altered after it was signed."""
    parts = forge.token().split(".")
    parts[part] = base64url(alter(unbase64url(parts[part])))
    return f"Bearer {'.'.join(parts)}"


def as_der(signature: bytes) -> bytes:
    """An ECDSA signature as most libraries write it outside of JOSE."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def mirrored(signature: bytes) -> bytes:
    """The other signature that verifies just as well: s becomes n - s."""
    r, s = decode_dss_signature(as_der(signature))
    return r.to_bytes(48, "big") + (P384_ORDER - s).to_bytes(48, "big")


def loosened(token: str) -> str:
    """The last character with other bits in what base64 does not use: a careless decoder reads the same signature."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + letters[letters.index(token[-1]) ^ 1]


SIGNATURE_ATTACKS = [
    pytest.param(lambda f: altered(f, 2, lambda s: s[:-1]), NO_SIGNATURE, id="a signature cut short"),
    pytest.param(lambda f: altered(f, 2, lambda s: s[:48]), NO_SIGNATURE, id="half a signature"),
    pytest.param(lambda f: altered(f, 2, lambda s: s + b"\0"), NO_SIGNATURE, id="a signature with a byte more"),
    pytest.param(lambda f: altered(f, 2, lambda s: b"\0" + s), NO_SIGNATURE, id="a signature with a zero before it"),
    pytest.param(lambda f: altered(f, 2, lambda s: s[:-1] + bytes([s[-1] ^ 1])), NO_SIGNATURE, id="a flipped bit"),
    pytest.param(lambda f: altered(f, 2, as_der), NO_SIGNATURE, id="an ECDSA signature in DER"),
    pytest.param(lambda f: altered(f, 2, lambda s: bytes(96)), NO_SIGNATURE, id="r and s of zero (psychic signature)"),
    pytest.param(lambda f: altered(f, 2, lambda s: bytes(95) + b"\1"), NO_SIGNATURE, id="r of zero"),
    pytest.param(
        lambda f: altered(f, 2, lambda s: P384_ORDER.to_bytes(48, "big") * 2), NO_SIGNATURE, id="r and s of the order"
    ),
    pytest.param(lambda f: altered(f, 2, lambda s: b"\xff" * 96), NO_SIGNATURE, id="r and s beyond the order"),
    pytest.param(
        lambda f: altered(f, 2, lambda s: unbase64url(f.token(jti="other").split(".")[2])),
        NO_SIGNATURE,
        id="the signature of another token",
    ),
    pytest.param(
        lambda f: altered(f, 1, lambda claims: claims.replace(b'"north"', b'"south"')),
        NO_SIGNATURE,
        id="a tenant changed after signing",
    ),
    pytest.param(
        lambda f: altered(f, 1, lambda claims: claims.replace(b"lumbar-puncture", b"lumbar-puncturE")),
        NO_SIGNATURE,
        id="an aud changed after signing",
    ),
    pytest.param(lambda f: altered(f, 1, lambda claims: claims + b" "), NO_SIGNATURE, id="a blank after the claims"),
    pytest.param(
        lambda f: altered(f, 0, lambda header: header[:-1] + b', "x": 1}'),
        NO_SIGNATURE,
        id="a member added to the header after signing",
    ),
]


@pytest.mark.parametrize(("attack", "reason"), SIGNATURE_ATTACKS)
def test_altered_token_is_refused_and_uses_up_no_token_id(
    service: RegisteredService, attack: Callable[[Forge], str], reason: str
) -> None:
    forge = service.forge()
    service.assert_refused(attack(forge), reason)
    assert service.call(forge.bearer()).status_code == 200


def test_mirrored_ecdsa_signature_is_the_same_token(service: RegisteredService) -> None:
    """It verifies, as the mathematics has it, and is good for one call together with its twin (R-6.12)."""
    forge = service.forge()
    token = forge.token()
    twin = altered_token(token, mirrored)
    assert twin != token
    assert service.call(f"Bearer {twin}").status_code == 200
    service.assert_refused(f"Bearer {token}", "jti was seen before")


def altered_token(token: str, alter: Callable[[bytes], bytes]) -> str:
    """The same token with another signature."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{base64url(alter(unbase64url(signature)))}"


def test_loose_bits_at_the_end_of_base64_make_no_second_token(service: RegisteredService) -> None:
    """256 bytes of an RSA signature leave four bits of the last character unused."""
    forge = service.forge("RS384")
    token = forge.token()
    assert unbase64url(loosened(token).rpartition(".")[2]) == unbase64url(token.rpartition(".")[2])
    service.assert_refused(f"Bearer {loosened(token)}", UNREADABLE)
    assert service.call(f"Bearer {token}").status_code == 200
