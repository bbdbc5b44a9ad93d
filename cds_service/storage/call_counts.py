"""How many calls there were, silent ones included: the denominator of the report's firing rate.

Counted in memory, since a silent call writes nothing, and added to the database from time to time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from cds_service.storage.database import Database
from cds_service.storage.ledger_entries import Caller
from cds_service.storage.schema import SERVICE_CALL_COUNT, as_name

_KEY = [column.name for column in SERVICE_CALL_COUNT.primary_key]


class CallCounts:
    """Calls by day (UTC), client, tenant, service, hook, mode of the client, and outcome."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._lock = Lock()

    def add(self, caller: Caller, mode: str, hook: str, outcome: str) -> None:
        """Count one call. `mode`: of the client, visible or silent."""
        day = self._clock().astimezone(UTC).date().isoformat()
        with self._lock:
            self._counts[day, caller.client, as_name(caller.tenant), caller.service, hook, mode, outcome] += 1

    def flush(self) -> None:
        """Add the counts to the database. Raises DatabaseUnavailable, and then keeps them for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        insert = self._database.insert(SERVICE_CALL_COUNT)
        calls = SERVICE_CALL_COUNT.c.calls + insert.excluded.calls
        added = insert.on_conflict_do_update(index_elements=_KEY, set_={"calls": calls})
        rows = [dict(zip(_KEY, key, strict=True)) | {"calls": count} for key, count in sorted(counts.items())]
        try:
            with self._database.write() as connection:
                connection.execute(added, rows)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise
