"""`cds-service db upgrade` and `db prune`, and a server that does not start on a schema of another version."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import text

from cds_service.cli.main import main
from cds_service.settings.settings import Settings
from cds_service.storage.schema import FEEDBACK, ISSUED_CARD
from tests.charts import SERVICE, hook_call, post
from tests.databases import LiveDatabase
from tests.registered_service import ISSUER, client_entry
from tests.token_forge import jwk_of, key_for

KEEP: dict[str, str | None] = dict.fromkeys(f"CDS_{setting.name.upper()}" for setting in fields(Settings))
REGISTRY = client_entry("general-hospital", ISSUER, jwks_file="keys.json", algorithms=["ES256"])


def run(database: LiveDatabase | None, *arguments: str, **variables: str) -> Result:
    given = {"CDS_DATABASE_URL": database.url} if database else {}
    return CliRunner().invoke(main, arguments, env=KEEP | given | variables)


def refusal(result: Result) -> list[str]:
    """What a command that refused has said; nothing of a traceback is in it."""
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr.splitlines()


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """The settings of a server that would start, but for its database."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk_of(key_for("ES256"), "ES256", "key")]}))
    (tmp_path / "clients.toml").write_text(REGISTRY)
    return {
        "CDS_PROFILE": "production",
        "CDS_PUBLIC_URL": "https://cds.example.org",
        "CDS_CLIENTS_FILE": str(tmp_path / "clients.toml"),
    }


def test_upgrade_makes_the_schema_and_can_be_run_again(tmp_path: Path) -> None:
    live = LiveDatabase(f"sqlite:///{tmp_path / 'new.sqlite'}")
    for _ in range(2):
        result = run(live, "db", "upgrade")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "the database schema is up to date\n", "")
    assert live.rows(ISSUED_CARD) == []
    live.close()


def test_upgrade_leaves_a_newer_schema_alone_and_says_so(database: LiveDatabase) -> None:
    newer(database)
    assert refusal(run(database, "db", "upgrade")) == [
        "cds-service: the database was not upgraded",
        "  the database schema (9999) is newer than this version: run the version that created it",
    ]


@pytest.mark.parametrize("arguments", [("db", "upgrade"), ("db", "prune", "--older-than", "1d")], ids=" ".join)
def test_an_unavailable_database_is_reported_by_its_kind_of_error(arguments: tuple[str, ...], tmp_path: Path) -> None:
    live = LiveDatabase(f"sqlite:///{tmp_path}/no/such/folder.sqlite")
    said = "\n".join(refusal(run(live, *arguments)))
    assert "SQLITE_CANTOPEN" in said


def newer(database: LiveDatabase) -> None:
    with database.open().write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_production_refuses_an_empty_database_and_names_the_command(production: dict[str, str], tmp_path: Path) -> None:
    live = LiveDatabase(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert refusal(run(live, "serve", **production)) == [
        "cds-service: cannot start",
        "  CDS_DATABASE_URL: the database schema does not exist yet: run `cds-service db upgrade`",
    ]


@pytest.mark.parametrize("profile", ["development", "production"])
def test_serve_refuses_a_newer_schema(profile: str, production: dict[str, str], database: LiveDatabase) -> None:
    newer(database)
    settings = production if profile == "production" else {}
    assert refusal(run(database, "serve", **settings)) == [
        "cds-service: cannot start",
        "  CDS_DATABASE_URL: the database schema (9999) is newer than this version: run the version that created it",
    ]


def test_serve_refuses_an_older_schema_and_names_the_command(
    production: dict[str, str], database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.storage.schema.SCHEMA_VERSION", "9999")
    assert refusal(run(database, "serve", **production)) == [
        "cds-service: cannot start",
        "  CDS_DATABASE_URL: the database schema is too old for this version: run `cds-service db upgrade`",
    ]


def test_prune_says_what_it_removed_and_dry_run_removes_nothing(
    database: LiveDatabase, make_app: Callable[..., Flask]
) -> None:
    client = make_app(clock=long_ago, database_url=database.url, threads=4).test_client()
    (card,) = post(client, hook_call()).get_json()["cards"]
    entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2020-01-01T00:00:00Z"}
    assert client.post(f"{SERVICE}/feedback", json={"feedback": [entry]}).status_code == 200
    counted = run(database, "db", "prune", "--older-than", "400d", "--dry-run")
    assert len(database.rows(ISSUED_CARD)) == len(database.rows(FEEDBACK)) == 1
    removed = run(database, "db", "prune", "--older-than", "400d")
    assert database.rows(ISSUED_CARD) == database.rows(FEEDBACK) == []
    assert (counted.exit_code, removed.exit_code) == (0, 0)
    assert "issued_card: 1 row would be removed" in counted.stdout.splitlines()
    assert "issued_card: 1 row removed" in removed.stdout.splitlines()
    assert "seen_token: 0 rows removed" in removed.stdout.splitlines()


def long_ago() -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("days", ["", "0", "yesterday"])
def test_prune_wants_a_number_of_days(days: str, database: LiveDatabase) -> None:
    assert refusal(run(database, "db", "prune", "--older-than", days)) == [
        "cds-service: cannot prune",
        "  --older-than is a number of days, such as 400d",
    ]


def test_downgrade_makes_the_schema_of_an_older_version_and_upgrade_that_of_this_one(database: LiveDatabase) -> None:
    assert run(database, "db", "downgrade", "--to", "0001").stdout == (
        "the database schema is now 0001: start the program version that uses it\n"
    )
    assert (database.open().schema_fault() or "").startswith("the database schema is too old")
    assert run(database, "db", "upgrade").exit_code == 0
    assert database.open().schema_fault() is None


def test_downgrade_refuses_what_is_no_older_version(sqlite_database: LiveDatabase) -> None:
    assert refusal(run(sqlite_database, "db", "downgrade", "--to", "0007")) == [
        "cds-service: the database was not downgraded",
        "  --to 0007: it cannot be reached from 0002",
    ]
