"""The server that is measured: `cds-service serve` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Server:
    """A server that answers on a port of 127.0.0.1."""

    port: int
    service_id: str


@contextmanager
def running_server() -> Iterator[Server]:
    """One worker on a free port, until the block is left. Other settings are those of the environment, or defaults."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("cds-service")), "serve", "--workers", "1", "--port", str(port)]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)
    try:
        yield Server(port, _service_id(process, port))
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the session we started it in: the server and its worker
            process.wait(_STOP_SECONDS)


def _service_id(process: subprocess.Popen[bytes], port: int) -> str:
    """The service that discovery names, as soon as it answers."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/cds-services")
            return str(json.load(connection.getresponse())["services"][0]["id"])
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the server does not start: see what `cds-service serve` says")
