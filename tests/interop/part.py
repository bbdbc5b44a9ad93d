"""A real part: a process of its own on loopback, started by a test run, timed, and stopped by its id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.places import ROOT
from tests.server_process import ServerProcess, environment, listens

_SAYS = re.compile(r"listens on (http://127\.0\.0\.1:\d+\S*)")


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
        log.unlink(missing_ok=True)
        log.touch()

        def address() -> str | None:
            if port:
                return f"http://127.0.0.1:{port}" if listens(port) else None
            says = _SAYS.search(log.read_text("utf-8"))
            return says[1] if says else None

        settings = environment(PYTHONPATH=str(ROOT)) | variables
        process = ServerProcess(command, log, settings, address, folder=self.folder, look_every_s=0.1)
        try:
            self.start_times[name] = process.start()
            yield str(address())
        finally:
            process.end()
