"""An EHR that calls steadily: hook calls and feedback on their cards, each recorded with its times and outcome."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import urllib3

from tests.charts import SERVICE, hook_call
from tests.registered_service import FEEDBACK

_ANSWER_S = 30.0
_PAUSE_S = 0.01  # so that nodes that start have a processor to do so
Bearer = Callable[[str], str]  # a new token for a path, as the text of a header


@dataclass(frozen=True)
class Call:
    """One call: when it was begun and ended (monotonic seconds), its status or, where there was none, the error."""

    path: str
    begun: float
    ended: float
    status: int | None
    error: str = ""
    request_id: str = ""
    text: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it did what it was made for."""
        return self.status == 200


class Ehr:
    """A client with one kept connection to nginx, as EHRs have them, each of which looks whether it is still open."""

    def __init__(self, port: int, certificate: Path, bearer: Bearer) -> None:
        self._bearer = bearer
        self._pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1", port, ca_certs=str(certificate), maxsize=1, timeout=_ANSWER_S, retries=False
        )

    def call(self, path: str = SERVICE, body: bytes | None = None, token: str | None = None, **headers: str) -> Call:
        """POST to a path, a hook call of its own unless there is a body."""
        authorization = self._bearer(path) if token is None else token
        if body is None:
            body = json.dumps(hook_call(hookInstance=str(uuid4()))).encode()
        sent = {"Authorization": authorization, "Content-Type": "application/json"} | headers
        begun = time.monotonic()
        try:
            answer = self._pool.urlopen("POST", path, body=body, headers=sent)
        except urllib3.exceptions.HTTPError as fault:
            return Call(path, begun, time.monotonic(), None, type(fault).__name__)
        request_id = answer.headers.get("X-Request-ID", "")
        return Call(path, begun, time.monotonic(), answer.status, request_id=request_id, text=answer.data.decode())

    def give_feedback(self, cards: list[str]) -> Call:
        """Tell that these cards were overridden."""
        return self.call(FEEDBACK, feedback_on(cards))

    def get(self, path: str, token: str | None = None) -> urllib3.BaseHTTPResponse:
        """GET, with a token of its own unless there is one."""
        return self._pool.urlopen(
            "GET", path, headers={"Authorization": self._bearer(path) if token is None else token}
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


def feedback_on(cards: list[str]) -> bytes:
    """The body of feedback that overrides these cards."""
    entry = {"outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
    return json.dumps({"feedback": [{"card": one} | entry for one in cards]}).encode()


@dataclass
class Load:
    """The outcomes of the calls: all of them, and the cards whose feedback was acknowledged."""

    calls: list[Call] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[Call]:
        """Those that did not do what they were made for."""
        return [one for one in self.calls if not one.is_good]

    def begun_after(self, moment: float) -> list[Call]:
        """Those begun after a moment."""
        return [one for one in self.calls if one.begun > moment]

    def outcomes(self) -> Counter[str]:
        """How often each outcome came, `hook` or `feedback` before it."""
        return Counter(
            f"{'feedback' if one.path == FEEDBACK else 'hook'} {one.status or one.error}" for one in self.calls
        )

    def keep_calling(self, ehr: Ehr, until: Event) -> None:
        """A hook call and the feedback on its cards, and a breath, again and again."""
        while not until.wait(_PAUSE_S):
            shown = ehr.call()
            self.calls.append(shown)
            if shown.is_good:
                cards = [one["uuid"] for one in json.loads(shown.text)["cards"]]
                told = ehr.give_feedback(cards)
                self.calls.append(told)
                self.acknowledged += cards if told.is_good else []


@contextmanager
def under_load(make_ehr: Callable[[], Ehr], clients: int) -> Iterator[Load]:
    """So many clients call while the block runs."""
    load, until = Load(), Event()
    ehrs = [make_ehr() for _ in range(clients)]
    threads = [Thread(target=load.keep_calling, args=(ehr, until)) for ehr in ehrs]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        until.set()
        for thread in threads:
            thread.join(2 * _ANSWER_S)
        for ehr in ehrs:
            ehr.close()
