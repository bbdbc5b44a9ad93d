"""Connections to PostgreSQL: durable transactions, and statements that end in time."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

_GRACE_S = 0.5  # within it a running server has canceled a late statement
_CONNECT_S = 2  # the least that libpq takes
_MOST_CONNECTIONS = 16  # of one process to PostgreSQL, which has 100 by default


class SilentServer(psycopg.OperationalError):
    """A server that is connected and does not respond."""


class _AnsweredConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that does not respond, because it or the network has stopped.

    The statement_timeout of a stopped server has no effect, and TCP keeps the connection of a stopped process open.
    """

    silent_s: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As in psycopg, for at most `silent_s`. Raises SilentServer."""
        timeout = self.silent_s if timeout is None else timeout
        begun = time.monotonic()
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if timeout is None or time.monotonic() - begun < timeout:
                raise
            self.pgconn.finish()  # a late answer must not be read
            raise SilentServer from None


def postgresql_engine(url: URL, pool_size: int, pool_timeout_s: float, statement_ms: int) -> Engine:
    """An engine whose statements end after `statement_ms` (0: never), also where the server does not respond."""
    options = f"-c statement_timeout={statement_ms} -c lock_timeout={statement_ms}"
    of_url = url.query.get("options", "")  # such as a search_path
    connect_args = {
        "connect_timeout": _CONNECT_S,
        "options": " ".join(filter(None, (of_url if isinstance(of_url, str) else " ".join(of_url), options))),
        "application_name": "cds-service",
    }
    engine = create_engine(
        url,
        pool_size=min(pool_size, _MOST_CONNECTIONS),
        max_overflow=0,
        pool_timeout=pool_timeout_s,
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
    """Switch `synchronous_commit` on where the server has it off: an acknowledged entry must be on disk."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def _wait_once(context: ExceptionContext) -> None:
    """Where a pooled connection does not respond, do not wait for a new one: the server does not respond."""
    if context.is_pre_ping and isinstance(context.original_exception, SilentServer):
        context.is_disconnect = False
