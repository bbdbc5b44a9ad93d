"""`cds-service report` as it is called: its options, its refusals, its files."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.report.ledger_report import BREAKDOWNS
from cds_service.report.report_command import report
from tests.cds_service.report.hand_made import HandMadeLedger
from tests.databases import LiveDatabase

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def run(*arguments: str, **variables: str) -> Result:
    """The command with no setting of its surroundings."""
    return CliRunner().invoke(report, arguments, env={"CDS_DATABASE_URL": None, **variables})


@pytest.fixture
def ledger(database: LiveDatabase) -> LiveDatabase:
    """Three cards of yesterday."""
    rows = HandMadeLedger()
    rows.show_many(0, 0, 2, at=YESTERDAY)
    rows.show_many(0, 0, 1, at=YESTERDAY, card="what-to-expect")
    rows.write(database.open())
    database.close()
    return database


def test_table_is_what_comes_unasked(ledger: LiveDatabase) -> None:
    result = run("--database-url", ledger.url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "confounders" in result.stdout
    assert "Unanswered does not mean ignored" in result.stdout


def test_the_database_may_be_named_by_the_setting(sqlite_database: LiveDatabase) -> None:
    result = run("--format", "json", CDS_DATABASE_URL=sqlite_database.url)
    assert (result.exit_code, json.loads(result.stdout)["total"]["issued"]) == (0, 0)


def test_json_has_all_breakdowns_or_those_asked_for(ledger: LiveDatabase) -> None:
    everything = json.loads(run("--database-url", ledger.url, "--format", "json").stdout)
    assert set(everything["by"]) == set(BREAKDOWNS)
    some = json.loads(run("--database-url", ledger.url, "--format", "json", "--by", "client").stdout)
    assert list(some["by"]) == ["client"]
    assert some["total"]["issued"] == 3


def test_since_leaves_out_what_is_older(ledger: LiveDatabase) -> None:
    today = datetime.now(UTC).date().isoformat()
    result = run("--database-url", ledger.url, "--format", "json", "--since", today)
    assert json.loads(result.stdout)["total"]["issued"] == 0


def test_output_goes_to_a_file_that_a_spreadsheet_reads(ledger: LiveDatabase, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    result = run("--database-url", ledger.url, "--format", "csv", "--output", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfservice,card,")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        assert [row["card"] for row in csv.DictReader(lines)] == ["confounders", "what-to-expect"]


def test_html_is_a_page(ledger: LiveDatabase, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    result = run("--database-url", ledger.url, "--format", "html", "--output", str(file))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert file.read_text("utf-8").startswith("<!doctype html>")


def test_a_schema_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    result = run("--database-url", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cds-service db upgrade" in result.stderr
    assert result.stderr.startswith("cds-service: cannot report: the database is not ready:")


def test_a_database_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    result = run("--database-url", f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert (result.exit_code, result.stderr) == (1, "cds-service: cannot report: there is no database yet\n")
    assert list(tmp_path.iterdir()) == []


def test_an_unavailable_database_is_refused_without_its_password() -> None:
    result = run("--database-url", "postgresql://cds:secret@127.0.0.1:9/ledger")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("cds-service: cannot report: the database is not available")
    assert "secret" not in result.stderr


@pytest.mark.slow
def test_a_user_who_may_not_read_the_ledger_is_told(postgresql_database: LiveDatabase) -> None:
    with postgresql_database.open().write() as connection:
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON alembic_version TO reader")
    result = run("--database-url", postgresql_database.url.replace("//postgres@", "//reader@"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "may not read the ledger" in result.stderr
    with postgresql_database.open().write() as connection:
        connection.exec_driver_sql("DROP OWNED BY reader")
        connection.exec_driver_sql("DROP ROLE reader")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--since", "soon"], 2, "must be days or weeks ago", id="no time"),
        pytest.param(["--by", "patient"], 2, "'patient' is not one of", id="no breakdown"),
        pytest.param(["--format", "pdf"], 2, "'pdf' is not one of", id="no format"),
        pytest.param(["--by", "card", "--by", "week"], 2, "is one table", id="two breakdowns in one table"),
        pytest.param(["--database-url", "mysql://x/y"], 1, "must be a sqlite", id="another kind of database"),
        pytest.param(["--output", "/nowhere/at/all"], 1, "cannot be written", id="a file that cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], code: int, words: str, sqlite_database: LiveDatabase
) -> None:
    result = run("--database-url", sqlite_database.url, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in " ".join(result.stderr.split())


def test_html_without_matplotlib_says_what_to_install(
    sqlite_database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("--database-url", sqlite_database.url, "--format", "html")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "pip install 'lumbar-puncture-back-pain[report]'" in result.stderr
    assert run("--database-url", sqlite_database.url).exit_code == 0
