"""GET /health/live and /health/ready: for whoever restarts processes, and for whoever sends them calls (ADR 12).

A probe waits for nothing: the database is asked at most once a second, beside the probes, whoever and how many ask.
What is said is one word for each check, for a stranger may read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from threading import BoundedSemaphore, Event, Lock, Thread

import msgspec
from flask import Blueprint, Response

from cds_service.clients.registry import Registry
from cds_service.event_log.events import log_fault
from cds_service.storage.database import Database, DatabaseUnavailable
from cds_service.storage.schema import SchemaState, schema_state

_FRESH_S = 1.0  # for so long the database is not asked again
_WAIT_S = 0.7  # the longest that a probe waits for it

OK, UNAVAILABLE, OVERDUE = "ok", "away", "overdue"
OUTDATED = SchemaState.OUTDATED
PARTIAL, MISSING, UNNEEDED = "partial", "missing", "unneeded"


class DatabaseCheck:
    """Whether the database answers, and its schema is one that this version can work with."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._lock = Lock()
        self._asked_at = float("-inf")
        self._under_way: Event | None = None
        self._waiting = BoundedSemaphore(1)  # one probe waits; the others are told what was so last
        self._word: str = UNAVAILABLE

    def word(self) -> str:
        """`ok`; `away`; `outdated`: `db upgrade` is still to be run; `newer`: it was run by a newer version."""
        over = self._begin()
        if over is None:
            return self._word
        if self._waiting.acquire(blocking=False):
            try:
                over.wait(_WAIT_S)
            finally:
                self._waiting.release()
        late = not over.is_set() and self._monotonic() - self._asked_at >= _WAIT_S
        return UNAVAILABLE if late else self._word

    def _begin(self) -> Event | None:
        """The question that is under way: put now, where the last one is a second ago."""
        with self._lock:
            now = self._monotonic()
            if self._under_way is None and now - self._asked_at >= _FRESH_S:
                over = Event()
                try:
                    Thread(target=self._ask, args=(over,), name="health", daemon=True).start()
                except RuntimeError:  # no thread is to be had: the next probe tries again
                    return None
                self._under_way, self._asked_at = over, now
            return self._under_way

    def _ask(self, over: Event) -> None:
        try:
            self._word = schema_state(self._database.schema_version())
        except DatabaseUnavailable:
            self._word = UNAVAILABLE
        except Exception as fault:
            self._word = UNAVAILABLE
            log_fault(fault)
        finally:
            with self._lock:
                self._under_way = None
            over.set()


@dataclass(frozen=True)
class Checks:
    """One word for each check, and what follows for whoever sends calls."""

    database: str
    content: str
    keys: str
    state: str

    @property
    def is_ready(self) -> bool:
        """Whether this process should be sent calls."""
        return self.state != "unready"


class Health:
    """The state of one process. `review_due`: the last day on which no clinical content is overdue for review."""

    def __init__(
        self,
        database: DatabaseCheck,
        registry: Registry,
        review_due: date,
        clock: Callable[[], datetime],
        *,
        keys_needed: bool,
    ) -> None:
        """`keys_needed`: calls need a token, and so the keys of whoever signs it."""
        self._database = database
        self._registry = registry
        self._review_due = review_due
        self._clock = clock
        self._keys_needed = keys_needed

    def check(self) -> Checks:
        """The state now; within a second, whatever is wrong.

        Unready is a process that cannot give cards. One that lost its database, or lacks the keys of some clients, can:
        it is degraded, and calls must still reach it, for no other process may be any better (ADR 12).
        """
        database, content, keys = self._database.word(), self._content(), self._keys()
        unready = database == OUTDATED or keys == MISSING
        fine = database == OK and content == OK and keys in (OK, UNNEEDED)
        return Checks(database, content, keys, "unready" if unready else "ready" if fine else "degraded")

    def _content(self) -> str:
        return OK if self._clock().astimezone(UTC).date() <= self._review_due else OVERDUE

    def _keys(self) -> str:
        if not self._keys_needed:
            return UNNEEDED
        without = self._registry.count_without_keys()
        if not without:
            return OK
        return PARTIAL if without < len(self._registry.clients) else MISSING


def health_blueprint(health: Health) -> Blueprint:
    """The two probes; open to everybody, and logged never."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")

    @blueprint.get("/live")
    def live() -> Response:
        return _answer({"state": "live"}, 200)

    @blueprint.get("/ready")
    def ready() -> Response:
        checks = health.check()
        told = {"database": checks.database, "content": checks.content, "keys": checks.keys}
        return _answer({"state": checks.state, "checks": told}, 200 if checks.is_ready else 503)

    return blueprint


def _answer(body: dict[str, object], status: int) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(body), status, mimetype="application/json", headers=headers)
