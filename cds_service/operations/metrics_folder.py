"""The folder where the workers of one server keep their metrics, so that each of them can answer with those of all.

It does not import prometheus_client, which looks for the folder once, when it is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def metrics_folder() -> Iterator[None]:
    """A temporary folder of this server for as long as the block runs, which contains everything that serves.

    Raises RuntimeError where prometheus_client is imported already: it would count for one worker alone.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client was imported before its folder was there")
    with TemporaryDirectory(prefix="cds-service-metrics-") as folder:
        os.environ[_VARIABLE] = folder  # a folder in the environment may be another server's
        try:
            yield
        finally:
            del os.environ[_VARIABLE]


def shared_folder() -> Path | None:
    """The folder of this process's server; None: there is none, and metrics are in memory."""
    folder = os.environ.get(_VARIABLE)
    return Path(folder) if folder else None


def dead_workers(folder: Path) -> Iterator[int]:
    """The ids of processes that have ended and left live gauges."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*_*.db")}:
        with suppress(PermissionError):  # the number belongs to another user's process now
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                yield pid
