"""`cds-service report`: reads the ledger, changes nothing. What a format needs is imported when it is asked for."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.version import PROJECT, program_version

if TYPE_CHECKING:
    from cds_service.report.content_words import ContentWords
    from cds_service.report.counting.window import Window
    from cds_service.report.ledger_report import LedgerReport
    from cds_service.storage.database import Database

_BREAKDOWNS = ("service", "card", "week", "client", "tenant", "reason", "suggestion", "content-version")
_WIDE = 132  # columns, where the output is no terminal
_NARROW = 100
_NO_RIGHT = "InsufficientPrivilege"  # PostgreSQL's name for it


class ReportRefused(click.ClickException):
    """The report cannot be made; exit status 1 and one line."""

    def show(self, file: object = None) -> None:
        """As the other verbs say it."""
        click.echo(f"cds-service: cannot report: {self.message}", err=True)


@click.command()
@click.option("--since", default="30d", metavar="WHEN", help="30d or 12w ago, or a date (UTC).  [default: 30d]")
@click.option("--until", metavar="WHEN", help="The last day, which is included; written as --since.  [default: today]")
@click.option(
    "--by",
    "breakdowns",
    type=click.Choice(_BREAKDOWNS),
    multiple=True,
    help="What to break down by; json and html take several.  [default: card; json and html: all]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json", "csv", "html")),
    default="table",
    help="table: to read here; json: for machines; csv: for spreadsheets; html: for a committee.  [default: table]",
)
@click.option("--database-url", metavar="URL", help="The ledger, if not that of CDS_DATABASE_URL.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to a file.")
def report(
    since: str,
    until: str | None,
    breakdowns: tuple[str, ...],
    format_: str,
    database_url: str | None,
    output: Path | None,
) -> None:
    """Report what happened to the cards: shown, accepted, overridden, not answered, and why.

    Unanswered does not mean ignored: EHRs need not send feedback. docs/report.md says how to read it.
    """
    if format_ in ("table", "csv") and len(breakdowns) > 1:
        raise click.UsageError(f"--format {format_} is one table: give --by once.")
    if format_ == "html":
        _require_charts()
    wanted = breakdowns or (("card",) if format_ in ("table", "csv") else _BREAKDOWNS)
    now = datetime.now(UTC)
    window = _window(since, until, now)
    made = _ask(open_database(database_url), window, wanted, now)
    text = _lay_out(made, format_, wanted, to_file=output is not None)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        # a spreadsheet takes a file for UTF-8 only where it begins with a mark
        output.write_text(text, encoding="utf-8-sig" if format_ == "csv" else "utf-8", newline="")
    except OSError as fault:
        raise ReportRefused(f"{output} cannot be written: {fault.strerror}") from None


def open_database(text: str | None) -> Database:
    """The database at a URL, else that of the settings. Raises ReportRefused."""
    from cds_service.errors import NotReady
    from cds_service.settings.settings import read_settings
    from cds_service.storage.database import Database
    from cds_service.storage.database_url import parse_database_url

    try:
        url = parse_database_url(text) if text else read_settings(os.environ).database
    except ValueError as fault:
        raise ReportRefused(f"--database-url {fault}") from None
    except NotReady as fault:
        raise ReportRefused("; ".join(fault.reasons)) from None
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ReportRefused("there is no database yet")  # SQLite would make an empty one
    return Database(url, pool_size=1, statement_ms=0)  # nobody waits at a bedside for a report


def _window(since: str, until: str | None, now: datetime) -> Window:
    from cds_service.report.counting.window import window_of

    first = _day("--since", since, now)
    last = now.date() if until is None else _day("--until", until, now)
    try:
        return window_of(first, last, now)
    except ValueError as fault:
        raise click.BadParameter(f"{until!r} {fault}", param_hint="--until") from None


def _day(option: str, text: str, now: datetime) -> date:
    from cds_service.report.counting.window import read_day

    try:
        return read_day(text, now.date())
    except ValueError as fault:
        raise click.BadParameter(f"{text!r} {fault}", param_hint=option) from None


def _ask(database: Database, window: Window, wanted: tuple[str, ...], now: datetime) -> LedgerReport:
    from cds_service.report.ledger_report import build_report
    from cds_service.storage.database import DatabaseUnavailable

    try:
        fault = database.schema_fault()
        if fault:
            raise ReportRefused(f"the database is not ready: {fault}")
        return build_report(database, window, _words(), f"cds-service {program_version()}", wanted, made_at=now)
    except DatabaseUnavailable as reason:
        if str(reason) == _NO_RIGHT:
            raise ReportRefused("the database user may not read the ledger") from None
        raise ReportRefused(f"the database is not available ({reason})") from None
    finally:
        database.close()


def _words() -> ContentWords:
    """The content's own words, as they stand now."""
    from cards.catalogue import load_topics
    from cards.content.files import ContentError
    from cds_service.errors import NotReady
    from cds_service.report.content_words import words_of
    from cds_service.settings.cards_off import switched_off_cards
    from cds_service.settings.setting_values import NAMES

    names = os.environ.get("CDS_CARDS_OFF")
    try:
        topics = load_topics()
        return words_of(topics.values(), switched_off_cards(NAMES.read(names) if names else (), topics))
    except ValueError as fault:
        raise ReportRefused(f"CDS_CARDS_OFF {fault}") from None
    except NotReady as refusal:
        raise ReportRefused("; ".join(refusal.reasons)) from None
    except ContentError as fault:
        raise ReportRefused(f"the clinical content has faults: {fault}") from None


def _lay_out(made: LedgerReport, format_: str, wanted: tuple[str, ...], *, to_file: bool) -> str:
    if format_ == "json":
        from cds_service.report.formats.as_json import as_json

        return as_json(made, wanted)
    if format_ == "csv":
        from cds_service.report.formats.as_csv import as_csv

        return as_csv(made, wanted[0])
    if format_ == "html":
        from cds_service.report.formats.as_html import as_html

        return as_html(made, wanted)
    from cds_service.report.formats.as_table import as_table

    in_terminal = not to_file and sys.stdout.isatty()
    return as_table(made, wanted[0], max(_NARROW, shutil.get_terminal_size().columns) if in_terminal else _WIDE)


def _require_charts() -> None:
    try:
        import matplotlib  # noqa: F401 - whether it is there
    except ImportError:
        raise ReportRefused(f"--format html draws charts: pip install '{PROJECT}[report]'") from None
