"""`cds-service db`: the schema of the database, and how long its rows are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cds_service.cli.ending import refuse, settings_of_environment
from cds_service.readable import counted

if TYPE_CHECKING:
    from cds_service.storage.database import Database


@click.group()
def db() -> None:
    """Manage the database (CDS_DATABASE_URL)."""


@db.command()
def upgrade() -> None:
    """Upgrade the database schema to this version. Data is kept; it is safe to run this again, or twice at once."""
    from cds_service.storage.database import DatabaseUnavailable

    with _database() as database:
        try:
            database.upgrade()
            fault = database.schema_fault()
        except DatabaseUnavailable as reason:
            fault = str(reason)
    if fault:
        refuse("the database was not upgraded", [fault])
    click.echo("the database schema is up to date")


@db.command()
@click.option("--to", "version", required=True, metavar="VERSION", help="Schema version, such as 0001.")
def downgrade(version: str) -> None:
    """Downgrade the database schema, so that an older version of the program can use it. Stop every node first.

    Cards and feedback stay. docs/deployment.md says what each step back gives up.
    """
    from cds_service.storage.database import DatabaseUnavailable

    try:
        with _database() as database:
            database.downgrade(version)
    except ValueError as fault:
        refuse("the database was not downgraded", [str(fault)])
    except DatabaseUnavailable as reason:
        refuse("the database was not downgraded", [str(reason)])
    click.echo(f"the database schema is now {version}: start the program version that uses it")


@db.command()
@click.option("--older-than", "days", required=True, metavar="DAYS", help="Age in days, such as 400d.")
@click.option("--dry-run", is_flag=True, help="Count only; remove nothing.")
def prune(days: str, dry_run: bool) -> None:
    """Remove cards, and the feedback on them, that are older than a number of days. Counts of calls are kept."""
    from cds_service.storage.database import DatabaseUnavailable
    from cds_service.storage.retention import parse_days, prune_ledger

    try:
        number = parse_days(days)
        with _database() as database:
            counts = prune_ledger(database, datetime.now(UTC), number, dry_run=dry_run)
    except ValueError as fault:
        refuse("cannot prune", [str(fault)])
    except DatabaseUnavailable as reason:
        refuse("cannot prune", [f"the database does not answer in time ({reason})"])
    for table, count in counts.items():
        click.echo(f"{table}: {counted(count, 'row')} {'would be ' if dry_run else ''}removed")


@contextmanager
def _database() -> Iterator[Database]:
    from cds_service.storage.database import Database

    database = Database(settings_of_environment("cannot open the database").database, pool_size=1, statement_ms=0)
    try:
        yield database
    finally:
        database.close()
