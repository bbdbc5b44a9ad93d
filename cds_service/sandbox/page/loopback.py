"""Reads from FHIR servers on this machine for the page, since the browser does not let the page read them itself.

Loopback only. No redirect is followed, no credential is sent, and nothing of the environment is used.
"""

from __future__ import annotations

import msgspec
import requests
import urllib3

from cds_service.fhir_client.base_url import FhirBase, LeavesServer, parse_base
from cds_service.http_download import IsolatedSession, NotDownloaded, time_limit
from cds_service.json_depth import is_deeper_than

_SECONDS = 10.0
_MOST_BYTES = 20_000_000
_MOST_LEVELS = 64
_THREADS = 8


class NotReadable(Exception):
    """Why a server could not be read, in words for the developer at the page."""


class LoopbackReader:
    """One instance serves all threads of a process."""

    def __init__(self) -> None:
        self._session = IsolatedSession(_THREADS)

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
        try:
            with time_limit(_SECONDS) as cut_off:
                body = self._session.download(address, headers, cut_off, _MOST_BYTES)
        except NotDownloaded as reason:
            raise NotReadable(str(reason)) from None
        except TimeoutError:
            raise NotReadable(f"the server did not answer within {_SECONDS:g} seconds") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise NotReadable("nothing answers there: is the server running?") from None
        _refuse_no_object(body)
        return body


def loopback_base(text: str) -> FhirBase:
    """The FHIR base that somebody entered. Raises NotReadable where it is none, or is not on this machine."""
    base = parse_base(text.strip())
    if base is None:
        raise NotReadable("not a plain address: enter one such as http://127.0.0.1:8090/fhir")
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
