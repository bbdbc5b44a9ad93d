"""How SQLite and PostgreSQL are connected to: durable before the answer, and no statement waited for in vain."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

LOCKED_MS = 1_000  # how long a transaction waits for other writers, for a connection, and for a statement
_GRACE_S = 0.5  # a server that lives has cancelled a statement by then
_CONNECT_S = 2  # the least that libpq takes
_POLL_MS = 2
_MOST_CONNECTIONS = 16  # of one process to PostgreSQL, which has 100 by default


def make_engine(url: URL, pool_size: int, statement_ms: int) -> Engine:
    """An engine for this URL. `statement_ms`: how long a statement may take, 0 for as long as it likes.

    No message of an error holds parameters of a statement: they may be what a user wrote.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, pool_size)
    return _postgresql_engine(url, min(pool_size, _MOST_CONNECTIONS), statement_ms)


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=LOCKED_MS / 1000, hide_parameters=True
    )
    path = url.database or ""

    def set_up(connection: Any, record: ConnectionPoolEntry) -> None:
        """Readers beside one writer, each transaction on the disk before it is acknowledged."""
        connection.isolation_level = None  # transactions begin where we say so
        record.info["file"] = _identity(path)
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={LOCKED_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def refuse_lost_file(_: Any, record: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        """A file that was removed or replaced would take what is written, and nobody would ever read it."""
        if record.info["file"] != _identity(path):
            raise DisconnectionError("the database file is not the one that was opened")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", refuse_lost_file)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a tenth of what Path costs, on every transaction
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn before it reads: nobody is refused in the middle because somebody else has written.

    It asks for the turn every few milliseconds. SQLite's own way of waiting asks ever less often, so that with several
    processes one of them is passed over for a second now and then.
    """
    begin = connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE")
    if begin == "BEGIN":
        connection.exec_driver_sql(begin)
        return
    raw: Any = connection.connection.dbapi_connection
    until = time.monotonic() + LOCKED_MS / 1000
    raw.execute(f"PRAGMA busy_timeout={_POLL_MS}")
    try:
        while _is_busy(raw, begin) and time.monotonic() < until:
            time.sleep(random.uniform(0, _POLL_MS / 1000))  # noqa: S311 - so that two do not keep step
        if not raw.in_transaction:
            connection.exec_driver_sql(begin)  # for the error, as SQLAlchemy tells it
    finally:
        raw.execute(f"PRAGMA busy_timeout={LOCKED_MS}")


def _is_busy(raw: Any, begin: str) -> bool:
    """Whether a transaction could not begin because another one is under way."""
    try:
        raw.execute(begin)
    except sqlite3.Error as fault:
        return fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


class SilentServer(psycopg.OperationalError):
    """A server that is connected to and says nothing."""


class _AnsweredConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that is silent, whatever the reason: it is stopped, or the network is.

    The server's own statement_timeout does nothing then, and TCP finds nothing wrong with a process that is stopped.
    """

    silent_s: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As psycopg's, `silent_s` at most. Raises SilentServer."""
        timeout = self.silent_s if timeout is None else timeout
        begun = time.monotonic()
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if timeout is None or time.monotonic() - begun < timeout:
                raise
            self.pgconn.finish()  # whatever it would still say, nobody listens
            raise SilentServer from None


def _postgresql_engine(url: URL, pool_size: int, statement_ms: int) -> Engine:
    options = f"-c statement_timeout={statement_ms} -c lock_timeout={statement_ms}"
    given = url.query.get("options", "")  # such as a search_path
    connect_args = {
        "connect_timeout": _CONNECT_S,
        "options": " ".join(filter(None, (given if isinstance(given, str) else " ".join(given), options))),
        "application_name": "cds-service",
    }
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCKED_MS / 1000,
        pool_pre_ping=True,
        connect_args=connect_args,
        hide_parameters=True,
    )
    silent_s = statement_ms / 1000 + _GRACE_S if statement_ms else None

    def connect(_: Dialect, __: ConnectionPoolEntry, arguments: Any, parameters: Any) -> Any:
        connection = _AnsweredConnection.connect(*arguments, **parameters)
        connection.silent_s = silent_s
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", _insist_on_durability)
    event.listen(engine, "handle_error", _wait_once)
    return engine


def _insist_on_durability(connection: Any, _: ConnectionPoolEntry) -> None:
    """A site that has switched `synchronous_commit` off for its other databases has not done so for this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def _wait_once(context: ExceptionContext) -> None:
    """A pooled connection that is silent is no reason to wait for a new one: the server is."""
    if context.is_pre_ping and isinstance(context.original_exception, SilentServer):
        context.is_disconnect = False
