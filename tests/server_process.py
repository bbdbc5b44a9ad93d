"""A real process that serves on loopback: started, waited for, and ended by its own process group."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("cds-service")
STARTS_S = 300  # HAPI on a machine that has much else to do
ENDS_S = 30
_SHOWN_CHARACTERS = 4_000


class ServerProcess:
    """A command that serves until it is ended. What it writes is added to the file `log`.

    `is_ready`: asked every `look_every_s` after the start. `started`: on the monotonic clock.
    """

    def __init__(
        self,
        command: Sequence[object],
        log: Path,
        environment: Mapping[str, str],
        is_ready: Callable[[], object],
        *,
        folder: Path | None = None,
        look_every_s: float = 0.02,
    ) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self._command = [str(part) for part in command]
        self._environment = environment
        self._is_ready = is_ready
        self._folder = folder
        self._look_every_s = look_every_s

    def start(self, **variables: str) -> float:
        """Start it, with these variables beside its own, and wait until it is ready; the seconds that took.

        Raises RuntimeError, with the last lines it wrote, where it ends by itself or is not ready in time.
        """
        self.started = time.monotonic()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self._command,
                cwd=self._folder,
                env={**self._environment, **variables},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > self.started + STARTS_S:
                words = self.log.read_text("utf-8", errors="replace")[-_SHOWN_CHARACTERS:]
                raise RuntimeError(f"{' '.join(self._command)} does not serve:\n{words}")
            time.sleep(self._look_every_s)
        return time.monotonic() - self.started

    def wait(self) -> int:
        """The status with which it ends by itself."""
        assert self.process
        status = self.process.wait(ENDS_S)
        self.process = None
        return status

    def stop(self) -> float:
        """End it as a service manager does; the seconds that took."""
        begun = time.monotonic()
        if self.process:
            self.process.terminate()
            self.wait()
        return time.monotonic() - begun

    def kill(self) -> None:
        """Kill it and every process that it started."""
        if self.process:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(ENDS_S)
            self.process = None

    def end(self) -> None:
        """Stop it, and kill what is left of it."""
        if self.process:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(ENDS_S)
            self.kill()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now."""
    with socket.create_server((host, 0)) as free:
        return int(free.getsockname()[1])


def environment(**variables: str) -> dict[str, str]:
    """Our environment with these settings of the service and no others."""
    return {name: text for name, text in os.environ.items() if not name.startswith("CDS_")} | variables


def listens(port: int) -> bool:
    """Whether a connection to this port of 127.0.0.1 is taken."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """Status and body of one answer, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ENDS_S)
    try:
        return send(connection, method, path, body)
    finally:
        connection.close()


def send(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """Status and body of one answer. `body`: sent as JSON."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    return response.status, response.read()
