"""Finds ids in the bytes of a line, before any JSON is decoded: which lines may be about certain patients."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ID = re.compile(rb'"id"\s*:\s*"([^"]{1,64})"')
_PATIENT = re.compile(rb'Patient/([^"/?#\\]{1,128})')
_UUID = re.compile(rb'"urn:uuid:([^"]{1,64})"')


def ids_in(line: bytes) -> Iterator[str]:
    """Every id in a line: that of the resource, and those of what it contains."""
    for match in _ID.finditer(line):
        yield match[1].decode("utf-8", "replace")


def patients_in(line: bytes) -> Iterator[str]:
    """Every id that a reference to a Patient may name, relative, absolute or as a UUID."""
    if b"\\/" in line:  # some encoders escape slashes
        line = line.replace(b"\\/", b"/")
    for match in _PATIENT.finditer(line):
        yield match[1].decode()
    if b"urn:uuid:" in line:
        for match in _UUID.finditer(line):
            yield match[1].decode()
