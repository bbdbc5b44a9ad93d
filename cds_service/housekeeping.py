"""What a serving process does beside its calls: writes counts, forgets what has expired."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from threading import Event, Thread

from cds_service.audit import log_housekeeping_failed
from cds_service.database import DatabaseAway

_EVERY_S = 30.0


class Housekeeping:
    """Runs chores every half minute in a thread of its own, and once more when the process ends."""

    def __init__(self, chores: Sequence[Callable[[], object]], *, every_s: float = _EVERY_S) -> None:
        self._chores = chores
        self._every_s = every_s
        self._stopping = Event()

    def start(self) -> None:
        """Begin. Only a process that serves does this: an application in a test does nothing by itself."""
        Thread(target=self._run, name="housekeeping", daemon=True).start()
        atexit.register(self.run_once)

    def stop(self) -> None:
        """End after the chore under way."""
        self._stopping.set()

    def run_once(self) -> None:
        """Every chore once; one that fails for want of the database is logged, and tried again next time."""
        for chore in self._chores:
            try:
                chore()
            except DatabaseAway as reason:
                log_housekeeping_failed(str(reason))

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.run_once()
