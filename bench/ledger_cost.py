"""`python -m bench.ledger_cost`: what the ledger costs a hook call, compared with the same call without writing.

Every call has a hookInstance of its own, so that each one writes: two cards and a suggestion. Both servers run side by
side, and are asked in turn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from http.client import HTTPConnection
from multiprocessing import get_context
from statistics import median
from typing import cast
from uuid import uuid4

from sqlalchemy import func, select

from bench.harness.bodies import CARDS, order_with_cards
from bench.harness.client import Load, Request, load
from bench.harness.figures import spread
from bench.harness.report import machine, print_table
from bench.harness.server import SERVICE, Server, running
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.schema import ISSUED_CARD, ISSUED_SUGGESTION

_CLIENTS = 2  # processes, each with bench.harness.client.CONNECTIONS connections
_WRITTEN_SECONDS = 0.5  # cards are recorded after the answer, within 50 ms unless the machine is busy
_OLD = b"8f1f0e5e-6a3d-4c1b-9a55-0e6d5f1c2b3a"  # the hookInstance of bench.harness.bodies


class FreshCall:
    """A request that is a new call each time it is sent."""

    answer_begins = CARDS

    def __init__(self) -> None:
        whole = Request.post(SERVICE, order_with_cards(50), CARDS).wire
        self._before, self._after = whole.split(_OLD)

    @property
    def wire(self) -> bytes:
        """The bytes of the next call."""
        return self._before + str(uuid4()).encode() + self._after


def main() -> int:
    """Measure and print. The exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger_cost", description=__doc__)
    parser.add_argument("--postgresql", metavar="URL", help="measure on PostgreSQL too; tables and rows are made in it")
    parser.add_argument("--rounds", type=int, default=7, help="how often each figure is measured (default: 7)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement (default: 1)")
    options = parser.parse_args()
    print(machine())
    rows = []
    errors = 0
    for name in ["SQLite", *(["PostgreSQL"] if options.postgresql else [])]:
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                url = options.postgresql if name == "PostgreSQL" else f"sqlite:///{folder}/ledger.sqlite"
                row, wrong = _measure(url, workers, options.rounds, options.seconds)
            rows.append([f"{name}, {workers} worker{'s'[: workers - 1]}", *row])
            errors += wrong
    notes = [
        f"least / median / greatest of {options.rounds} rounds of {options.seconds:g} s; off: nothing is written",
        "one call at a time: a single connection; under load: 8 connections that send again once answered",
    ]
    head = ["", "off ms", "on ms", "added ms", "ratio", "calls/s off", "calls/s on", "ratio", "rows/s written"]
    print_table("The ledger on and off: an order with cards, 50 Conditions, over HTTP", notes, head, rows)
    return 1 if errors else 0


def _measure(url: str, workers: int, rounds: int, seconds: float) -> tuple[list[str], int]:
    database = Database(parse_database_url(url), pool_size=1, statement_ms=0)
    database.upgrade()
    alone: dict[str, list[float]] = {"on": [], "off": []}
    rates: dict[str, list[float]] = {"on": [], "off": []}
    written = []
    errors = 0
    with _server("on", url, workers) as on, _server("off", url, workers) as off, _pool() as clients:
        ports = {"on": on.port, "off": off.port}
        for number in range(rounds + 1):
            for state, port in ports.items():
                latencies, wrong = _one_at_a_time(port, seconds / 2)
                time.sleep(_WRITTEN_SECONDS)
                before = _count(database)
                loads = _under_load(clients, port, seconds)
                time.sleep(_WRITTEN_SECONDS)
                rows = _count(database) - before
                errors += wrong + sum(one.errors for one in loads)
                if number == 0:
                    continue  # warms up both servers and the clients
                alone[state].append(median(latencies) * 1000)
                rates[state].append(sum(one.per_second for one in loads))
                written += [rows / seconds] if state == "on" else []
    database.close()
    added = [with_it - without for with_it, without in zip(alone["on"], alone["off"], strict=True)]
    times = [with_it / without for with_it, without in zip(alone["on"], alone["off"], strict=True)]
    slower = [with_it / without for with_it, without in zip(rates["on"], rates["off"], strict=True)]
    figures = [spread(alone["off"], 2), spread(alone["on"], 2), spread(added, 2), spread(times, 2)]
    figures += [spread(rates["off"], 0), spread(rates["on"], 0), spread(slower, 2), spread(written, 0)]
    return figures, errors


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(_CLIENTS, get_context("spawn"))


def _one_at_a_time(port: int, seconds: float) -> tuple[Sequence[float], int]:
    """Seconds of each call without competing calls, and the number of wrong answers."""
    call = FreshCall()
    latencies: list[float] = []
    errors = 0
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        body = call.wire.partition(b"\r\n\r\n")[2]
        sent = time.monotonic()
        connection.request("POST", SERVICE, body, {"Content-Type": "application/json"})
        good = connection.getresponse().read().startswith(CARDS)
        latencies.append(time.monotonic() - sent)
        errors += not good
    connection.close()
    return latencies, errors


def _under_load(clients: ProcessPoolExecutor, port: int, seconds: float) -> list[Load]:
    begin = time.monotonic() + 0.2  # when every client has its connections; one clock for all processes
    call = cast("Request", FreshCall())  # as `load` uses it, it is one
    loads = [clients.submit(load, port, call, begin, begin + seconds) for _ in range(_CLIENTS)]
    return [one.result() for one in loads]


def _count(database: Database) -> int:
    with database.read() as connection:
        tables = (ISSUED_CARD, ISSUED_SUGGESTION)
        return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def _server(state: str, url: str, workers: int) -> AbstractContextManager[Server]:
    """A server with the ledger on or off, until the block is left."""
    settings = {"CDS_WORKERS": str(workers), "CDS_DATABASE_URL": url}
    variant = "as-is" if state == "on" else "without-ledger"
    return running(lambda _: [sys.executable, "-m", "bench.harness.varied_server", variant], environment=settings)


if __name__ == "__main__":
    sys.exit(main())
