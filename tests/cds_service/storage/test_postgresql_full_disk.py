"""A real PostgreSQL whose disk is full, of its data or of its write-ahead log, under load, with tokens.

Hook calls are answered, feedback is stored whole or refused, health says so, and all is well once there is space.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest

from cds_service.storage.schema import FEEDBACK, ISSUED_CARD
from tests.cds_service.storage.test_stops_and_stalls import bearer, registry_in, say
from tests.charts import SERVICE, hook_call
from tests.databases import LiveDatabase, PostgresqlServer, started_postgresql
from tests.exposition import samples_in
from tests.killable_server import KillableServer
from tests.server_process import ENDS_S, ask

pytestmark = pytest.mark.slow

CLIENTS = 4
MOST_UNAWAITED = 100
FULL_S = 8.0  # after the first feedback that is refused: longer than hook calls leave a database alone
RECOVERS_S = 60.0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder on a disk of its own, which another user than root can use: not below the private folder of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="cds-small-disk-"))
    folder.chmod(0o755)
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)]
    if not mount or subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603 - as written
        folder.rmdir()
        pytest.skip("only root can mount a disk that is small enough to be full")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - the folder is ours
    folder.rmdir()


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left on it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(b"\0" * 4096)
    try:
        yield
    finally:
        filler.unlink()


@dataclass
class Ehr:
    """Asks for cards and gives feedback on each two of them, again and again."""

    number: int
    port: int
    calls: Counter[int] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)
    stored: list[list[str]] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def work(self, until: Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ENDS_S)
        while not until.is_set():
            cards = [card for _ in range(2) for card in self._cards(connection)]
            entry = {"outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
            body = {"feedback": [{"card": card} | entry for card in cards]}
            status, _ = self._post(connection, f"{SERVICE}/feedback", body)
            self.statuses[status] += 1
            (self.stored if status == 200 else self.refused).append(cards)
        connection.close()

    def _cards(self, connection: http.client.HTTPConnection) -> list[str]:
        instance = UUID(int=self.number << 64 | self.calls.total())
        status, answer = self._post(connection, SERVICE, hook_call(hookInstance=str(instance)))
        self.calls[status] += 1
        cards = [str(card["uuid"]) for card in json.loads(answer)["cards"]]
        self.shown += cards
        return cards

    def _post(self, connection: http.client.HTTPConnection, path: str, body: object) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Authorization": bearer(self.port, path)}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()


def database_word(port: int) -> tuple[str, str]:
    """The state of the service, and what it says of its database."""
    _, answer = ask(port, "GET", "/health/ready")
    told = json.loads(answer)
    return told["state"], told["checks"]["database"]


def wait_for(what: str, is_so: object) -> None:
    deadline = time.monotonic() + RECOVERS_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def start_again_if_it_ended(server: PostgresqlServer) -> bool:
    """As an operator or a service manager does after freeing space. Without space for its log, PostgreSQL ends."""
    ended = not server.is_running
    if ended:
        server.start()
    return ended


@pytest.mark.parametrize("part", ["data", "wal"])
def test_a_full_disk_costs_no_card_and_no_half_of_a_batch(
    part: str, small_disk: Path, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_disk / part
    folder.mkdir()
    postgresql = started_postgresql(request.config, connections=30, **{part: folder})
    live = LiveDatabase(postgresql.url(postgresql.create()))
    server = KillableServer(live.url, tmp_path, workers=1, most_unawaited=MOST_UNAWAITED, **registry_in(tmp_path))
    ehrs = [Ehr(number, server.port) for number in range(1, CLIENTS + 1)]
    until = Event()
    states: Counter[tuple[str, str]] = Counter()
    try:
        server.start()
        with ThreadPoolExecutor(CLIENTS) as threads:
            try:
                running = [threads.submit(ehr.work, until) for ehr in ehrs]
                wait_for("no feedback is stored", lambda: all(ehr.stored for ehr in ehrs))
                assert database_word(server.port) == ("ready", "ok")
                with full(small_disk):
                    wait_for("no feedback is refused", lambda: any(ehr.refused for ehr in ehrs))
                    before = sum(ehr.calls.total() for ehr in ehrs)
                    ends = time.monotonic() + FULL_S
                    while time.monotonic() < ends:
                        time.sleep(0.5)
                        states[database_word(server.port)] += 1
                    during = sum(ehr.calls.total() for ehr in ehrs) - before
                ended = start_again_if_it_ended(postgresql)
                stored = sum(len(ehr.stored) for ehr in ehrs)
                wait_for("no feedback is stored again", lambda: sum(len(ehr.stored) for ehr in ehrs) > stored + CLIENTS)
                wait_for("health does not recover", lambda: database_word(server.port) == ("ready", "ok"))
            finally:
                until.set()
        assert [client.exception() for client in running] == [None] * CLIENTS
        samples = samples_in(ask(server.port, "GET", "/metrics")[1].decode())
        server.stop()
        recorded = {row["card_uuid"] for row in live.rows(ISSUED_CARD)}
        answered = {row["card_uuid"] for row in live.rows(FEEDBACK)}
    finally:
        server.kill()
        live.close()
        postgresql.remove()
    shown = {card for ehr in ehrs for card in ehr.shown}
    stored_batches = [batch for ehr in ehrs for batch in ehr.stored]
    refused_batches = [batch for ehr in ehrs for batch in ehr.refused]
    dropped = int(samples['cds_hooks_ledger_failures_total{what="call"}'])
    say(
        capsys,
        f"PostgreSQL, disk of its {part} full for {FULL_S:g} s and more (it {'ended' if ended else 'went on'}): "
        f"{during:,} calls answered meanwhile; feedback: {len(stored_batches):,} batches stored, "
        f"{len(refused_batches):,} refused; {len(shown):,} cards shown, {len(recorded):,} recorded, "
        f"{dropped:,} dropped for a queue of {MOST_UNAWAITED}, counted; health meanwhile {dict(states)}",
    )
    assert {status for ehr in ehrs for status in ehr.calls} == {200}
    assert {status for ehr in ehrs for status in ehr.statuses} == {200, 503}
    assert during > 0
    assert all(set(batch) <= answered for batch in stored_batches)
    assert all(answered.isdisjoint(batch) for batch in refused_batches)
    assert len(shown - recorded) == dropped
    assert server.log.read_text("utf-8").count('"the queue is full"') == dropped
    # Housekeeping may succeed in between: it has nothing to remove, which takes no space. Until the next card or token.
    assert states["degraded", "unavailable"] >= 0.8 * states.total()
    assert set(states) <= {("degraded", "unavailable"), ("ready", "ok")}
