"""A Dask cluster in a process of its own, reached by its tcp:// URL, one of whose workers can be killed.

`python -m bench.backtest_scale.cluster WORKERS` prints the URL, then kills a worker for each line that it reads, and
prints its process id. It ends with its standard input.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class RunningCluster:
    """A cluster that runs. `pid`: of the scheduler’s process, whose children are the workers."""

    url: str
    process: subprocess.Popen[str]

    def kill_a_worker(self) -> int:
        """SIGKILL one worker; its process id."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("kill\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def running_cluster(workers: int) -> Iterator[RunningCluster]:
    """A cluster of so many processes on this machine."""
    command = [sys.executable, "-m", "bench.backtest_scale.cluster", str(workers)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield RunningCluster(process.stdout.readline().strip(), process)
    finally:
        process.stdin.close()
        process.wait()


def main() -> None:
    """Keep the cluster until standard input ends."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=int(sys.argv[1]),
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,  # a killed worker is expected here
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        for _ in sys.stdin:
            worker = next(iter(cluster.workers.values()))
            os.kill(worker.pid, signal.SIGKILL)
            print(worker.pid, flush=True)


if __name__ == "__main__":
    main()
