"""Brings the schema of a database to the newest version, or back to an older one, with Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from cds_service.storage.schema import SchemaState, schema_state

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7306018  # number of PostgreSQL's advisory lock for upgrades; chosen freely


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version under an exclusive lock; a newer schema stays as it is."""
    with _locked(engine) as connection:
        if schema_state(_version(connection)) is not SchemaState.NEWER:
            command.upgrade(_alembic_config(connection), "head")
            connection.commit()


def downgrade(engine: Engine, version: str) -> None:
    """Bring the schema back to an older version under an exclusive lock; a schema of that version stays as it is.

    Raises ValueError, in words for an operator, if there is no way back to that version.
    """
    with _locked(engine) as connection:
        config, current = _alembic_config(connection), _version(connection)
        older = sorted(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())
        if schema_state(current) is SchemaState.NEWER:
            raise ValueError(
                f"the database schema ({current}) is newer than this version: run the version that created it"
            )
        if current is None or version not in older or version > current:
            raise ValueError(f"--to {version}: it cannot be reached from {current or 'no schema'}")
        command.downgrade(config, version)
        connection.commit()


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """A transaction during which no other upgrade or downgrade runs."""
    with engine.connect().execution_options(sqlite_begin="BEGIN EXCLUSIVE") as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _alembic_config(connection: Connection) -> Config:
    config = Config()
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
