"""Where the worker processes of one server keep their metrics, so that any of them can tell those of all.

It imports nothing of prometheus_client, which looks for the folder when it is imported, and never again.
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
    """A folder of this server's own, below TMPDIR, for as long as the block runs: around everything that serves.

    Raises RuntimeError where prometheus_client is imported already: its numbers would be those of one worker.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client was imported before its folder was there")
    with TemporaryDirectory(prefix="cds-service-metrics-") as folder:
        os.environ[_VARIABLE] = folder  # one that the environment names may hold the numbers of another server
        try:
            yield
        finally:
            del os.environ[_VARIABLE]


def shared_folder() -> Path | None:
    """The folder of the server that this process is a worker of; None: there is none, and all is in memory."""
    folder = os.environ.get(_VARIABLE)
    return Path(folder) if folder else None


def dead_workers(folder: Path) -> Iterator[int]:
    """The ids of the processes that are gone and have left gauges that speak of the present."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*_*.db")}:
        with suppress(PermissionError):  # somebody else's process by now; ours is gone, and its number taken
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                yield pid
