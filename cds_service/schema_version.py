"""Which version the schema of a database has, and how it gets to the newest: Alembic's part, apart from the calls."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7306018  # PostgreSQL's advisory lock of those who upgrade; any number that nobody else takes


def find_fault(connection: Connection) -> str | None:
    """Why the schema is not the one this version needs, in words for an operator; None where it is."""
    script = ScriptDirectory.from_config(_alembic_config())
    current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return None
    if current is not None and current not in _known(script):
        return f"its schema ({current}) is newer than this version knows: run the version that made it"
    state = "is older than this version needs" if current else "is not made yet"
    return f"its schema {state}: run `cds-service db upgrade`"


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version, alone; one that is newer is left as it is."""
    config = _alembic_config()
    with engine.connect().execution_options(sqlite_begin="BEGIN EXCLUSIVE") as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in _known(ScriptDirectory.from_config(config)):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _known(script: ScriptDirectory) -> set[str]:
    return {one.revision for one in script.walk_revisions()}
