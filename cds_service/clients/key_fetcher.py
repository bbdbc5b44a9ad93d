"""Downloads a key set from its registered address: no credentials, no redirect, bounded in bytes and in time."""

from __future__ import annotations

from pathlib import Path

import requests
import urllib3

from cds_service.clients.issuer_keys import KeysUnobtainable
from cds_service.http_download import IsolatedSession, NotDownloaded, kind_of, time_limit

_LONGEST_S = 2.0
_MOST_BYTES = 262_144
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "cds-service"}


class KeyFetcher:
    """`ca_file`: certificates to trust instead of the usual ones."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_bundle = str(ca_file) if ca_file else None

    def __call__(self, url: str) -> bytes:
        """The body of the answer. Raises KeysUnobtainable for anything but a plain 200 within time and size."""
        try:
            with IsolatedSession(1, self._ca_bundle) as session, time_limit(_LONGEST_S) as cut_off:
                return session.download(url, _HEADERS, cut_off, _MOST_BYTES)
        except NotDownloaded as fault:
            raise KeysUnobtainable(str(fault)) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            raise KeysUnobtainable(kind_of(fault)) from None
