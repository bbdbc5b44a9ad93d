"""A new key pair for a client: the private key as a PEM file, the public key as a JSON Web Key Set (docs/clients.md).

The private key is for the EHR, which signs with it. This service needs the public one only, and never reads the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Algorithm = Literal["ES384", "RS384"]  # the two that CDS Hooks recommends

_RSA_BITS = 3072  # as strong as 128 bits; P-384 is stronger
_THUMBPRINT_MEMBERS = {"EC": "crv kty x y", "RSA": "e kty n", "OKP": "crv kty x"}  # RFC 7638 section 3.2, RFC 8037


class KeyFilesRefused(Exception):
    """The files are not written, and nothing was changed. The message names the file and says what to do."""


@dataclass(frozen=True)
class KeyFiles:
    """Where a new key pair lies. `kid`: the RFC 7638 thumbprint of the key."""

    private: Path
    public: Path
    kid: str
    algorithm: Algorithm


def new_private_key(algorithm: Algorithm) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """A new key for this algorithm."""
    if algorithm == "ES384":
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)


def public_jwk(private_key: Any, algorithm: str) -> dict[str, Any]:
    """The public JWK of a private key, as an issuer publishes it, with its RFC 7638 thumbprint as `kid`."""
    jwk = _public_members(private_key, algorithm)
    return jwk | {"kid": thumbprint(private_key, algorithm), "use": "sig", "alg": algorithm}


def thumbprint(private_key: Any, algorithm: str) -> str:
    """The thumbprint of RFC 7638, with SHA-256, of the public half of a key."""
    jwk = _public_members(private_key, algorithm)
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]].split()}
    digest = hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def write_key_pair(client: str, algorithm: Algorithm, folder: Path) -> KeyFiles:
    """Write `folder`/private/`client`.pem (0600, in a folder with 0700) and `folder`/`client`.jwks.json (0644).

    Nothing is overwritten; permissions do not depend on the umask. Raises KeyFilesRefused.
    """
    private, public = folder / "private" / f"{client}.pem", folder / f"{client}.jwks.json"
    for file in (private, public):
        if os.path.lexists(file):
            raise KeyFilesRefused(f"{file} exists, and is not overwritten: use another --client or --output")
    key = new_private_key(algorithm)
    jwk = public_jwk(key, algorithm)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_private(private.parent)
        _write_new(public, json.dumps({"keys": [jwk]}, indent=2).encode() + b"\n", 0o644)
        try:
            _write_new(private, pem, 0o600)
        except OSError:
            public.unlink()  # a public key alone is of no use
            raise
    except FileExistsError as fault:
        raise KeyFilesRefused(f"{fault.filename} exists, and is not overwritten") from None
    except OSError as fault:
        raise KeyFilesRefused(f"{fault.filename} cannot be written: {fault.strerror}") from None
    return KeyFiles(private, public, jwk["kid"], algorithm)


def _public_members(private_key: Any, algorithm: str) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(private_key.public_key()))
    return {name: jwk[name] for name in jwk if name != "key_ops"}


def _make_private(folder: Path) -> None:
    """Create a folder that only its owner can enter, or see that it is one. Git leaves what is in it alone."""
    if not os.path.lexists(folder):
        folder.mkdir()
        folder.chmod(0o700)
        _write_new(folder / ".gitignore", b"*\n", 0o600)
        return
    mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode):
        raise KeyFilesRefused(f"{folder} is not a folder: private keys go there")
    if mode & 0o077:
        raise KeyFilesRefused(f"{folder} can be read by others: run chmod 700 {folder}")


def _write_new(file: Path, content: bytes, mode: int) -> None:
    """Write a file that did not exist. Its permissions are set before anything is in it."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
    except OSError as fault:
        file.unlink()
        raise OSError(fault.errno, fault.strerror, str(file)) from None
