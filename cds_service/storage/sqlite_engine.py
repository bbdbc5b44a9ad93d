"""The engine of a database, and connections to SQLite: durable transactions, and a bounded wait for other writers."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

LOCKED_MS = 1_000  # how long a transaction waits for other writers, for a connection, and for a statement
_POLL_MS = 2


def make_engine(url: URL, pool_size: int, statement_ms: int) -> Engine:
    """An engine for this URL. `statement_ms`: the longest time for a statement, 0 for no limit.

    Error messages never contain the parameters of a statement: they may be what a user wrote.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, pool_size)
    from cds_service.storage.postgresql_engine import postgresql_engine  # psycopg is not loaded for SQLite

    return postgresql_engine(url, pool_size, LOCKED_MS / 1000, statement_ms)


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=LOCKED_MS / 1000, hide_parameters=True
    )
    path = url.database or ""

    def set_up(connection: Any, record: ConnectionPoolEntry) -> None:
        """Readers and one writer at a time; each transaction is on disk before it is acknowledged."""
        connection.isolation_level = None  # transactions begin in _begin_sqlite alone
        record.info["file"] = _identity(path)
        cursor = connection.cursor()
        _try_while_busy(connection, "PRAGMA journal_mode=WAL")  # SQLite does not wait here while another process closes
        for pragma in (f"busy_timeout={LOCKED_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def refuse_lost_file(_: Any, record: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        """Refuse a connection to a file that was removed or replaced: what is written there would be lost."""
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
    """Begin a transaction. A writer takes the write lock before it reads, so that it cannot fail later.

    It tries every few milliseconds. SQLite's own busy handler tries less and less often, so that one of several
    processes sometimes waits for a second.
    """
    begin = connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE")
    if begin == "BEGIN":
        connection.exec_driver_sql(begin)
        return
    raw: Any = connection.connection.dbapi_connection
    raw.execute(f"PRAGMA busy_timeout={_POLL_MS}")
    try:
        _try_while_busy(raw, begin)
        if not raw.in_transaction:
            connection.exec_driver_sql(begin)  # to raise the error as SQLAlchemy's
    finally:
        raw.execute(f"PRAGMA busy_timeout={LOCKED_MS}")


def _try_while_busy(raw: Any, statement: str) -> None:
    """Execute a statement, again while another process has the database. Any other error is left to the next one."""
    until = time.monotonic() + LOCKED_MS / 1000
    while _is_busy(raw, statement) and time.monotonic() < until:
        time.sleep(random.uniform(0, _POLL_MS / 1000))  # noqa: S311 - so that two processes do not try at once


def _is_busy(raw: Any, statement: str) -> bool:
    """Whether another process kept this statement from being executed."""
    try:
        raw.execute(statement)
    except sqlite3.Error as fault:
        return fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False
