"""How many calls there were, silent ones included: the denominator of the report's firing rate.

Counted in memory, since a silent call writes nothing, and added to the database from time to time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from cds_service.storage.database import Database
from cds_service.storage.schema import CALL_COUNT, as_name


class CallCounts:
    """Calls by day (UTC), client, tenant, hook and outcome."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._counts: Counter[tuple[str, str, str, str, str]] = Counter()
        self._lock = Lock()

    def add(self, client: str, tenant: str, hook: str, outcome: str) -> None:
        """Count one call."""
        day = self._clock().astimezone(UTC).date().isoformat()
        with self._lock:
            self._counts[day, client, as_name(tenant), hook, outcome] += 1

    def flush(self) -> None:
        """Add the counts to the database. Raises DatabaseUnavailable, and then keeps them for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        names = ("day", "client", "tenant", "hook", "outcome")
        keys = [CALL_COUNT.c[name] for name in names]
        insert = self._database.insert(CALL_COUNT)
        added = insert.on_conflict_do_update(
            index_elements=keys, set_={"calls": CALL_COUNT.c.calls + insert.excluded.calls}
        )
        rows = [dict(zip(names, key, strict=True)) | {"calls": calls} for key, calls in sorted(counts.items())]
        try:
            with self._database.write() as connection:
                connection.execute(added, rows)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise
