"""The processes of `cds-service serve`: workers that share their content, and one that replaces them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.charts import SERVICE, hook_call
from tests.databases import LiveDatabase
from tests.killable_server import KillableServer, killable_server
from tests.server_process import COMMAND, ask, free_port

PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the workers of a process are found in /proc"),
]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def other_worker(server: KillableServer, known: set[int]) -> int:
    """The process id of a worker that is not among the known ones, once there is one."""
    wait_until(lambda: bool(server.workers() - known))
    return min(server.workers() - known)


def shared_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Shared_Clean:", "Shared_Dirty:")))


def test_a_worker_that_is_killed_is_replaced(sqlite_database: LiveDatabase, tmp_path: Path) -> None:
    with killable_server(sqlite_database.url, tmp_path, workers=2) as server:
        before = server.workers()
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        other_worker(server, before)
        assert ask(server.port, "POST", SERVICE, hook_call())[0] == 200
        server.stop()


def test_a_server_whose_workers_keep_dying_ends_with_a_fault(sqlite_database: LiveDatabase, tmp_path: Path) -> None:
    """So that whoever runs it notices, instead of a port that answers now and then."""
    with killable_server(sqlite_database.url, tmp_path, workers=1) as server:
        known = server.workers()
        os.kill(min(known), signal.SIGKILL)
        os.kill(other_worker(server, known), signal.SIGKILL)
        assert server.wait() == 1


def test_a_start_can_be_called_off(tmp_path: Path) -> None:
    """A container's first process ignores SIGTERM unless it says what is to be done; whoever stops it would wait."""
    command = [COMMAND, "serve", "--port", str(free_port())]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        wait_until(lambda: catches_sigterm(process.pid))  # and then loads what its workers share
        process.terminate()
        assert process.stderr
        said = process.stderr.read()
        assert (process.wait(PATIENCE_S), said) == (0, "")


def catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_workers_share_what_was_loaded_before_them(sqlite_database: LiveDatabase, tmp_path: Path) -> None:
    """Most of a worker that has answered calls is memory of all of them: content, libraries, models."""
    with killable_server(sqlite_database.url, tmp_path, workers=2) as server:
        for _ in range(8):
            assert ask(server.port, "POST", SERVICE, hook_call())[0] == 200
        assert all(shared_kb(pid) > 40_000 for pid in server.workers())
