"""One call without HTTP, as the measured process makes it: the whole answer, its stages, and orjson beside them.

A process that parses 1 MB documents pays for fresh memory on every parse, one that alternates two parsers lends each
the other's warm memory. So every contender has a fresh process in every round, both with the same modules imported
and, as a server process has, all that lives as long as it does kept out of garbage collection.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import orjson
import structlog

from cards.catalogue import load_topic
from cds_service.cds_hooks.cors import Cors
from cds_service.cds_hooks.hook_call import HookCall, Services
from cds_service.cds_hooks.http_message import HttpRequest
from cds_service.cds_hooks.issuing import CardIssuer
from cds_service.cds_hooks.silencing import Silencer
from cds_service.clients.registry import Registry
from cds_service.clients.token_check import ClientAuth
from cds_service.clients.token_replay import SeenTokens
from cds_service.event_log.call_log import CallLog
from cds_service.event_log.events import configure, observe_with
from cds_service.fhir_client.reader import FhirReader
from cds_service.steps import Steps, run_steps
from cds_service.storage.call_counts import CallCounts
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.ledger import Ledger
from cds_service.storage.writer import Writer

OURS, LOGGED, ORJSON = "ours", "ours with its log line", "orjson"

_WARM_UP = 3
_MOST_SECONDS = 0.3  # of repetitions of one body, about
_FEWEST, _MOST = 5, 300
_CHILD_SECONDS = 120.0
_HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True)
class Cost:
    """What one body cost, in milliseconds: medians of many calls.

    `whole` is processor time, because whatever else the machine runs delays one contender and not the other. The
    service times its `stages` by the clock.
    """

    whole: float
    stages: dict[str, float]


def cost_in_child(contender: str, bodies: Sequence[bytes], seconds: float) -> list[Cost]:
    """What each body costs OURS, LOGGED or ORJSON in its own process, which tries it again for `seconds` at most."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as child:
        return child.submit(_costs, contender, bodies, min(seconds, _MOST_SECONDS)).result(timeout=_CHILD_SECONDS)


def answer_once(body: bytes) -> bytes:
    """The answer that is measured."""
    return _answer(_services(), body)


def _costs(contender: str, bodies: Sequence[bytes], seconds: float) -> list[Cost]:
    measure = _measure_orjson if contender == ORJSON else _measure_ours()
    if contender == LOGGED:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - as long as this process lives
        configure()
    gc.collect()
    gc.freeze()
    return [_cost(measure, body, seconds) for body in bodies]


def _measure_ours() -> Callable[[bytes], dict[str, float]]:
    services, watch = _services(), _StopWatch()
    observe_with(watch)

    def measure(body: bytes) -> dict[str, float]:
        _answer(services, body)
        return watch.stages_ms

    return measure


def _answer(services: Services, body: bytes) -> bytes:
    path = f"/cds-services/{next(iter(services.topics))}"
    return run_steps(HookCall(services, HttpRequest("POST", path, _HEADERS, body, len(body))).answer()).body


class _StopWatch:
    """An observer that keeps the stages of the last call."""

    stages_ms: dict[str, float]

    def on_call(self, call: CallLog, status: int, seconds: float) -> None:
        self.stages_ms = call.stages_ms

    def on_event(self, event: str, *values: str) -> None:
        """Nothing."""


def _measure_orjson(body: bytes) -> dict[str, float]:
    started = time.perf_counter()
    orjson.loads(body)
    return {"whole": (time.perf_counter() - started) * 1000}


def _cost(measure: Callable[[bytes], dict[str, float]], body: bytes, seconds: float) -> Cost:
    for _ in range(_WARM_UP):
        measure(body)
    whole: list[float] = []
    stages: list[dict[str, float]] = []
    until = time.perf_counter() + seconds
    while len(whole) < _FEWEST or (time.perf_counter() < until and len(whole) < _MOST):
        started = time.process_time()
        stages.append(measure(body))
        whole.append((time.process_time() - started) * 1000)
    names = dict.fromkeys(name for one in stages for name in one)
    return Cost(median(whole), {name: median(one.get(name, 0.0) for one in stages) for name in names})


@cache
def _services() -> Services:
    """The service without HTTP and log lines, with a ledger that writes nothing: `bench.ledger_cost` measures that."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    topic = load_topic()
    database = Database(parse_database_url("sqlite:////nowhere/ledger.sqlite"), pool_size=1)  # never opened
    writer = Writer(database)
    ledger = _Unwritten(database, writer, _clock, frozenset())
    seen = SeenTokens(database, writer, _clock)
    return Services(
        topics={topic.service.id: topic},
        auth=ClientAuth(Registry(), seen, _clock, required=False, production=False),
        fhir=FhirReader(budget_ms=1, threads=1),
        issuer=CardIssuer(ledger, Silencer(database, _clock, ""), CallCounts(database, _clock)),
        ledger=ledger,
        clock=_clock,
        base_url="http://bench",
        most_bytes=1_000_000_000,
        cors=Cors(None),
        headers={},
        discovery_needs_token=False,
        store_comments=False,
    )


class _Unwritten(Ledger):
    def record(self, *_: object) -> Steps[None]:
        """Nothing."""
        yield from ()


def _clock() -> datetime:
    return datetime(2026, 11, 22, tzinfo=UTC)
