"""Brings the schema of a database to the newest version, with Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from cds_service.storage.schema import SchemaState, schema_state

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7306018  # number of PostgreSQL's advisory lock for upgrades; chosen freely


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version under an exclusive lock; a newer schema stays as it is."""
    config = _alembic_config()
    with engine.connect().execution_options(sqlite_begin="BEGIN EXCLUSIVE") as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        current = MigrationContext.configure(connection).get_current_revision()
        if schema_state(current) is SchemaState.NEWER:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
