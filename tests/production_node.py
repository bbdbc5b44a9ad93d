"""One node: `cds-service serve` in the production profile, on an address and a port of its own."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.server_process import COMMAND, ENDS_S, ServerProcess, environment, free_port

METRICS_TOKEN = "made up for tests, and long enough for any rule"  # noqa: S105
_LOOK_EVERY_S = 0.02
_ESTABLISHED = "01"  # in /proc/net/tcp


class Node(ServerProcess):
    """`host` is a loopback address, `variables` are its settings; its log lies in `folder`."""

    def __init__(self, host: str, folder: Path, variables: Mapping[str, str]) -> None:
        self.host = host
        self.port = free_port(host)
        own = {"CDS_HOST": host, "CDS_PORT": str(self.port), "CDS_METRICS_TOKEN": METRICS_TOKEN}
        settings = environment(**variables, **own)
        super().__init__([COMMAND, "serve"], folder / f"node-{host}.log", settings, self._is_ready_for_calls)

    @property
    def address(self) -> str:
        """As nginx names it."""
        return f"{self.host}:{self.port}"

    def start(self, **variables: str) -> float:
        """As ServerProcess; one that runs already stays as it is, after 0 seconds."""
        return 0.0 if self.process else super().start(**variables)

    def kill(self) -> None:
        """Kill all of its processes where they stand, and wait until its port refuses."""
        super().kill()
        while self.status("/health/live") is not None:
            time.sleep(_LOOK_EVERY_S)

    def wait_until_idle(self) -> None:
        """Wait until nobody is connected to it any more."""
        deadline = time.monotonic() + ENDS_S
        while self._connections():
            assert time.monotonic() < deadline, f"somebody stays connected to {self.address}"
            time.sleep(_LOOK_EVERY_S)

    def freeze(self, calls: int) -> None:
        """Stop all of its processes where they stand, and wait until so many calls are with it."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + ENDS_S
        while self._connections() < calls:
            assert time.monotonic() < deadline, f"hardly anybody calls {self.address}"
            time.sleep(0.001)

    def status(self, path: str) -> int | None:
        """The status of a GET without a token, on a connection of its own; None where there is no answer."""
        try:
            return self.get(path)[0]
        except (OSError, http.client.HTTPException):
            return None

    def metrics(self) -> str:
        """What Prometheus would read."""
        status, text = self.get("/metrics", Authorization=f"Bearer {METRICS_TOKEN}")
        assert status == 200, text
        return text

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of a GET."""
        return self.send("GET", path, None, headers)

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and text of one answer, past nginx."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ENDS_S)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _is_ready_for_calls(self) -> bool:
        return self.status("/health/ready") == 200

    def _connections(self) -> int:
        """How many connections to its port are open, as `ss` would count them."""
        here = f"{int.from_bytes(socket.inet_aton(self.host), sys.byteorder):08X}:{self.port:04X}"
        lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
        return sum(line.split()[1] == here and line.split()[3] == _ESTABLISHED for line in lines)
