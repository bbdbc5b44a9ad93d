"""The URLs of databases that are supported: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def parse_database_url(text: str) -> URL:
    """A SQLite or PostgreSQL URL with its driver. Raises ValueError, which says what to write."""
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise ValueError("must be a URL such as sqlite:////var/lib/cds/ledger.sqlite or postgresql://…") from None
    if backend == "sqlite" and url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or ":memory:" in url.database:
            raise ValueError("must name a file: a SQLite database in memory forgets what was acknowledged")
        if url.query or url.database.startswith("file:"):
            raise ValueError("must be the plain path of a file, sqlite:////var/lib/cds/ledger.sqlite, without options")
        return url.set(drivername="sqlite")
    if backend in ("postgresql", "postgres") and url.database:
        return url.set(drivername="postgresql+psycopg")
    raise ValueError("must be a sqlite:///… or postgresql://… URL with the name of a database")
