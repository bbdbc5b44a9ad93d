"""Servers that are measured: each a process of its own, started on a free port and ended with all it started."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.client import Request, ask
from bench.memory import processor_seconds

SERVICE = "/cds-services/lumbar-puncture-back-pain"
DISCOVERY = Request.get("/cds-services", b'{"services":[{')
READY = Request.get("/health/ready", b'{"state":"ready"')  # and with a ledger: recording is a third of a call

ROOT = Path(__file__).parent.parent
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.005
_SHOWN_LINES = 8
_SETTLE_SECONDS = 0.5
_IDLE_CORES = 0.1


@dataclass(frozen=True)
class Server:
    """A server that answers on a port of 127.0.0.1; `started`: when it was executed, on the monotonic clock."""

    port: int
    process: subprocess.Popen[bytes]
    started: float


Command = Callable[[int], Sequence[str]]  # what runs a server on a port


def our_command(workers: int = 1) -> Command:
    """What a user types: `cds-service serve`."""
    command = str(Path(sys.executable).with_name("cds-service"))
    return lambda port: [command, "serve", "--workers", str(workers), "--port", str(port)]


@contextmanager
def running(
    command: Command, ready: Request = DISCOVERY, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server that has given its first good answer, until the block is left.

    Settings are those of our own environment, but for the ledger, which is a new one in a temporary folder unless
    CDS_DATABASE_URL names another. Raises RuntimeError, with the last lines it wrote, where no good answer comes.
    """
    with TemporaryDirectory() as folder:
        settings = {"CDS_DATABASE_URL": f"sqlite:///{folder}/ledger.sqlite", "PYTHONPATH": str(ROOT)}
        port = free_port()
        parts = command(port)
        written = Path(folder) / "output"
        started = time.monotonic()
        with written.open("wb") as output:
            process = subprocess.Popen(
                parts,
                env=settings | os.environ | {"CDS_PORT": str(port)} | dict(environment or {}),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            if not becomes_good(process, port, ready):
                told = written.read_text(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
                raise RuntimeError("\n".join([f"no good answer from {shlex.join(parts)}", *told]))
            yield Server(port, process, started)
        finally:
            end(process)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def becomes_good(process: subprocess.Popen[bytes], port: int, ready: Request) -> bool:
    """Whether a good answer comes; returns as soon as it does."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, ValueError):
            if ask(port, ready):
                return True
        time.sleep(_LOOK_EVERY_SECONDS)
    return False


def settle(server: Server) -> None:
    """Wait until all processes of a server have started: the first of them answers before the others are there."""
    until = time.monotonic() + _START_SECONDS
    spent, before = processor_seconds(server.process.pid), -1.0
    while spent - before > _IDLE_CORES * _SETTLE_SECONDS and time.monotonic() < until:
        time.sleep(_SETTLE_SECONDS)
        spent, before = processor_seconds(server.process.pid), spent


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop, and kill it with all that it started where it does not."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the session we started it in: whatever of it is left
    process.wait(_STOP_SECONDS)
