"""Writes the files that compose.yaml mounts, for a trial on one machine: `python -m deploy.trial`.

A certificate authority and a certificate by it, passwords, a client's key and its entry. Do not use them for anything
else: anyone with the folder has the keys. To start over, remove the folder and the database volume.
"""

from __future__ import annotations

import json
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds_service.clients.key_pair import new_private_key, public_jwk

FOLDER = Path(__file__).parent / "trial"
NAMES = ("cds.example.org", "fhir.example.org")
_DAYS = 30
_CLIENTS = """\
[[clients]]
name = "trial-ehr"
issuer = "https://ehr.example.org"
algorithms = ["ES384"]
jwks_file = "trial-ehr.json"
fhir_servers = ["https://fhir.example.org/fhir"]
"""


def write(folder: Path) -> None:
    """Raises FileExistsError if the folder exists: nothing is overwritten."""
    folder.mkdir(mode=0o700)  # keeps others out; containers, whose users are not ours, see single files of it only
    authority, authority_key = _certificate("trial of cds-service", None, None)
    certificate, key = _certificate(NAMES[0], authority, authority_key)
    client_key = new_private_key("ES384")
    private = client_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    password = secrets.token_hex()
    files = {
        "ca.pem": authority.public_bytes(Encoding.PEM).decode(),
        "tls/cds.example.org.pem": certificate.public_bytes(Encoding.PEM).decode(),
        "tls/cds.example.org.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "clients/clients.toml": _CLIENTS,
        "clients/trial-ehr.json": json.dumps({"keys": [public_jwk(client_key, "ES384")]}),
        "secrets/database_url": f"postgresql://cds:{password}@database/cds",
        "secrets/postgres_password": password,
        "secrets/metrics_token": secrets.token_hex(),
        "secrets/ehr_key": private,
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(mode=0o755, exist_ok=True)
        file.write_text(text + "\n", "utf-8")
        file.chmod(0o644)


def _certificate(
    name: str, authority: x509.Certificate | None, authority_key: ec.EllipticCurvePrivateKey | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A server's certificate for NAMES, or an authority's where there is none yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
    )
    if authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in NAMES]), False)
    return builder.sign(authority_key or key, SHA256()), key


if __name__ == "__main__":
    try:
        write(FOLDER)
    except FileExistsError:
        sys.exit(f"{FOLDER} is there already, and nothing in it was changed")
    sys.stdout.write(f"written for {_DAYS} days: {FOLDER}\n")
