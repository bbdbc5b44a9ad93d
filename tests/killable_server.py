"""The real server as a process group that can be killed at any moment, and clients that count their answers."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid5

from tests.charts import SERVICE, hook_call
from tests.server_process import ENDS_S, ServerProcess, ask, environment, free_port, send

_NAMES = UUID("2f4f9b0e-3a57-4c39-9f0e-52f0f3b7b3a5")
# `cds-service serve` without its look at the content, which a test of the ledger need not wait for seventy times.
_SERVE = """
import os
from cds_service.server.server import run
from cds_service.settings.settings import read_settings
from cds_service.storage import writer
writer._MOST_UNAWAITED = {most_unawaited}
run(read_settings(os.environ))
"""


class KillableServer(ServerProcess):
    """The server of `cds-service serve`, on a port of its own; its log goes to `folder`.

    `most_unawaited`: calls that may wait to be recorded. `settings`: CDS_* without the prefix.
    """

    def __init__(
        self, database_url: str, folder: Path, *, workers: int = 2, most_unawaited: int = 5_000, **settings: str
    ) -> None:
        self.port = free_port()
        own = {"PORT": str(self.port), "DATABASE_URL": database_url, "WORKERS": str(workers), "THREADS": "16"}
        variables = environment(**{f"CDS_{name}": text for name, text in (own | settings).items()})
        command = [sys.executable, "-c", _SERVE.format(most_unawaited=most_unawaited)]
        super().__init__(command, folder / f"server-{self.port}.log", variables, self._answers)

    def workers(self) -> set[int]:
        """The process ids of its workers (Linux)."""
        assert self.process
        pid = self.process.pid
        return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def _answers(self) -> bool:
        try:
            return ask(self.port, "GET", "/health/live")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def killable_server(database_url: str, folder: Path, **options: Any) -> Iterator[KillableServer]:
    """A server that is running, and killed at the end if it still is."""
    server = KillableServer(database_url, folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@dataclass
class Client:
    """A client that asks for cards and gives feedback on them, without a pause; `entries` in one batch.

    `shown`: when each card was answered, on the monotonic clock. `acknowledged` and `unanswered`: cards with feedback.
    Statuses of feedback other than 200 are counted in `refused`.
    """

    name: str
    entries: int = 2
    shown: dict[str, float] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def give_feedback(self, port: int, until: Event, most: int | None = None) -> None:
        """Send batches over one connection after the other until told to stop, or `most` of them are acknowledged."""
        while not until.is_set() and (most is None or len(self.acknowledged) < most * self.entries):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ENDS_S)
            try:
                while not until.is_set() and (most is None or len(self.acknowledged) < most * self.entries):
                    self._give(connection)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            finally:
                connection.close()

    def _give(self, connection: http.client.HTTPConnection) -> None:
        cards = self.unanswered[: self.entries] or [self._ask_for_card(connection) for _ in range(self.entries)]
        entry = {"outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
        if cards[0] not in self.unanswered:
            self.unanswered += cards  # until we know better
        status, _ = send(
            connection, "POST", f"{SERVICE}/feedback", {"feedback": [{"card": one} | entry for one in cards]}
        )
        if status == 200:
            self.unanswered = [one for one in self.unanswered if one not in cards]
            self.acknowledged += cards
        else:
            self.refused[status] = self.refused.get(status, 0) + 1

    def _ask_for_card(self, connection: http.client.HTTPConnection) -> str:
        """The one card of a call that is new."""
        call = hook_call(hookInstance=str(uuid5(_NAMES, f"{self.name}/{next(self._numbers)}")))
        status, answer = send(connection, "POST", SERVICE, call)
        assert status == 200, answer
        (card,) = json.loads(answer)["cards"]
        self.shown[card["uuid"]] = time.monotonic()
        return str(card["uuid"])


@contextmanager
def feedback_from(clients: list[Client], port: int) -> Iterator[None]:
    """All clients give feedback, each in a thread, while the block runs."""
    until = Event()
    threads = [Thread(target=one.give_feedback, args=(port, until)) for one in clients]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        until.set()
        for one in threads:
            one.join(2 * ENDS_S)
