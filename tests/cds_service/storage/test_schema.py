"""The tables: created by the migrations, the same on SQLite and PostgreSQL, with only the columns agreed on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from cds_service.storage.database import DatabaseUnavailable
from cds_service.storage.schema import LONGEST_NAME, METADATA, as_name
from tests.databases import KINDS, LiveDatabase, PostgresqlServer

# Every column there is, and why it is there. One more is a decision to be written down here, and in SECURITY.md.
OF_A_CARD = {
    "card_uuid": "what the client was given, and sends back in feedback; a function of hookInstance, service and card",
    "card_key": "which of our cards: a name of the content, such as what-to-expect",
    "service": "which service: its id",
    "hook": "order-sign or order-select",
    "hook_instance": "which firing of the hook: a random id of the client's",
    "client": "whose call: the name in the registry",
    "tenant": "whose call: a name out of the token, such as a hospital",
    "indicator": "how urgent the card was",
    "content_version": "which version of the content spoke",
}
COLUMNS = {
    "issued_card": OF_A_CARD | {"issued_at_ms": "when, by our clock"},
    "issued_suggestion": {
        "suggestion_uuid": "what the client was given, and sends back when it is taken",
        "card_uuid": "of which card",
        "suggestion_key": "which of our suggestions: a name of the content",
    },
    "silenced_card": OF_A_CARD | {"cause": "why: one of four words of ours", "silenced_at_ms": "when, by our clock"},
    "feedback": {
        "feedback_digest": "one row for each (client, card, outcome, timestamp, suggestions): repeats are not stored",
        "card_uuid": "which card",
        "service": "which service was told",
        "client": "who told it",
        "tenant": "who told it",
        "outcome": "accepted or overridden",
        "outcome_at_ms": "when, by the client's clock",
        "received_at_ms": "when, by ours",
        "reason_system": "the override reason, a code",
        "reason_code": "the override reason, a code",
        "foreign_card": "whether we know of no such card of this client",
        "foreign_reason": "whether no card offers that reason",
        "user_comment": "what the user wrote; null unless CDS_STORE_COMMENTS says yes",
    },
    "accepted_suggestion": {
        "feedback_digest": "which feedback",
        "suggestion_uuid": "which suggestion was taken",
        "foreign_suggestion": "whether that card did not offer it to that client",
    },
    "card_patient": {
        "card_uuid": "which card",
        "patient_hash": "opt-in only (ADR 10): a keyed hash, for as long as the quiet period may reach",
        "issued_at_ms": "when to forget it",
    },
    "quiet_card": {
        "patient_hash": "opt-in only (ADR 10): a keyed hash, for as long as the quiet period may reach",
        "card_key": "which card is not to be shown again",
        "since_ms": "since when, and when to forget it",
    },
    "seen_token": {
        "token_digest": "a hash over issuer and jti: a token is good for one call",
        "keep_until_s": "when to forget it",
    },
    "service_call_count": {
        "day": "a day, UTC",
        "client": "whose calls",
        "tenant": "whose calls",
        "service": "which service: its id",
        "hook": "order-sign or order-select",
        "mode": "whether users of that client see cards: visible or silent",
        "outcome": "whether they got cards",
        "calls": "how many",
    },
    "call_count": {
        "day": "a day, UTC",
        "client": "whose calls",
        "tenant": "whose calls",
        "hook": "order-sign or order-select",
        "outcome": "whether they got cards",
        "calls": "how many",
    },
}
ABOUT_PEOPLE = re.compile(r"patient|user|practitioner|encounter|birth|sex|mrn|subject|name|address|condition|procedure")


def test_the_columns_are_those_that_were_decided_on() -> None:
    tables = {table.name: set(table.columns.keys()) for table in METADATA.sorted_tables}
    assert tables == {name: set(columns) for name, columns in COLUMNS.items()}


def test_nothing_is_named_after_a_person_but_the_hash_and_the_comment_that_are_opt_in() -> None:
    named = [(table.name, column.name) for table in METADATA.sorted_tables for column in table.columns]
    about = {(table, column) for table, column in named if ABOUT_PEOPLE.search(column)}
    assert about == {("card_patient", "patient_hash"), ("quiet_card", "patient_hash"), ("feedback", "user_comment")}


def test_the_migrations_make_exactly_these_tables(database: LiveDatabase) -> None:
    with database.open().read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        tables = set(inspect(connection).get_table_names())
    assert tables == set(COLUMNS) | {"alembic_version"}


def test_an_upgrade_of_what_is_current_changes_nothing_and_loses_nothing(database: LiveDatabase) -> None:
    opened = database.open()
    row = {"token_digest": b"\x00" * 32, "keep_until_s": 1}
    with opened.write() as connection:
        connection.execute(METADATA.tables["seen_token"].insert(), row)
    opened.upgrade()
    assert opened.schema_fault() is None
    assert database.rows(METADATA.tables["seen_token"]) == [row]


@pytest.fixture(params=KINDS)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveDatabase]:
    """A database without any table."""
    server: PostgresqlServer | None = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    name = server.create(None) if server else ""
    live = LiveDatabase(server.url(name) if server else f"sqlite:///{tmp_path / 'bare.sqlite'}")
    yield live
    live.close()
    if server:
        server.drop(name)


def test_an_empty_database_names_the_command_that_makes_its_schema(bare: LiveDatabase) -> None:
    assert bare.open().schema_fault() == "the database schema does not exist yet: run `cds-service db upgrade`"


@pytest.mark.parametrize(
    ("revision", "fault"),
    [
        pytest.param("9999", "the database schema (9999) is newer than this version", id="one of a later version"),
        pytest.param(None, "the database schema does not exist yet: run", id="one that lost its version"),
    ],
)
def test_another_schema_is_refused(database: LiveDatabase, revision: str | None, fault: str) -> None:
    opened = database.open()
    with opened.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
    assert (opened.schema_fault() or "").startswith(fault)


def test_an_older_schema_names_the_command(database: LiveDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.storage.schema.SCHEMA_VERSION", "9999")
    fault = database.open().schema_fault()
    assert fault == "the database schema is too old for this version: run `cds-service db upgrade`"


def test_a_newer_schema_is_not_upgraded_backwards(database: LiveDatabase) -> None:
    opened = database.open()
    with opened.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    opened.upgrade()
    assert "newer than this version" in (opened.schema_fault() or "")


@pytest.mark.slow
def test_four_processes_that_upgrade_at_once_make_one_schema(bare: LiveDatabase) -> None:
    """As four nodes do that are started together."""
    command = [Path(sys.executable).with_name("cds-service"), "db", "upgrade"]
    environment = os.environ | {"CDS_DATABASE_URL": bare.url}
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(4)
    ]
    said = [one.communicate(timeout=120) for one in started]
    assert said == [("the database schema is up to date\n", "")] * 4
    assert bare.open().schema_fault() is None


def test_an_upgrade_that_is_broken_off_leaves_what_was_there(bare: LiveDatabase) -> None:
    """The last table fails: the first ones are not there either."""
    opened = bare.open()
    with opened.write() as connection:
        connection.execute(text("CREATE TABLE issued_suggestion (somebody_elses INTEGER)"))
    with pytest.raises(DatabaseUnavailable):
        opened.upgrade()
    with opened.read() as connection:
        assert inspect(connection).get_table_names() == ["issued_suggestion"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("north", "north", id="a name"),
        pytest.param("x" * 300, "x" * LONGEST_NAME, id="one that is too long"),
        pytest.param("a\0b", "a?b", id="one with a character that PostgreSQL does not take"),
        pytest.param("a\ud800b", "a?b", id="one with half a character"),
    ],
)
def test_a_tenant_is_stored_as_both_databases_can_hold_it(database: LiveDatabase, given: str, kept: str) -> None:
    row = {"day": "2026-11-22", "client": "c", "hook": "h", "outcome": "cards", "calls": 1, "tenant": as_name(given)}
    with database.open().write() as connection:
        connection.execute(METADATA.tables["call_count"].insert(), row)
    assert [one["tenant"] for one in database.rows(METADATA.tables["call_count"])] == [kept]
