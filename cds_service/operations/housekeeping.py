"""Chores of a serving process: it writes counts and removes what has expired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from multiprocessing.util import Finalize
from threading import Event, Thread

from cds_service.event_log.events import log_fault, log_housekeeping_failed
from cds_service.storage.database import DatabaseUnavailable

_EVERY_S = 30.0
_TICKS = 30  # of that time


class Housekeeping:
    """Runs chores every half minute in a thread of its own, and once more when the process ends.

    `frequent`: chores that run at once and then every second, and use no database. `at_end`: chores for the end of the
    process alone, before the others.
    """

    def __init__(
        self,
        chores: Sequence[Callable[[], object]],
        *,
        frequent: Sequence[Callable[[], object]] = (),
        at_end: Sequence[Callable[[], object]] = (),
        every_s: float = _EVERY_S,
    ) -> None:
        self._chores = chores
        self._frequent = frequent
        self._last = at_end
        self._every_s = every_s
        self._stopping = Event()
        self._at_end: Finalize | None = None

    def start(self) -> None:
        """Start the thread. Only a process that serves does this, never an application in a test."""
        Thread(target=self._run, name="housekeeping", daemon=True).start()
        self._at_end = Finalize(None, self.end, exitpriority=0)  # worker processes do not run atexit

    def stop(self) -> None:
        """End after the current chore, without the last run at the end of the process."""
        self._stopping.set()
        if self._at_end:
            self._at_end.cancel()

    def run_once(self) -> None:
        """Run every chore once. One that fails is logged, and is tried again the next time."""
        self._run_all([*self._chores, *self._frequent])

    def end(self) -> None:
        """Run the chores of the end, and then all others once."""
        self._run_all(self._last)
        self.run_once()

    def _run_all(self, chores: Iterable[Callable[[], object]]) -> None:
        for chore in chores:
            try:
                chore()
            except DatabaseUnavailable as reason:
                log_housekeeping_failed(str(reason))
            except Exception as fault:
                log_fault(fault)

    def _run(self) -> None:
        for tick in count(1):
            self._run_all(self._frequent)
            if self._stopping.wait(self._every_s / _TICKS):
                return
            if tick % _TICKS == 0:
                self._run_all(self._chores)
