"""Each worker, sampled over time: memory, file descriptors, threads (Linux)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from bench.harness.memory import Memory, memory_of, process_tree

_EVERY_S = 2.0


@dataclass(frozen=True)
class Sample:
    """One worker at a moment of the monotonic clock."""

    at: float
    memory: Memory
    files: int
    threads: int


@dataclass
class Watch:
    """Samples the workers of a server while it is entered; `samples` by process id. A worker that ends is a fault."""

    pid: int
    samples: dict[int, list[Sample]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ended = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        for pid in workers_of(self.pid):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
                threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
                sample = Sample(time.monotonic(), memory_of(pid), files, threads)
                self.samples.setdefault(pid, []).append(sample)


def workers_of(pid: int) -> list[int]:
    """The workers of a server: all that its first process started."""
    return process_tree(pid)[1:]
