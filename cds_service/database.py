"""The database: one engine for SQLite and PostgreSQL, and the state of its schema.

Whatever is wrong with it is `DatabaseAway`, quickly: nobody waits long for a database (design.md 6).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

_LOCKED_MS = 1_000  # how long a write waits for other writers, and a call for a statement
_CONNECT_S = 2
_LEFT_ALONE_S = 5.0  # a database that failed is not asked again by hook calls for so long
_MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseAway(Exception):
    """The database could not do what it was asked to. The message names the kind of error, and no content."""


class Database:
    """One database. `write` and `read` give a transaction, or raise DatabaseAway.

    After a failure, `patient=False` callers (hook calls, which can do without) are refused at once for a few seconds.
    `statement_ms`: how long a statement may take; 0, for commands that an operator waits for, as long as it likes.
    """

    def __init__(
        self,
        url: URL,
        *,
        pool_size: int,
        statement_ms: int = _LOCKED_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = _engine(url, pool_size, statement_ms)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._monotonic = monotonic
        self._away_until = 0.0

    @contextmanager
    def write(self, *, patient: bool = True) -> Iterator[Connection]:
        """A transaction that is durable once the block has been left without an error."""
        if not patient and self._monotonic() < self._away_until:
            raise DatabaseAway("left alone after a failure")
        try:
            with self.engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as fault:
            self._away_until = self._monotonic() + _LEFT_ALONE_S
            raise DatabaseAway(type(fault).__name__) from None
        self._away_until = 0.0

    @contextmanager
    def read(self, *, patient: bool = True) -> Iterator[Connection]:
        """A transaction that sees one state of the database and keeps no writer waiting."""
        if not patient and self._monotonic() < self._away_until:
            raise DatabaseAway("left alone after a failure")
        try:
            with self.engine.connect().execution_options(sqlite_begin="BEGIN") as connection:
                yield connection
        except (SQLAlchemyError, OSError) as fault:
            raise DatabaseAway(type(fault).__name__) from None

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say what is to happen where the key is there already."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def insert_new(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that passes over rows whose key is there already."""
        return self.insert(table).on_conflict_do_nothing()

    def schema_fault(self) -> str | None:
        """Why the schema is not the one this version needs, in words for an operator; None where it is.

        Raises DatabaseAway where the database cannot be asked.
        """
        newest = ScriptDirectory.from_config(_alembic_config()).get_current_head()
        with self.read() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        if current == newest:
            return None
        known = {one.revision for one in ScriptDirectory.from_config(_alembic_config()).walk_revisions()}
        if current is not None and current not in known:
            return f"its schema ({current}) is newer than this version knows: run the version that made it"
        state = "is older than this version needs" if current else "is not made yet"
        return f"its schema {state}: run `cds-service db upgrade`"

    def upgrade(self) -> None:
        """Bring the schema to the newest version; what is stored stays. Safe to run twice, also at the same time.

        Raises DatabaseAway.
        """
        config = _alembic_config()
        try:
            with self.engine.connect().execution_options(sqlite_begin="BEGIN EXCLUSIVE") as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7306018)")
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
        except (SQLAlchemyError, OSError) as fault:
            raise DatabaseAway(f"{type(fault).__name__} while the schema was brought up to date") from fault

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: URL, pool_size: int, statement_ms: int) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=2)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = f"-c statement_timeout={statement_ms} -c lock_timeout={statement_ms}"
    connect_args = {
        "connect_timeout": _CONNECT_S,
        "tcp_user_timeout": _CONNECT_S * 1000,
        "options": options,
        "application_name": "cds-service",
    }
    return create_engine(
        url, pool_size=min(pool_size, 16), max_overflow=0, pool_timeout=2, pool_pre_ping=True, connect_args=connect_args
    )


def _set_up_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    """Readers beside one writer, each transaction on the disk before it is acknowledged."""
    connection.isolation_level = None  # transactions begin where we say so
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_LOCKED_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn before it reads: nobody is refused in the middle because somebody else has written."""
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))
