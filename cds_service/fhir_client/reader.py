"""Reads what a call is missing from the caller's FHIR server: all keys at once, every page, within one time budget.

The bearer token is sent to that server only and is not stored. Redirects are not followed, cookies not kept, and
proxies and netrc of the environment not used. A key that cannot be read has a reason that names no address.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import RemoteDisconnected
from threading import Thread

import requests
import urllib3
from requests.adapters import BaseAdapter

from cards.fhir.resources import BundleEntry
from cds_service.errors import CodedReason, ReadFailure
from cds_service.fhir_client.base_url import FhirBase, LeavesServer
from cds_service.fhir_client.prefetch import PrefetchValue, State, sort_resource
from cds_service.fhir_client.server_limits import ServerGate
from cds_service.http_download import CutOff, IsolatedSession, NotDownloaded, kind_of
from cds_service.json_depth import is_deeper_than

_MOST_BYTES_OF_A_PAGE = 10_000_000  # decompressed
_MOST_BYTES = 20_000_000  # of all pages of one key, decompressed
_MOST_PAGES = 100  # of one key
_MOST_ENTRIES = 20_000  # of one key
_MOST_BRACKETS = 400_000  # of a page, `{` and `[`: twice what 10 MB of Conditions hold; each becomes an object of ours
_MOST_LEVELS = 64
_PARTING_S = 0.05  # after the deadline

_NO_SERVER = CodedReason(ReadFailure.NO_SERVER, "no FHIR server that this client may use")
_TIME_SPENT = CodedReason(ReadFailure.OUT_OF_TIME, "time budget spent")


class _Unusable(Exception):
    """Why an answer cannot be used; the message is logged, so it names no address and no content."""


@dataclass
class FetchResult:
    """What was read for one key. `failure`: why `entries` is incomplete or empty, None where it is complete.

    `total`: entries that the server counted for the whole search, 0 where it did not say. `began`: on
    time.perf_counter; `seconds`: until the read ended or was given up, 0 where it did not begin.
    """

    entries: list[BundleEntry | None] = field(default_factory=list)
    total: int = 0
    failure: CodedReason | None = _TIME_SPENT
    began: float = field(default_factory=time.perf_counter, compare=False)
    seconds: float = field(default=0.0, compare=False)


class FhirReader:
    """Reads from the FHIR servers that its callers may use. One instance serves all threads of a process.

    `threads` is how many calls the process works on at once.
    """

    def __init__(
        self, *, budget_ms: int, threads: int, ca_bundle: str | None = None, transport: BaseAdapter | None = None
    ) -> None:
        self._budget_s = budget_ms / 1000
        self._gate = ServerGate(threads)
        self._session = IsolatedSession(threads, ca_bundle, transport)

    def deadline(self) -> float:
        """The end of the time budget of a call that begins now, on the monotonic clock."""
        return time.monotonic() + self._budget_s

    def fetch(
        self, server: FhirBase | None, token: str | None, urls: Mapping[str, str], deadline: float
    ) -> dict[str, FetchResult]:
        """Read each URL (relative to `server`, or a `next` link below it), all at once; one result for each key.

        `server`: one that the caller has checked that this client may use, or None.
        """
        seconds = deadline - time.monotonic()
        if server is None or seconds <= 0:
            return {key: FetchResult(failure=_TIME_SPENT if server else _NO_SERVER) for key in urls}
        refused = self._gate.enter(server)
        if refused:
            return {key: FetchResult(failure=refused) for key in urls}
        results = {key: FetchResult() for key in urls}
        reads = [(CutOff(deadline), urls[key], results[key]) for key in urls]
        places = deque(range(len(reads)))  # the last read gives the place of its call back

        def read_pages(cut_off: CutOff, url: str, result: FetchResult) -> None:
            try:
                with cut_off:
                    self._read_pages(server, token, url, cut_off, result)
            finally:
                if places.pop() == 0:
                    self._gate.leave(server)

        _run_until(deadline, read_pages, reads)
        # Copies: a late read must not change what this call works with.
        now = time.perf_counter()
        finished = {
            key: replace(result, entries=list(result.entries), seconds=result.seconds or now - result.began)
            for key, result in results.items()
        }
        if seconds > self._budget_s / 2:  # with less time, silence says nothing about the server
            self._gate.note(server, answered=any(map(_is_answer, finished.values())))
        return finished

    def _read_pages(self, server: FhirBase, token: str | None, url: str, cut_off: CutOff, result: FetchResult) -> None:
        """Fill `result` page by page, so that the pages read so far count when time runs out."""
        seen: set[str] = set()
        budget_bytes = _MOST_BYTES
        page: str | None = url
        try:
            while page is not None:
                _keep_time(cut_off)
                address = server.below(page)
                if address in seen:
                    raise _Unusable("pages run in a circle")
                if len(seen) == _MOST_PAGES:
                    raise _Unusable("the answer has too many pages")
                seen.add(address)
                body = self._download(address, token, cut_off, min(budget_bytes, _MOST_BYTES_OF_A_PAGE))
                budget_bytes -= len(body)
                value = _sort(body)
                if len(result.entries) + len(value.entries) > _MOST_ENTRIES:
                    raise _Unusable("the answer has too many entries")
                result.entries.extend(value.entries)
                result.total = max(result.total, value.total)
                page = value.next_url
            result.failure = None
        except LeavesServer:
            result.failure = CodedReason(ReadFailure.UNUSABLE, "a link leaves the FHIR server")
        except _Unusable as reason:
            result.failure = CodedReason(ReadFailure.UNUSABLE, str(reason))
        except NotDownloaded as reason:
            result.failure = CodedReason(ReadFailure.STATUS if reason.status else ReadFailure.UNUSABLE, str(reason))
        except TimeoutError:
            result.failure = _TIME_SPENT
        except Exception as cause:  # of any library, for unexpected bytes: one key fails, never the whole call
            words = f"the server could not be read ({kind_of(cause)})"
            in_time = time.monotonic() < cut_off.deadline  # later errors come from the cut
            result.failure = CodedReason(ReadFailure.UNREACHABLE, words) if in_time else _TIME_SPENT
        finally:
            result.seconds = time.perf_counter() - result.began

    def _download(self, address: str, token: str | None, cut_off: CutOff, most_bytes: int) -> bytes:
        headers = {
            "Accept": "application/fhir+json",
            "Accept-Encoding": "gzip",  # charts shrink to a tenth of their size
            "User-Agent": "cds-service",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self._session.download(address, headers, cut_off, most_bytes)
        except requests.ConnectionError as cause:
            if not _is_hung_up(cause):
                raise
            _keep_time(cut_off)
            return self._session.download(address, headers, cut_off, most_bytes)


def _run_until(deadline: float, read: Callable[..., None], reads: Sequence[tuple[CutOff, str, FetchResult]]) -> None:
    """Run all reads at once. Those that are not over at the deadline are cut off."""
    threads = []
    for arguments in reads:
        thread = Thread(target=read, args=arguments, name="fhir-reader", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the process can start no thread: read here, for as long as there is time
            read(*arguments)
        else:
            threads.append((thread, arguments[0]))
    for thread, _ in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    late = [(thread, cut_off) for thread, cut_off in threads if thread.is_alive()]
    for _, cut_off in late:
        cut_off.cut()
    for thread, _ in late:  # most end at once and free their place
        thread.join(max(deadline + _PARTING_S - time.monotonic(), 0))


def _is_hung_up(cause: requests.ConnectionError) -> bool:
    """Whether the server closed the connection without an answer, as happens when we reuse an idle one just then.

    The same read can then succeed on a new connection.
    """
    aborted = cause.args[0] if cause.args else None
    reason = aborted.args[-1] if isinstance(aborted, urllib3.exceptions.ProtocolError) else None
    return isinstance(reason, RemoteDisconnected | ConnectionResetError | BrokenPipeError)


def _keep_time(cut_off: CutOff) -> None:
    if time.monotonic() > cut_off.deadline:
        raise TimeoutError


def _is_answer(result: FetchResult) -> bool:
    """Whether the server answered in time, also with an error."""
    return bool(result.entries) or result.failure != _TIME_SPENT


def _sort(body: bytes) -> PrefetchValue:
    if body.count(b"{") + body.count(b"[") > _MOST_BRACKETS:
        raise _Unusable("the answer is too large")
    if is_deeper_than(body, _MOST_LEVELS):
        raise _Unusable("the answer nests too deeply")
    value = sort_resource(body)
    if value.state is State.FAILED:
        raise _Unusable("the server answered with an error or with no FHIR resource")
    return value
