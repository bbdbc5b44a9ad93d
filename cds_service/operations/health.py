"""GET /health/live and /health/ready: probes for process managers and load balancers (ADR 12).

The database is checked at most once a second, beside the probes, however many there are; a probe waits for the result
at most 0.7 seconds. An answer has one word for each check and no details, because anybody may read it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import msgspec
from flask import Blueprint, Response

from cds_service.background_refresh import BackgroundRefresh
from cds_service.clients.registry import Registry
from cds_service.event_log.events import log_fault
from cds_service.storage.database import Database, DatabaseUnavailable
from cds_service.storage.schema import SchemaState, schema_state

_FRESH_S = 1.0  # between two checks of the database
_WAIT_S = 0.7  # the longest that a probe waits for a check

OK, UNAVAILABLE, OVERDUE = "ok", "unavailable", "overdue"
OUTDATED = SchemaState.OUTDATED
PARTIAL, MISSING, UNNEEDED = "partial", "missing", "unneeded"


class DatabaseCheck:
    """Whether the database answers and takes writes, with a schema that this version can work with."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._refreshing = BackgroundRefresh(self._refresh, name="health", most_waiting=1, monotonic=monotonic)
        self._word: str = UNAVAILABLE

    def word(self) -> str:
        """`ok`; `unavailable`, also after a failed write; `outdated`: `db upgrade` has not been run; `newer`: a newer
        version has run it.
        """
        end = self._refreshing.begin(after_s=_FRESH_S)
        if end is None:
            return self._word
        self._refreshing.wait(end, _WAIT_S)
        is_late = not end.is_set() and self._monotonic() - self._refreshing.began_at >= _WAIT_S
        return UNAVAILABLE if is_late else self._word

    def _refresh(self) -> None:
        try:
            word = schema_state(self._database.schema_version())
            self._word = UNAVAILABLE if word == OK and self._database.last_write_failed else word
        except DatabaseUnavailable:
            self._word = UNAVAILABLE
        except Exception as fault:
            self._word = UNAVAILABLE
            log_fault(fault)


@dataclass(frozen=True)
class Checks:
    """One word for each check, and the state that follows from them: `ready`, `degraded` or `unready`."""

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
        """`keys_needed`: calls need a token, and so the keys of its issuer."""
        self._database = database
        self._registry = registry
        self._review_due = review_due
        self._clock = clock
        self._keys_needed = keys_needed

    def check(self) -> Checks:
        """The state now, within a second.

        A process that cannot return cards is unready. One that lost its database, or lacks the keys of some clients,
        still returns cards: it is degraded, and should still be sent calls (ADR 12).
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
    """The two probes. They need no token and are not logged."""
    blueprint = Blueprint("health", __name__, url_prefix="/health")

    @blueprint.get("/live")
    def live() -> Response:
        return _answer({"state": "live"}, 200)

    @blueprint.get("/ready")
    def ready() -> Response:
        checks = health.check()
        words = {"database": checks.database, "content": checks.content, "keys": checks.keys}
        return _answer({"state": checks.state, "checks": words}, 200 if checks.is_ready else 503)

    return blueprint


def _answer(body: dict[str, object], status: int) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(body), status, mimetype="application/json", headers=headers)
