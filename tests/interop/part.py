"""A real part: a process of its own on loopback, started by a test run, timed, and stopped by its id."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.places import ROOT

_SAYS = re.compile(r"listens on (http://127\.0\.0\.1:\d+\S*)")
_STARTS_S = 300  # HAPI on a machine that has much else to do
_ENDS_S = 20


@dataclass
class Parts:
    """Starts the parts of a run, each with a log in `folder`; `start_times` is what the run reports, in seconds."""

    folder: Path
    start_times: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def running(
        self, name: str, command: Sequence[object], *, port: int | None = None, **variables: str
    ) -> Iterator[str]:
        """Run a part until the block ends; its address.

        A part that is given a `port` is ready when it takes connections there; any other when it has printed `listens
        on` and its address.
        """
        log = self.folder / f"{name.replace(' ', '-')}.log"
        begun = time.monotonic()
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [str(one) for one in command], cwd=self.folder, env=_environment(variables), stdout=out, stderr=out
            )
        try:
            address = _wait(name, process, log, port)
            self.start_times[name] = time.monotonic() - begun
            yield address
        finally:
            _stop(process)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of the service other than those given."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
    return others | {"PYTHONPATH": str(ROOT)} | variables


def _wait(name: str, process: subprocess.Popen[bytes], log: Path, port: int | None) -> str:
    deadline = time.monotonic() + _STARTS_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{name} ended by itself:\n{log.read_text('utf-8')[-4000:]}"
        said = _SAYS.search(log.read_text("utf-8")) if port is None else None
        if said:
            return said[1]
        if port and _listens(port):
            return f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise AssertionError(f"{name} did not start within {_STARTS_S} s:\n{log.read_text('utf-8')[-4000:]}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_ENDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_ENDS_S)
