"""A test certificate authority, and server certificates that it signed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

HOUR = timedelta(hours=1)


def self_signed(folder: Path, address: str, *, begins_in: timedelta = timedelta(), name: str | None = None) -> Path:
    """A file with the key and the certificate, valid for an hour, of a server that vouches for itself.

    `begins_in`: -2 * HOUR makes one that expired an hour ago. `name`: of the file, by default the address.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"FHIR server of a test, {name or address}")])
    begins = datetime.now(UTC) + begins_in
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), begins, begins + HOUR)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    certificate = builder.sign(key, SHA256())
    file = folder / f"{name or address.replace(':', '-')}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


def server_context(file: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS with this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context
