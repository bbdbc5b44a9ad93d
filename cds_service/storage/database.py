"""The database: one engine for SQLite and PostgreSQL, and the state of its schema.

A database that cannot do its work raises `DatabaseUnavailable` within seconds (design.md 6).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from cds_service.storage.schema import SchemaState, schema_state
from cds_service.storage.sqlite_engine import LOCKED_MS, make_engine

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_LEFT_ALONE_S = 5.0  # for so long after a failure, hook calls do not try the database
JUST_FAILED = "not tried: it failed a moment ago"
_VERSION = text("SELECT version_num FROM alembic_version")  # where Alembic keeps it
_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NoConnectionFree, OSError)
# PostgreSQL: a table, a column or a schema is missing, or this user may not use it. An operator has to repair that, as
# with a server that is down. SQLite raises OperationalError for it.
_NOT_AS_NEEDED = frozenset({"42P01", "42703", "3F000", "42501"})


class DatabaseUnavailable(Exception):
    """The database cannot be used now. The message names the kind of error, and no content."""


class Database:
    """One database. `write` and `read` give a transaction, or raise DatabaseUnavailable.

    An error in a statement or its values, which would fail again, is raised as it is.

    After a failure one caller at a time tries the database again. The others wait for their turn, a second at most;
    those with `insist=False` (hook calls, which can do without it) are refused at once, for a few seconds.
    `statement_ms`: the longest time for a statement; 0, for commands that an operator waits for, is no limit.
    """

    def __init__(
        self,
        url: URL,
        *,
        pool_size: int,
        statement_ms: int = LOCKED_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = make_engine(url, pool_size, statement_ms)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._monotonic = monotonic
        self.last_write_failed = False  # on a full disk a database can be read but not written to
        self._unavailable_until = 0.0  # 0: it was available at the last attempt
        self._trial = Lock()
        self._inserts: dict[Table, sqlite.Insert | postgresql.Insert] = {}
        self._keyed_inserts: dict[Table, Any] = {}  # the same, with the keys of what was inserted
        self._writer = Lock()  # SQLite has one writer at a time and does not queue the others, so they queue here

    @contextmanager
    def write(self, *, insist: bool = True) -> Iterator[Connection]:
        """A transaction that is durable once the block has been left without an error."""
        self._refuse_if_left_alone(insist)
        turn = self._turn(self._writer) if self.is_sqlite else nullcontext()
        try:
            with turn, self._attempt(insist), self.engine.begin() as connection:
                yield connection
        except DatabaseUnavailable:
            self.last_write_failed = True
            raise
        self.last_write_failed = False

    @contextmanager
    def read(self, *, insist: bool = True) -> Iterator[Connection]:
        """A transaction that sees one state of the database and keeps no writer waiting."""
        with self._attempt(insist), self.engine.connect() as connection:
            yield connection.execution_options(sqlite_begin="BEGIN")

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT with an ON CONFLICT clause."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # a fiftieth of a second, which a start on SQLite does without

        return postgresql.insert(table)

    def insert_new(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that skips rows whose key exists already."""
        if table not in self._inserts:
            self._inserts[table] = self.insert(table).on_conflict_do_nothing()
        return self._inserts[table]

    def insert_keys(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
        """Insert the rows whose key, of one column, does not exist yet, and return their keys."""
        if table not in self._keyed_inserts:
            self._keyed_inserts[table] = self.insert_new(table).returning(*table.primary_key)
        return set(connection.execute(self._keyed_inserts[table], rows).scalars()) if rows else set()

    def schema_version(self) -> str | None:
        """The version of the schema, None where there is none yet. Raises DatabaseUnavailable."""
        with self.read() as connection:
            made = inspect(connection).has_table("alembic_version")
            return connection.execute(_VERSION).scalar() if made else None

    def schema_fault(self) -> str | None:
        """Why this version cannot use the schema, in words for an operator; None where it can.

        Raises DatabaseUnavailable.
        """
        current = self.schema_version()
        match schema_state(current):
            case SchemaState.CURRENT:
                return None
            case SchemaState.NEWER:
                return f"the database schema ({current}) is newer than this version: run the version that created it"
            case SchemaState.OUTDATED:
                state = "is too old for this version" if current else "does not exist yet"
                return f"the database schema {state}: run `cds-service db upgrade`"

    def upgrade(self) -> None:
        """Bring the schema to the newest version; what is stored stays. Safe to run twice, also at the same time.

        One that is newer is left as it is: `schema_fault` says so. Raises DatabaseUnavailable.
        """
        from cds_service.storage.upgrade import upgrade  # Alembic: a process that answers calls does without it

        try:
            upgrade(self.engine)
        except (SQLAlchemyError, OSError) as fault:
            raise DatabaseUnavailable(f"{_kind(fault)} while the database schema was upgraded") from fault

    def downgrade(self, version: str) -> None:
        """Bring the schema back to an older version, for a program that knows no newer one; what it can hold stays.

        Raises ValueError where there is no way back to that version, and DatabaseUnavailable.
        """
        from cds_service.storage.upgrade import downgrade

        try:
            downgrade(self.engine, version)
        except (SQLAlchemyError, OSError) as fault:
            raise DatabaseUnavailable(f"{_kind(fault)} while the database schema was downgraded") from fault

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def left_alone_s(self) -> float:
        """For how many seconds those who do not insist are refused, after a failure; mostly 0."""
        return max(self._unavailable_until - self._monotonic(), 0.0) if self._unavailable_until else 0.0

    def _refuse_if_left_alone(self, insist: bool) -> None:
        if not insist and self.left_alone_s():
            raise DatabaseUnavailable(JUST_FAILED)

    @contextmanager
    def _attempt(self, insist: bool) -> Iterator[None]:
        """One use of the database, whose success or failure is remembered. Raises DatabaseUnavailable."""
        self._refuse_if_left_alone(insist)
        with self._turn(self._trial, wait=insist) if self._unavailable_until else nullcontext():
            try:
                yield
            except (SQLAlchemyError, OSError) as fault:
                if not _is_unavailable(fault):
                    raise
                self._unavailable_until = self._monotonic() + _LEFT_ALONE_S
                raise DatabaseUnavailable(_kind(fault)) from None
            self._unavailable_until = 0.0

    @contextmanager
    def _turn(self, lock: Lock, *, wait: bool = True) -> Iterator[None]:
        if not (lock.acquire(timeout=LOCKED_MS / 1000) if wait else lock.acquire(blocking=False)):
            raise DatabaseUnavailable("others wait for it already")
        try:
            yield
        finally:
            lock.release()


def _is_unavailable(fault: Exception) -> bool:
    """Whether the error is one of the database rather than of a statement. A damaged SQLite file: DatabaseError."""
    lost = isinstance(fault, DBAPIError) and fault.connection_invalidated
    state = getattr(fault.orig, "sqlstate", None) if isinstance(fault, DBAPIError) else None
    return lost or isinstance(fault, _UNAVAILABLE) or type(fault) is DatabaseError or state in _NOT_AS_NEEDED


def _kind(fault: Exception) -> str:
    """The kind of error by the database's own name for it: DiskFull, SQLITE_FULL; never its message."""
    original = fault.orig if isinstance(fault, DBAPIError) else fault
    return str(getattr(original, "sqlite_errorname", None) or type(original).__name__)
