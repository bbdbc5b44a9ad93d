"""A value that is refreshed in the background: one refresh at a time, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import BoundedSemaphore, Event, Lock, Thread


class BackgroundRefresh:
    """Runs `refresh`, which handles its own errors. At most `most_waiting` callers wait for it; the others do not.

    `began_at`: when the last refresh began, by `monotonic` (seconds).
    """

    def __init__(
        self, refresh: Callable[[], None], *, name: str, most_waiting: int, monotonic: Callable[[], float]
    ) -> None:
        self._refresh = refresh
        self._name = name
        self._monotonic = monotonic
        self._lock = Lock()
        self._places = BoundedSemaphore(most_waiting)
        self._running: Event | None = None
        self._ended_at = self.began_at = float("-inf")

    def begin(self, *, after_s: float) -> Event | None:
        """The refresh that is running, as an event that is set at its end; None where none is.

        A new one begins where none is running and the last one ended at least `after_s` ago.
        """
        with self._lock:
            now = self._monotonic()
            if self._running is None and now - self._ended_at >= after_s:
                end = Event()
                try:
                    Thread(target=self._run, args=(end,), name=self._name, daemon=True).start()
                except RuntimeError:  # the process can start no thread: the next call tries again
                    return None
                self._running, self.began_at = end, now
            return self._running

    def wait(self, end: Event | None, seconds: float) -> None:
        """Wait for the end of this refresh, at most so many seconds, where a place to wait is free."""
        if end is not None and self._places.acquire(blocking=False):
            try:
                end.wait(seconds)
            finally:
                self._places.release()

    def _run(self, end: Event) -> None:
        try:
            self._refresh()
        finally:
            with self._lock:
                self._running, self._ended_at = None, self._monotonic()
            end.set()
