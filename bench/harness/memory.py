"""Memory and processor time of the processes of a server, from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Megabytes of one process: RSS counts pages that it shares in full, PSS its share of them (proc(5))."""

    pid: int
    rss_mb: float
    pss_mb: float


def process_tree(pid: int) -> list[int]:
    """A process and all that it started, itself first; without multiprocessing's tracker."""
    return [pid, *_descendants(pid)]


def memory_of(pid: int) -> Memory:
    """What a process holds now."""
    figures = {}
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        figures[name] = int(rest.split()[0]) * 1024 / 1e6
    return Memory(pid, figures["Rss"], figures["Pss"])


def memory_of_server(pid: int) -> list[Memory]:
    """The process that was started first, then its workers, if it has any."""
    return [memory_of(one) for one in process_tree(pid)]


def processor_seconds(pid: int) -> float:
    """Processor time so far of a process and all that it started."""
    return sum(seconds_of(one) for one in process_tree(pid))


def _descendants(pid: int) -> Iterator[int]:
    for task in (_PROC / str(pid) / "task").iterdir():
        try:
            children = [int(child) for child in (task / "children").read_text().split()]
        except FileNotFoundError:  # a thread that has just ended
            continue
        for child in children:
            if b"resource_tracker" not in (_PROC / str(child) / "cmdline").read_bytes():
                yield child
            yield from _descendants(child)


def seconds_of(pid: int) -> float:
    """Processor time of one process so far."""
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime, the 14th and 15th of proc(5)
