"""What a serving process does beside its calls: writes counts, forgets what has expired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize
from threading import Event, Thread

from cds_service.audit import log_fault, log_housekeeping_failed
from cds_service.database import DatabaseAway

_EVERY_S = 30.0


class Housekeeping:
    """Runs chores every half minute in a thread of its own, and once more when the process ends."""

    def __init__(self, chores: Sequence[Callable[[], object]], *, every_s: float = _EVERY_S) -> None:
        self._chores = chores
        self._every_s = every_s
        self._stopping = Event()
        self._at_end: Finalize | None = None

    def start(self) -> None:
        """Begin. Only a process that serves does this: an application in a test does nothing by itself."""
        Thread(target=self._run, name="housekeeping", daemon=True).start()
        self._at_end = Finalize(None, self.run_once, exitpriority=0)  # atexit is not heard in a worker process

    def stop(self) -> None:
        """End after the chore under way, and leave the end of the process alone."""
        self._stopping.set()
        if self._at_end:
            self._at_end.cancel()

    def run_once(self) -> None:
        """Every chore once; one that fails is logged, keeps no other from its turn, and is tried again next time."""
        for chore in self._chores:
            try:
                chore()
            except DatabaseAway as reason:
                log_housekeeping_failed(str(reason))
            except Exception as fault:
                log_fault(fault)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.run_once()
