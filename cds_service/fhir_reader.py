"""Reads what a call is missing from the caller's FHIR server: all keys at once, every page, inside one time budget.

The bearer token goes to that server only, in a header, and is kept nowhere. No redirect is followed, no cookie kept, no
proxy or netrc of the environment used. Whatever goes wrong means "not read" for that key, with a reason that names no
address.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from cards.resources import BundleEntry
from cds_service.prefetch import State, sort_resource

_BASE_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[\w.~%/-]*)?")
_MOST_BYTES = 50_000_000  # of all pages of one key, decompressed
_CHUNK_BYTES = 65_536


class _NotRead(Exception):
    """Why a key could not be read; the message is logged, so it names no address and no content."""


@dataclass
class FetchResult:
    """What a FHIR server gave for one key. `failure` None: all of it; else why `entries` is not all, or nothing.

    `total` is how many entries the server counted for the whole search, 0 where it did not say.
    """

    entries: list[BundleEntry | None] = field(default_factory=list)
    total: int = 0
    failure: str | None = "time budget spent"


class _Session(requests.Session):
    """A session that leaves nothing behind: no cookie kept, no redirect looked at, nothing of the environment used."""

    def __init__(self, adapter: BaseAdapter) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: a redirect is an answer like any other, and its body is not read either."""


class FhirReader:
    """Reads from FHIR servers that `is_allowed` accepts. One instance serves all threads of a process."""

    def __init__(
        self, *, budget_ms: int, pool_size: int, is_allowed: Callable[[str], bool], transport: BaseAdapter | None = None
    ) -> None:
        self._budget_s = budget_ms / 1000
        self._is_allowed = is_allowed
        self._session = _Session(transport or HTTPAdapter(pool_maxsize=pool_size))

    def deadline(self) -> float:
        """When the time that a call which begins now has for its FHIR server is spent, on the monotonic clock."""
        return time.monotonic() + self._budget_s

    def fetch(
        self, server: str | None, token: str | None, urls: Mapping[str, str], deadline: float
    ) -> dict[str, FetchResult]:
        """Read each URL (relative to `server`, or a `next` link below it), all at once; one result for each key."""
        base = _parse_base(server) if server else None
        if base is None or not self._is_allowed(base.hostname or ""):
            reason = "no FHIR server given" if not server else "FHIR server not allowed"
            return {key: FetchResult(failure=reason) for key in urls}
        results = {key: FetchResult() for key in urls}
        pool = ThreadPoolExecutor(max_workers=len(urls), thread_name_prefix="fhir-reader")
        tasks = [pool.submit(self._read_pages, base, token, urls[key], deadline, results[key]) for key in urls]
        for task in wait(tasks, timeout=max(deadline - time.monotonic(), 0)).done:
            task.result()  # raises what went wrong on our side; what went wrong on theirs is in the result
        pool.shutdown(wait=False)  # a straggler ends with its next piece of data after the deadline
        # As each stands now: what a straggler still reads comes too late for this call.
        return {key: replace(result, entries=list(result.entries)) for key, result in results.items()}

    def _read_pages(self, base: SplitResult, token: str | None, url: str, deadline: float, result: FetchResult) -> None:
        """Fill `result` page by page, so that the pages read so far are there whenever time runs out."""
        seen: set[str] = set()
        budget_bytes = _MOST_BYTES
        page: str | None = url
        try:
            while page is not None:
                address = _below(base, page)
                if address in seen:
                    raise _NotRead("pages run in a circle")
                seen.add(address)
                body = self._download(address, token, deadline, budget_bytes)
                budget_bytes -= len(body)
                value = sort_resource(body)
                if value.state is State.FAILED:
                    raise _NotRead("the server answered with an error or with no FHIR resource")
                result.entries.extend(value.entries)
                result.total = max(result.total, value.total)
                page = value.next_url
            result.failure = None
        except _NotRead as reason:
            result.failure = str(reason)

    def _download(self, address: str, token: str | None, deadline: float, most_bytes: int) -> bytes:
        headers = {"Accept": "application/fhir+json", "User-Agent": "cds-service"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = bytearray()
        try:
            with self._session.get(
                address,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=max(deadline - time.monotonic(), 0.001),
            ) as response:
                if response.status_code != 200:
                    raise _NotRead(f"the server answered {response.status_code}")
                while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                    body += chunk
                    if len(body) > most_bytes:
                        raise _NotRead("the answer is too large")
                    if time.monotonic() > deadline:
                        raise _NotRead("time budget spent")
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _NotRead("time budget spent") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as cause:
            raise _NotRead(f"the server could not be read ({type(cause).__name__})") from None
        return bytes(body)


def _parse_base(server: str) -> SplitResult | None:
    """The FHIR base, or None for anything that is not plainly scheme, host, port and path."""
    try:
        if not _BASE_URL.fullmatch(server):
            return None
        base = urlsplit(server.rstrip("/"))
        return base if base.port is None or 0 < base.port < 65536 else None
    except ValueError:
        return None


def _below(base: SplitResult, url: str) -> str:
    """`url` as an absolute address below `base`. Raises _NotRead where it points anywhere else, or up the path."""
    try:
        absolute = urljoin(base.geturl() + "/", url)
        parts = urlsplit(absolute)
        same_server = _origin(parts) == _origin(base)
        steps = unquote(urlsplit(url).path).replace("\\", "/").split("/")
    except ValueError:
        same_server = False
    if (
        not same_server
        or "@" in parts.netloc
        or not (parts.path + "/").startswith(base.path + "/")
        or {".", ".."} & set(steps)
    ):
        raise _NotRead("a link leaves the FHIR server")
    return absolute


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
