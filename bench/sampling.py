"""Memory and processor time of a command and all its processes, sampled from /proc (Linux), because some end early."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from bench.harness.memory import process_tree, seconds_of

_EVERY_S = 0.25
_PAGE_BYTES = 4096


@dataclass
class Sampler:
    """Samples these processes and their descendants while it is entered.

    `peak_mb`: the greatest sum of resident memory (RSS: shared pages count in each process). `processor_s`: of all
    processes that were seen, up to each one's last sample.
    """

    pids: Iterable[int]
    peak_mb: float = 0.0
    _seconds: dict[int, float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _before: dict[int, float] = field(default_factory=dict)

    def __enter__(self) -> Sampler:
        self._sample()
        self._before = dict(self._seconds)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def processor_s(self) -> float:
        return sum(self._seconds.values()) - sum(self._before.values())

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        resident = 0.0
        for root in self.pids:
            with suppress(OSError):  # a process that has just ended
                for pid in process_tree(root):
                    with suppress(OSError):
                        self._seconds[pid] = seconds_of(pid)
                        resident += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6
        self.peak_mb = max(self.peak_mb, resident)
