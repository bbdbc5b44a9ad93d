"""Gets a key set from its registered address: nothing sent along, no redirect followed, small and soon."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread

import requests
import urllib3

from cds_service.clients.issuer_keys import KeysUnobtainable
from cds_service.http_download import CutOff, FhirSession

_LONGEST_S = 2.0
_CUT_EVERY_S = 0.05  # once the time is over: what is opened late is shut as well
_MOST_BYTES = 262_144
_CHUNK_BYTES = 16_384
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "cds-service"}


class KeyFetcher:
    """`ca_file`: certificates to trust instead of the usual ones."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_bundle = str(ca_file) if ca_file else None

    def __call__(self, url: str) -> bytes:
        """The body of the answer. Raises KeysUnobtainable for anything but a plain 200 within time and size."""
        cut_off, over = CutOff(time.monotonic() + _LONGEST_S), Event()
        Thread(target=_keep_time, args=(cut_off, over), name="issuer-keys-time", daemon=True).start()
        try:
            with FhirSession(1, self._ca_bundle) as session, cut_off:
                return _download(session, url, cut_off)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            raise KeysUnobtainable from None
        finally:
            over.set()


def _keep_time(cut_off: CutOff, over: Event) -> None:
    """End the read from outside: a socket's own timeout starts anew with every byte that drips in."""
    while not over.wait(max(cut_off.seconds_left, _CUT_EVERY_S)):
        cut_off.cut()


def _download(session: FhirSession, url: str, cut_off: CutOff) -> bytes:
    body = bytearray()
    timeout = cut_off.seconds_left
    with session.get(url, headers=_HEADERS, stream=True, allow_redirects=False, timeout=timeout) as answer:
        if answer.status_code != 200:
            raise KeysUnobtainable
        while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > _MOST_BYTES:
                raise KeysUnobtainable
    if time.monotonic() > cut_off.deadline:  # what was cut off may look like a body that is over
        raise KeysUnobtainable
    return bytes(body)
