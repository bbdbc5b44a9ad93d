"""The writer: one thread of each process, which writes what is waiting, all of it in one transaction (ADR 21).

Whoever wants something written gets a Future, and does not need a thread to wait for it. What nobody waits for is put
off while the database is unavailable, up to a number; what is over that number is refused at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Generic, TypeVar

from cds_service.event_log.events import log_fault, log_writes_put_off
from cds_service.storage.database import JUST_FAILED, Database, DatabaseUnavailable

_GATHER_S = 0.02  # what nobody waits for is gathered for so long
_MOST_AT_ONCE = 1_000  # items in one transaction, so that it takes some 50 ms at most
_MOST_UNAWAITED = 5_000  # items that wait at once: about 15 MB of issued cards
_LONGEST_WAIT_S = 3.0  # for two attempts that fail as late as they can: the one under way, and one's own
_IDLE_S = 10.0  # then the thread ends, until there is something to write again
_STOP_S = 2.0

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Kind(Generic[Item, Result]):
    """A kind of items, all written in one way.

    `write` gets the items in the order in which they came, and returns a result for each. All transactions write the
    kinds in the order of `rank`, so that two processes never wait for each other in a circle. `insist`: a database that
    failed a moment ago is tried again. `on_lost` is told why items that nobody waited for were not written, and which.
    """

    rank: int
    write: Callable[[Any, Sequence[Item]], Sequence[Result]]
    insist: bool = False
    on_lost: Callable[[str, Sequence[Item]], None] | None = None


@dataclass(eq=False)
class _Job:
    kind: Kind[Any, Any]
    item: Any
    result: Future[Any] | None  # None: nobody waits
    since_s: float  # a put-off item waits anew

    def fail(self, error: Exception) -> None:
        """Tell who waits, unless it was told already."""
        if self.result:
            with suppress(InvalidStateError):
                self.result.set_exception(error)

    def succeed(self, result: Any) -> None:
        """Tell who waits, unless it was told already."""
        if self.result:
            with suppress(InvalidStateError):
                self.result.set_result(result)


class Writer:
    """Writes items in the order in which they come. The thread starts with the first item, in the process that has it.

    Requests bound the number of items that are waited for; `write_soon` takes none where _MOST_UNAWAITED items wait.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = Condition()
        self._waiting: deque[_Job] = deque()
        self._awaited = 0  # items in `_waiting` that somebody waits for
        self._writing: Sequence[_Job] = ()
        self._writing_since_s = 0.0
        self._thread: Thread | None = None
        self._flushes = 0
        self._is_closed = False
        self._has_ended = False  # what was not written by then was reported as lost

    @property
    def waiting(self) -> int:
        """The number of items that are not written yet."""
        return len(self._waiting) + len(self._writing)

    def write(self, kind: Kind[Item, Result], item: Item) -> Future[Result]:
        """Write an item. The Future has its result once it is on the disk.

        It raises DatabaseUnavailable, or the error of the item's own statements. It cannot be canceled.
        """
        result: Future[Result] = Future()
        result.set_running_or_notify_cancel()
        with self._changed:
            refusal = self._refusal(kind)
            if refusal is None:
                self._add(_Job(kind, item, result, time.monotonic()))
        if refusal:
            result.set_exception(DatabaseUnavailable(refusal))
        return result

    def write_soon(self, kind: Kind[Item, Any], item: Item) -> None:
        """Write an item that nobody waits for. Raises DatabaseUnavailable where too many wait already."""
        with self._changed:
            if self._is_closed:
                raise DatabaseUnavailable("the process ends")
            if self.waiting >= _MOST_UNAWAITED:
                raise DatabaseUnavailable("the queue is full")
            self._add(_Job(kind, item, None, time.monotonic()))

    def refuse_overdue(self) -> None:
        """Refuse those who have waited for too long, as where a disk does not respond. To be called every second."""
        with self._changed:
            before_s = time.monotonic() - _LONGEST_WAIT_S
            overdue = {job for job in (*self._writing, *self._waiting) if job.result and job.since_s < before_s}
            if overdue:
                self._waiting = deque(job for job in self._waiting if job not in overdue)
                self._awaited = sum(job.result is not None for job in self._waiting)
        for job in overdue:
            job.fail(DatabaseUnavailable("it takes too long"))

    def flush(self, timeout_s: float = _STOP_S) -> bool:
        """Write all that waits now, at once. Whether it was written within this time."""
        with self._changed:
            self._flushes += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._waiting and not self._writing, timeout_s)
            finally:
                self._flushes -= 1

    def close(self) -> None:
        """Take nothing more, and write what waits. What cannot be written within two seconds is lost, and is told."""
        with self._changed:
            self._is_closed = True
        self.flush(_STOP_S)
        with self._changed:
            left, self._waiting, self._awaited = [*self._writing, *self._waiting], deque(), 0
            self._has_ended = True
            self._changed.notify_all()
            thread = self._thread
        self._lose("the process ends", left)
        if thread and not left:
            thread.join(_STOP_S)

    def _refusal(self, kind: Kind[Any, Any]) -> str | None:
        """Why an item that somebody would wait for is not taken."""
        if self._is_closed:
            return "the process ends"
        if self._writing and time.monotonic() - self._writing_since_s > _LONGEST_WAIT_S:
            return "others wait for it already"
        return JUST_FAILED if not kind.insist and self._database.left_alone_s() else None

    def _add(self, job: _Job) -> None:
        """Add to the queue; the lock must be held. The thread is woken where it may be asleep for longer."""
        self._waiting.append(job)
        self._awaited += job.result is not None
        if self._thread is None or not self._thread.is_alive():  # after a fork, the threads of the parent are not
            self._thread = Thread(target=self._run, name="writer", daemon=True)
            self._thread.start()
        elif job.result or len(self._waiting) == 1:
            self._changed.notify_all()

    def _run(self) -> None:
        while jobs := self._next():
            try:
                self._write(jobs)
            finally:
                with self._changed:
                    self._writing = ()
                    self._changed.notify_all()

    def _next(self) -> Sequence[_Job]:
        """The items of the next transaction, once it is time for it. None: the thread is to end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting or self._is_closed, _IDLE_S) or not self._waiting:
                self._thread = None
                return ()
            pause_s = self._waiting[0].since_s + _GATHER_S - time.monotonic()  # less if it waited for the last write
            while not self._changed.wait_for(self._is_urgent, pause_s) and (pause_s := self._database.left_alone_s()):
                pass
            number = min(len(self._waiting), _MOST_AT_ONCE)
            self._writing = [self._waiting.popleft() for _ in range(number)]
            self._awaited -= sum(job.result is not None for job in self._writing)
            self._writing_since_s = time.monotonic()
            return self._writing

    def _is_urgent(self) -> bool:
        return self._flushes > 0 or self._is_closed or self._awaited > 0

    def _write(self, jobs: Sequence[_Job]) -> None:
        """Write these items in one transaction. One whose statements fail is left alone with its error."""
        if self._database.left_alone_s():  # those who insist may have to wait for it; the others need not
            refused = [job for job in jobs if job.result and not job.kind.insist]
            self._put_off(refused, DatabaseUnavailable(JUST_FAILED))
            jobs = [job for job in jobs if job not in refused]
        if not jobs:
            return
        by_kind: dict[Kind[Any, Any], list[_Job]] = {}
        for job in jobs:
            by_kind.setdefault(job.kind, []).append(job)
        results: list[tuple[_Job, Any]] = []
        try:
            with self._database.write(insist=self._flushes > 0 or any(kind.insist for kind in by_kind)) as connection:
                for kind in sorted(by_kind, key=lambda kind: kind.rank):
                    written = kind.write(connection, [job.item for job in by_kind[kind]])
                    results += zip(by_kind[kind], written, strict=True)
        except DatabaseUnavailable as reason:
            self._put_off(jobs, reason)
        except Exception as fault:
            if len(jobs) > 1:
                half = len(jobs) // 2
                self._write(jobs[:half])
                self._write(jobs[half:])
            else:
                self._give_up(jobs[0], fault)
        else:
            for job, result in results:
                job.succeed(result)

    def _put_off(self, jobs: Sequence[_Job], reason: DatabaseUnavailable) -> None:
        """Tell those who wait that it failed; the rest of the items wait for the next time."""
        for job in jobs:
            job.fail(DatabaseUnavailable(str(reason)))
        kept = [job for job in jobs if job.result is None]
        if not kept:
            return
        with self._changed:
            if self._has_ended:
                return
            put_off = set(kept)
            for job in kept:
                job.since_s = time.monotonic()
            self._writing = [job for job in self._writing if job not in put_off]
            self._waiting.extendleft(reversed(kept))
            waiting, is_flushed = len(self._waiting), self._flushes > 0
        log_writes_put_off(str(reason), waiting)
        if is_flushed:
            time.sleep(_GATHER_S)  # a database that refuses at once is tried again at once

    def _give_up(self, job: _Job, fault: Exception) -> None:
        job.fail(fault)
        if job.result is None:
            log_fault(fault)
            self._lose(type(fault).__name__, [job])

    def _lose(self, reason: str, jobs: Sequence[_Job]) -> None:
        for job in jobs:
            job.fail(DatabaseUnavailable(reason))
        for kind in {job.kind for job in jobs if job.result is None}:
            if kind.on_lost:
                kind.on_lost(reason, [job.item for job in jobs if job.kind is kind])
