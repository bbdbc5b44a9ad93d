"""Runs the server."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from cds_service.operations.metrics_folder import metrics_folder
from cds_service.server.listening import Server, bind, listen
from cds_service.server.preloading import preload
from cds_service.server.request_body import MOST_CONNECTIONS
from cds_service.settings.settings import Settings

if TYPE_CHECKING:
    from cds_service.server.door import Door

_HEAD_SECONDS = 10  # for the head of a request; also how long an idle connection is kept
_STOP_SECONDS = 5  # for calls under way at SIGTERM; then slow clients are cut off
_SPARE_FILES = 256
_HEAP = {  # by environment variable: its number in malloc.h, and our value
    "MALLOC_ARENA_MAX": (-8, 2),
    "MALLOC_TRIM_THRESHOLD_": (-1, 4 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": (-3, 4 * 2**20),
}


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Each worker reads its settings from the environment.

    On Linux, workers are forked from a process that has loaded everything. A worker that dies is replaced; the server
    ends with status 1 if the new one dies within seconds. Raises NotReady where the port is taken.
    """
    if sys.platform == "linux":  # elsewhere, system libraries are not always safe after a fork
        multiprocessing.set_start_method("fork", force=True)
        _set_up_heap()
    with bind(settings) as port, metrics_folder():
        preload(settings)
        Server(
            listen(port, settings),
            "cds_service.server.server:_load",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,  # with a timeout for heads; a proxy uses it in any case
            http1_settings=HTTP1Settings(header_read_timeout=_HEAD_SECONDS * 1000),
            websockets=False,
            workers=settings.workers,
            workers_kill_timeout=_STOP_SECONDS,
            backpressure=_connections(),
            respawn_failed_workers=True,
            log_level=LogLevels.error,  # our own events say more, and nothing about patients
            log_access=False,
        ).serve(
            target_loader=partial(_load, _announcement(settings)),  # type: ignore[arg-type]  # a Door has __rsgi__
            wrap_loader=False,
        )


def _load(announcement: str, is_first: bool) -> Door:
    """The application of a worker. The first worker says that calls are answered now."""
    application = _create()
    if is_first:
        sys.stderr.write(f"{announcement}\n")
    return application


def _create() -> Door:
    from cds_service.server.door import create_door_from_environment  # once its metrics have a folder

    return create_door_from_environment()


def _announcement(settings: Settings) -> str:
    """With the address that a person opens: the sandbox page, or discovery in production, which has no such page."""
    address = f"{settings.base_url}/{'cds-services' if settings.is_production else ''}"
    return f"Serving {address} ({settings.profile} profile). Stop with Ctrl-C."


def _set_up_heap() -> None:
    """Two heaps for all threads instead of sixteen, which keep the memory of a few bodies for the next call (ADR 14).

    Variables of the environment win. Without glibc nothing happens.
    """
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for variable, (option, value) in _HEAP.items():
            if variable not in os.environ:
                mallopt(option, value)


def _connections() -> int:
    """The number of connections of one process, after raising its limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _SPARE_FILES
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft < 0 else max(1, min(MOST_CONNECTIONS, soft - _SPARE_FILES))
