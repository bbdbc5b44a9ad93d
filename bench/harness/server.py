"""Servers that are measured: each is a process on a free port, ended with all that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.harness.bodies import SERVICE_ID
from bench.harness.client import Request, ask
from bench.harness.memory import processor_seconds
from tests.server_process import ServerProcess, free_port

SERVICE = f"/cds-services/{SERVICE_ID}"
DISCOVERY = Request.get("/cds-services", b'{"services":[{')
READY = Request.get("/health/ready", b'{"state":"ready"')  # and with a ledger: recording is a third of a call

ROOT = Path(__file__).parents[2]
_START_SECONDS = 30.0
_LOOK_EVERY_S = 0.005
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
    CDS_DATABASE_URL names another. Raises RuntimeError, with its last lines of output, if no good answer comes.
    """
    with TemporaryDirectory() as folder:
        settings = {"CDS_DATABASE_URL": f"sqlite:///{folder}/ledger.sqlite", "PYTHONPATH": str(ROOT)}
        port = free_port()
        settings |= os.environ | {"CDS_PORT": str(port)} | dict(environment or {})

        def answers() -> bool:
            with suppress(OSError, ValueError):
                return ask(port, ready)
            return False

        server = ServerProcess(command(port), Path(folder) / "output", settings, answers, look_every_s=_LOOK_EVERY_S)
        try:
            server.start()
            assert server.process
            yield Server(port, server.process, server.started)
        finally:
            server.end()


def settle(server: Server) -> None:
    """Wait until all processes of a server have started: the first of them answers before the others are there."""
    until = time.monotonic() + _START_SECONDS
    spent, before = processor_seconds(server.process.pid), -1.0
    while spent - before > _IDLE_CORES * _SETTLE_SECONDS and time.monotonic() < until:
        time.sleep(_SETTLE_SECONDS)
        spent, before = processor_seconds(server.process.pid), spent
