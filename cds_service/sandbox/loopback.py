"""Reads from FHIR servers on this machine on behalf of the page, which a browser keeps from reading them itself.

Loopback only, whatever the page asks for; no redirect is followed, no credential sent, nothing of the environment used.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import requests
import urllib3

from cds_service.fhir_client.base_url import FhirBase, LeavesServer, parse_base
from cds_service.http_download import CutOff, FhirSession
from cds_service.json_depth import is_deeper_than

_SECONDS = 10.0
_MOST_BYTES = 20_000_000
_MOST_LEVELS = 64
_THREADS = 8
_CHUNK_BYTES = 65_536


class NotReadable(Exception):
    """Why a server could not be read, in words for the developer at the page."""


class LoopbackReader:
    """One instance serves all threads of a process."""

    def __init__(self) -> None:
        self._session = FhirSession(_THREADS)

    def read(self, base: FhirBase, url: str, token: str | None = None) -> bytes:
        """The body at `url` (relative to the base), which is a JSON object. Raises NotReadable."""
        if not base.is_loopback:
            raise NotReadable("only FHIR servers on this machine can be entered: http://127.0.0.1 or http://localhost")
        try:
            address = base.below(url)
        except LeavesServer:
            raise NotReadable("the address leads away from the FHIR server") from None
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "User-Agent": "cds-service-sandbox"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with CutOff(time.monotonic() + _SECONDS) as cut_off:
            try:
                body = self._download(address, headers, cut_off)
            except (requests.Timeout, urllib3.exceptions.TimeoutError):
                raise NotReadable(f"the server did not answer within {_SECONDS:g} seconds") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
                raise NotReadable("nothing answers there: is the server running?") from None
        _refuse_no_object(body)
        return body

    def _download(self, address: str, headers: dict[str, str], cut_off: CutOff) -> bytes:
        options: Any = {"stream": True, "allow_redirects": False, "timeout": cut_off.seconds_left}
        with self._session.get(address, headers=headers, **options) as response:
            if response.status_code != 200:
                raise NotReadable(f"the server answered {response.status_code}")
            body = bytearray()
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise NotReadable("the answer is too large")
                if time.monotonic() > cut_off.deadline:
                    raise NotReadable(f"the server did not answer within {_SECONDS:g} seconds")
            return bytes(body)


def loopback_base(text: str) -> FhirBase:
    """The FHIR base that somebody entered. Raises NotReadable where it is none, or is not on this machine."""
    base = parse_base(text.strip())
    if base is None:
        raise NotReadable("this is no plain address: enter one such as http://127.0.0.1:8090/fhir")
    if not base.is_loopback:
        raise NotReadable("only FHIR servers on this machine can be entered: http://127.0.0.1 or http://localhost")
    return base


def _refuse_no_object(body: bytes) -> None:
    if is_deeper_than(body, _MOST_LEVELS):
        raise NotReadable("the answer nests too deeply")
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotReadable("the server did not answer with JSON") from None
