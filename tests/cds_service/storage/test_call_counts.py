"""The counts of calls: kept in memory, added to the database from time to time, and not lost in an outage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from cds_service.storage.call_counts import CallCounts
from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.ledger_entries import Caller
from cds_service.storage.schema import SERVICE_CALL_COUNT
from tests.conftest import NOW
from tests.databases import LiveDatabase


def count(
    counts: CallCounts,
    times: int = 1,
    *,
    tenant: str = "north",
    outcome: str = "cards",
    mode: str = "visible",
    service: str = "back-pain",
) -> None:
    for _ in range(times):
        counts.add(Caller(service, "general", tenant), mode, "order-sign", outcome)


def stored(database: LiveDatabase) -> dict[tuple[Any, ...], int]:
    """Calls by what they are counted by: day, client, tenant, service, hook, mode and outcome."""
    return {tuple(row.values())[:-1]: row["calls"] for row in database.rows(SERVICE_CALL_COUNT)}


def test_calls_are_counted_by_day_client_tenant_service_hook_mode_and_outcome(database: LiveDatabase) -> None:
    counts = CallCounts(database.open(), lambda: NOW)
    count(counts, 2)
    count(counts, outcome="silent")
    count(counts, tenant="")
    count(counts, 3, mode="silent")
    count(counts, service="headache")
    assert stored(database) == {}
    counts.flush()
    day = "2026-11-22"  # in UTC, though it is still the 21st where the clock stands
    assert stored(database) == {
        (day, "general", "north", "back-pain", "order-sign", "visible", "cards"): 2,
        (day, "general", "north", "back-pain", "order-sign", "visible", "silent"): 1,
        (day, "general", "", "back-pain", "order-sign", "visible", "cards"): 1,
        (day, "general", "north", "back-pain", "order-sign", "silent", "cards"): 3,
        (day, "general", "north", "headache", "order-sign", "visible", "cards"): 1,
    }


def test_counts_of_several_processes_add_up(database: LiveDatabase) -> None:
    processes = [CallCounts(database.open(), lambda: NOW) for _ in range(4)]

    def run(one: CallCounts) -> None:
        for _ in range(10):
            count(one, 3)
            count(one, 2, outcome="silent")
            one.flush()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, processes))
    assert sorted(stored(database).values()) == [80, 120]


def test_what_cannot_be_stored_is_kept_for_the_next_time(
    database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = database.open()
    counts = CallCounts(opened, lambda: NOW)
    count(counts, 3)
    with monkeypatch.context() as away:
        away.setattr(opened.engine, "begin", _refuse)
        with pytest.raises(DatabaseUnavailable):
            counts.flush()
    count(counts, 4)
    counts.flush()
    counts.flush()
    assert list(stored(database).values()) == [7]


def _refuse() -> None:
    raise OSError


def test_no_call_is_lost_between_counting_and_storing(database: LiveDatabase) -> None:
    counts = CallCounts(database.open(), lambda: NOW)

    def run(number: int) -> None:
        if number % 5 == 0:
            with suppress(DatabaseUnavailable):
                counts.flush()
        count(counts)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(500)))
    counts.flush()
    assert sum(stored(database).values()) == 500


def test_a_tenant_that_no_column_holds_does_not_keep_the_others_from_being_stored(database: LiveDatabase) -> None:
    """A token's tenant is any text where the registry lists none."""
    counts = CallCounts(database.open(), lambda: NOW)
    for tenant in ("north", "x" * 300, "\0", "\ud800"):
        count(counts, tenant=tenant)
    counts.flush()
    assert sum(stored(database).values()) == 4


def test_the_day_is_that_of_the_call(database: LiveDatabase) -> None:
    now = [NOW]
    counts = CallCounts(database.open(), lambda: now[0])
    count(counts)
    now[0] = datetime.fromisoformat("2026-11-23T00:00:01Z")
    count(counts)
    counts.flush()
    assert sorted(day for day, *_ in stored(database)) == ["2026-11-22", "2026-11-23"]
