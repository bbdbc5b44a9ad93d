"""From one version of the schema to the next and back, with rows in place and nodes of the older version at work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import inspect, text

from cds_service.storage.call_counts import CallCounts
from cds_service.storage.database import Database
from cds_service.storage.ledger_entries import Caller
from cds_service.storage.schema import CALL_COUNT, FEEDBACK, ISSUED_CARD, SERVICE_CALL_COUNT, SILENCED_CARD
from tests.cds_service.report.hand_made import HandMadeLedger
from tests.conftest import NOW
from tests.databases import LiveDatabase

DAY = "2026-11-22"
HOSPITAL = Caller("back-pain", "general", "north")
# what a node of schema 0001 executes to add what it counted, to the letter
COUNT_OF_0001 = text(
    "INSERT INTO call_count (day, client, tenant, hook, outcome, calls) "
    "VALUES (:day, :client, :tenant, :hook, :outcome, :calls) "
    "ON CONFLICT (day, client, tenant, hook, outcome) DO UPDATE SET calls = (call_count.calls + excluded.calls)"
)


def count_as_0001(database: Database, outcome: str, calls: int) -> None:
    row = {"day": DAY, "client": "general", "tenant": "north", "hook": "order-sign", "outcome": outcome, "calls": calls}
    with database.write() as connection:
        connection.execute(COUNT_OF_0001, row)


def count(database: Database, outcome: str, calls: int, *, mode: str = "visible", service: str = "back-pain") -> None:
    counts = CallCounts(database, lambda: NOW)
    for _ in range(calls):
        counts.add(Caller(service, HOSPITAL.client, HOSPITAL.tenant), mode, "order-sign", outcome)
    counts.flush()


def older_counts(database: LiveDatabase) -> dict[str, int]:
    return {row["outcome"]: row["calls"] for row in database.rows(CALL_COUNT)}


def ledger_rows(database: LiveDatabase) -> list[list[dict[str, Any]]]:
    return [database.rows(table) for table in (ISSUED_CARD, FEEDBACK, SILENCED_CARD)]


def fill(database: Database) -> None:
    """Cards shown, answered and silenced."""
    ledger = HandMadeLedger()
    ledger.show_many(2, 3, 1)
    ledger.silence("confounders", "silent-client")
    ledger.write(database)


def test_an_upgrade_keeps_every_row_and_counts_of_before_stay_what_they_were(database: LiveDatabase) -> None:
    opened = database.open()
    fill(opened)
    opened.downgrade("0001")
    assert (opened.schema_fault() or "").startswith("the database schema is too old for this version")
    count_as_0001(opened, "cards", 5)
    before = ledger_rows(database)
    opened.upgrade()
    assert opened.schema_fault() is None
    assert (older_counts(database), database.rows(SERVICE_CALL_COUNT)) == ({"cards": 5}, [])
    assert ledger_rows(database) == before


def test_a_node_of_the_older_version_goes_on_counting_after_the_upgrade(database: LiveDatabase) -> None:
    """As in a rolling upgrade: the schema is newer, and the node is stopped minutes later."""
    opened = database.open()
    count(opened, "cards", 2)
    for _ in range(2):
        count_as_0001(opened, "cards", 5)
    assert older_counts(database) == {"cards": 10}
    assert [row["calls"] for row in database.rows(SERVICE_CALL_COUNT)] == [2]


def test_the_way_back_keeps_every_card_and_every_count(database: LiveDatabase) -> None:
    """What the older version cannot tell apart is added up; no card that nobody saw counts as seen there."""
    opened = database.open()
    fill(opened)
    count_as_0001(opened, "cards", 5)
    count(opened, "cards", 2)
    count(opened, "cards", 1, service="headache")
    count(opened, "cards", 3, mode="silent")
    count(opened, "quiet", 1)
    count(opened, "silent", 4, mode="silent")
    before = ledger_rows(database)
    opened.downgrade("0001")
    with opened.read() as connection:
        assert "service_call_count" not in inspect(connection).get_table_names()
    assert older_counts(database) == {"cards": 5 + 2 + 1, "quiet": 3 + 1, "silent": 4}
    assert ledger_rows(database) == before


def test_up_and_down_again_changes_nothing(database: LiveDatabase) -> None:
    opened = database.open()
    count_as_0001(opened, "cards", 5)
    for _ in range(2):
        opened.downgrade("0001")
        opened.downgrade("0001")
        opened.upgrade()
    assert older_counts(database) == {"cards": 5}


@pytest.mark.parametrize(
    ("version", "stored", "fault"),
    [
        pytest.param("0003", None, "--to 0003: it cannot be reached from 0002", id="one that is not there yet"),
        pytest.param("base", None, "--to base: it cannot be reached from 0002", id="Alembic's word for nothing"),
        pytest.param("-1", None, "--to -1: it cannot be reached from 0002", id="a step"),
        pytest.param("0001", "9999", "schema (9999) is newer than this version", id="from a later version"),
        pytest.param("0002", "0001", "--to 0002: it cannot be reached from 0001", id="a newer one"),
    ],
)
def test_there_is_no_way_back_to(version: str, stored: str | None, fault: str, sqlite_database: LiveDatabase) -> None:
    opened = sqlite_database.open()
    count(opened, "cards", 1)
    if stored:
        with opened.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :stored"), {"stored": stored})
    with pytest.raises(ValueError, match=re.escape(fault)):
        opened.downgrade(version)
    assert len(sqlite_database.rows(SERVICE_CALL_COUNT)) == 1
