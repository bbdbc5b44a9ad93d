"""The keys that `cds-service call` signs with, and its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from cds_service.ehr_simulator.token import Signer
from tests.cds_service.ehr_simulator.test_command import call

USABLE = ("--patient", "42", "--order-text", "Lumbar puncture")


def pem(key: Any, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    secret: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return secret


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"nonsense", "is neither a private key in PEM nor a JWK", id="no key"),
        pytest.param(b"{", "is not a JWK with a private key", id="half a JWK"),
        pytest.param(b'{"keys": []}', "has 0 private keys", id="a set without a key"),
        pytest.param(b'{"kty": "EC", "crv": "P-384", "d": "x"}', "is not a JWK with a private key", id="a broken JWK"),
        pytest.param(b'{"kty": "oct", "k": "eA", "d": "", "alg": "HS256"}', "is a shared secret", id="a shared secret"),
        pytest.param(
            ec.generate_private_key(ec.SECP384R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "is neither a private key in PEM nor a JWK",
            id="a public key",
        ),
        pytest.param(pem(ec.generate_private_key(ec.SECP384R1()), b"pw"), "is encrypted", id="an encrypted key"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256K1())), "cannot sign tokens", id="a key on another curve"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_without_a_word_of_it(tmp_path: Path, content: bytes, words: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    result = call(*USABLE, "--key", str(key), "--issuer", "https://ehr.example.org")
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.split())
    assert content.decode("utf-8", "replace").strip()[-40:] not in result.stderr


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        pytest.param(ec.generate_private_key(ec.SECP256R1()), "ES256", id="P-256"),
        pytest.param(ec.generate_private_key(ec.SECP384R1()), "ES384", id="P-384"),
        pytest.param(ec.generate_private_key(ec.SECP521R1()), "ES512", id="P-521"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), "EdDSA", id="Ed25519"),
    ],
)
def test_a_token_is_new_for_each_request_and_for_exactly_its_address(tmp_path: Path, key: Any, algorithm: str) -> None:
    """R-6.4 to R-6.12."""
    file = tmp_path / "key"
    file.write_bytes(pem(key))
    signer = Signer(file, "https://ehr.example.org")
    first, second = (signer.headers("https://cds.example.org/cds-services")["Authorization"][7:] for _ in range(2))
    claims = jwt.decode(first, key.public_key(), [algorithm], audience="https://cds.example.org/cds-services")
    assert jwt.get_unverified_header(first) == {"alg": algorithm, "typ": "JWT", "kid": signer.kid}
    assert claims.keys() == {"iss", "aud", "iat", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 300
    assert claims["jti"] != jwt.decode(second, options={"verify_signature": False})["jti"]
    assert signer.kid == Signer(file, "https://other.example.org").kid
    assert signer.kid in repr(signer)
