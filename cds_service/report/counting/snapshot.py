"""One reading of the ledger: a transaction that writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from cds_service.storage.database import Database

_MEMORY_KIB = 32_000  # of the database, for sorting; with what they have by default both take twice as long


@contextmanager
def ledger_snapshot(database: Database) -> Iterator[Connection]:
    """A transaction that sees one moment of the ledger. Raises DatabaseUnavailable.

    Over a long ledger a statement takes many seconds: open the database with `statement_ms=0`.
    """
    with database.read() as connection:
        if database.is_sqlite:  # its transactions see one moment anyhow
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL work_mem = '{_MEMORY_KIB}kB'")
        yield connection
