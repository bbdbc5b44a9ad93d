"""`python -m bench.servers.runner NAME PORT WORKERS`: another server than ours, with all that ours is given.

The same threads, five seconds of grace for calls in work, the folder in which worker processes share their metrics, and
everything loaded before workers are forked, where the server forks them.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from typing import Any

from cds_service.operations.metrics_folder import metrics_folder
from cds_service.server.preloading import preload
from cds_service.settings.settings import read_settings
from cds_service.storage.database import Database

_THREADS = 64
_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 10
_WSGI = "cds_service.app:create_app_from_environment"


def granian_wsgi(port: int, workers: int) -> None:
    """granian, its threads waiting in the body of a request."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels

    multiprocessing.set_start_method("fork", force=True)
    preload(read_settings(os.environ))
    Granian(
        _WSGI,
        factory=True,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=_THREADS,
        workers_kill_timeout=_GRACE_SECONDS,
        log_level=LogLevels.error,
        log_access=False,
    ).serve()


def gunicorn(port: int, workers: int) -> None:
    """gunicorn with threads."""
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):  # type: ignore[misc, unused-ignore]
        def load_config(self) -> None:
            settings = {
                "bind": f"127.0.0.1:{port}",
                "workers": workers,
                "worker_class": "gthread",
                "threads": _THREADS,
                "graceful_timeout": _GRACE_SECONDS,
                "keepalive": _KEEP_ALIVE_SECONDS,
                "loglevel": "error",
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from cds_service.app import create_app_from_environment

            return create_app_from_environment()

    preload(read_settings(os.environ))
    Application().run()


_SERVERS: dict[str, Callable[[int, int], None]] = {
    "granian-wsgi": granian_wsgi,
    "gunicorn": gunicorn,
}


def make_ledger() -> None:
    """The tables of the ledger, as `cds-service serve` makes them: without, no call would wait for a write."""
    database = Database(read_settings(os.environ).database, pool_size=1)
    database.upgrade()
    database.close()


if __name__ == "__main__":
    with metrics_folder():
        make_ledger()
        _SERVERS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
