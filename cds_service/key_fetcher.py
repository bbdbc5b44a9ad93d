"""Gets a key set from its registered address: nothing sent along, no redirect followed, small and soon."""

from __future__ import annotations

import time
from pathlib import Path

import requests
import urllib3

from cds_service.issuer_keys import KeysUnobtainable

_LONGEST_S = 2.0
_MOST_BYTES = 262_144
_CHUNK_BYTES = 16_384


class KeyFetcher:
    """`ca_file`: certificates to trust instead of the usual ones."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._verify = str(ca_file) if ca_file else True

    def __call__(self, url: str) -> bytes:
        """The body of the answer. Raises KeysUnobtainable for anything but a plain 200 within time and size."""
        deadline = time.monotonic() + _LONGEST_S
        body = bytearray()
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.get(
                    url,
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    stream=True,
                    allow_redirects=False,
                    timeout=_LONGEST_S,
                    verify=self._verify,
                )
                if answer.status_code != 200:
                    raise KeysUnobtainable
                while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=False):
                    body += chunk
                    if len(body) > _MOST_BYTES or time.monotonic() > deadline:
                        raise KeysUnobtainable
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError):
            raise KeysUnobtainable from None
        return bytes(body)
