"""The candidates: ours, and those that `bench.servers.runner` runs with the same application."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.environments import environment, site_packages
from bench.server import READY, ROOT, Command, Server, our_command, running


@dataclass(frozen=True)
class Candidate:
    """One way to serve; `needs_packages`: its server is in the environment of bench/servers/requirements.lock."""

    name: str
    command: Callable[[int], Command] = field(repr=False)
    needs_packages: bool = False

    @contextmanager
    def serve(self, workers: int) -> Iterator[Server]:
        """The server with so many worker processes, until the block is left. Raises NotInstalled."""
        with running(self.command(workers), READY, environment=self._environment()) as server:
            yield server

    def _environment(self) -> Mapping[str, str]:
        if not self.needs_packages:
            return {}
        paths = [str(site_packages(environment("servers"))), str(ROOT)]
        return {"PYTHONPATH": os.pathsep.join(paths)}


def _runner(name: str) -> Callable[[int], Command]:
    start = [sys.executable, "-m", "bench.servers.runner", name]
    return lambda workers: lambda port: [*start, str(port), str(workers)]


CANDIDATES = {  # the first is how we serve, and what the others are compared with
    "granian": Candidate("granian RSGI (cds-service serve)", our_command),
    "granian-uvloop": Candidate(
        "the same with uvloop", our_command, needs_packages=True
    ),  # granian takes it if it is there
    "granian-wsgi": Candidate("granian WSGI", _runner("granian-wsgi")),
    "gunicorn": Candidate("gunicorn, gthread", _runner("gunicorn"), needs_packages=True),
}
