"""How PostgreSQL is connected to: durable before the answer, and no statement waited for in vain."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

_GRACE_S = 0.5  # a server that lives has cancelled a statement by then
_CONNECT_S = 2  # the least that libpq takes
_MOST_CONNECTIONS = 16  # of one process to PostgreSQL, which has 100 by default


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


def postgresql_engine(url: URL, pool_size: int, pool_timeout_s: float, statement_ms: int) -> Engine:
    """An engine whose statements end after `statement_ms`, 0 for never, whatever the server does or does not say."""
    options = f"-c statement_timeout={statement_ms} -c lock_timeout={statement_ms}"
    given = url.query.get("options", "")  # such as a search_path
    connect_args = {
        "connect_timeout": _CONNECT_S,
        "options": " ".join(filter(None, (given if isinstance(given, str) else " ".join(given), options))),
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
