"""One node: `cds-service serve` in the production profile, on an address and a port of its own."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

COMMAND = Path(sys.executable).with_name("cds-service")
METRICS_TOKEN = "made up for tests, and long enough for any rule"  # noqa: S105
_STARTS_S = 120  # on a machine that has much else to do
_ENDS_S = 30
_LOOK_EVERY_S = 0.02
_ESTABLISHED = "01"  # in /proc/net/tcp


class Node:
    """`host` is a loopback address, `variables` are its settings; its log lies in `folder`."""

    def __init__(self, host: str, folder: Path, variables: Mapping[str, str]) -> None:
        with socket.create_server((host, 0)) as free:
            self.port = int(free.getsockname()[1])
        self.host = host
        self.log = folder / f"node-{host}.log"
        own = {"CDS_HOST": host, "CDS_PORT": str(self.port), "CDS_METRICS_TOKEN": METRICS_TOKEN}
        others = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
        self._environment = others | dict(variables) | own
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """As nginx names it."""
        return f"{self.host}:{self.port}"

    def start(self, **variables: str) -> float:
        """Start it, with these settings beside its own, and wait until it is ready; the seconds it took.

        One that runs already stays as it is.
        """
        begun = time.monotonic()
        if self._process:
            return 0.0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, "serve"],
                env=self._environment | variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while self.status("/health/ready") != 200:
            assert self._process.poll() is None, self.log.read_text("utf-8")
            assert time.monotonic() < begun + _STARTS_S, f"{self.address} is not ready"
            time.sleep(_LOOK_EVERY_S)
        return time.monotonic() - begun

    def kill(self) -> None:
        """Kill all of its processes where they stand, and wait until its port refuses."""
        if self._process:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_ENDS_S)
            self._process = None
            while self.status("/health/live") is not None:
                time.sleep(_LOOK_EVERY_S)

    def stop(self) -> float:
        """Have it end in its own way, as a service manager does; the seconds it took."""
        begun = time.monotonic()
        if self._process:
            self._process.terminate()
            self._process.wait(_ENDS_S)
            self._process = None
        return time.monotonic() - begun

    def wait_until_idle(self) -> None:
        """Wait until nobody is connected to it any more."""
        deadline = time.monotonic() + _ENDS_S
        while self._connections():
            assert time.monotonic() < deadline, f"somebody stays connected to {self.address}"
            time.sleep(_LOOK_EVERY_S)

    def freeze(self, calls: int) -> None:
        """Stop all of its processes where they stand, and wait until so many calls are with it."""
        assert self._process
        os.killpg(self._process.pid, signal.SIGSTOP)
        deadline = time.monotonic() + _ENDS_S
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
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_ENDS_S)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _connections(self) -> int:
        """How many connections to its port are open, as `ss` would count them."""
        here = f"{int.from_bytes(socket.inet_aton(self.host), sys.byteorder):08X}:{self.port:04X}"
        lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
        return sum(line.split()[1] == here and line.split()[3] == _ESTABLISHED for line in lines)
