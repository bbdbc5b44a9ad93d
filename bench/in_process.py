"""One call without HTTP, against orjson parsing the same body, and how its cost grows with the chart.

A process that parses 1 MB documents pays for fresh memory on every parse, one that alternates two parsers lends each
the other's warm memory. So every contender has a fresh process in every round, both with the same modules imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from statistics import median

import orjson

from bench.bodies import CARDS, SILENT, lumbar_puncture_order, unrelated_order, work_up_order
from bench.report import print_table, spread
from cards.catalogue import load_topic
from cds_service.audit import CallLog
from cds_service.call_counts import CallCounts
from cds_service.chart import ChartReader
from cds_service.client_auth import TrustedClient
from cds_service.database import Database
from cds_service.database_url import parse_database_url
from cds_service.fhir_reader import FhirReader
from cds_service.hooks import HookService
from cds_service.issuing import CardIssuer
from cds_service.ledger import Ledger
from cds_service.quiet import QuietPeriods

_WARM_UP = 5
_CHILD_SECONDS = 120.0
_CASES = [  # name, body, how the answer begins, the ratio we aim for
    ("unrelated order, 1 MB prefetch", unrelated_order(1_030), SILENT, 0.2),
    ("LP order, 1,000 Conditions", lumbar_puncture_order(1_000), CARDS, 0.6),
    ("LP order, 50 Conditions", lumbar_puncture_order(50), CARDS, None),
    ("work-up after an LP, 1,000 Conditions", work_up_order(1_000), CARDS, None),
    ("work-up after an LP, 50 Conditions", work_up_order(50), CARDS, None),
    ("LP order, empty chart", lumbar_puncture_order(0), CARDS, None),
]
_CLIENT = TrustedClient(None, any_loopback=True)
_SIZES = (10, 100, 1_000, 5_000)


def print_ratios(rounds: int) -> None:
    """Print what a call costs and what orjson's parse of it costs, in turn, and their ratio within each round."""
    rows = []
    for name, body, beginning, aim in _CASES:
        assert _answer_with(_service(), body).startswith(beginning), name
        pairs = [(_in_child("ours", [body])[0], _in_child("orjson", [body])[0]) for _ in range(rounds)]
        ours, orjsons = zip(*pairs, strict=True)
        ratios = [our / reference for our, reference in pairs]
        judged = ["", ""] if aim is None else [f"{aim}", "met" if median(ratios) <= aim else "missed"]
        rows.append([name, f"{len(body):,}", spread(ours, 3), spread(orjsons, 3), spread(ratios, 2), *judged])
    notes = [
        f"least / median / greatest of {rounds} rounds, in processor time; an aim is met by the median",
        "each contender in each round: a fresh process of its own, so that neither inherits the other's warm memory",
    ]
    head = ["", "bytes", "our answer, ms", "orjson.loads, ms", "ratio in the round", "aim", ""]
    print_table("In process: the whole answer against orjson.loads of the same body", notes, head, rows)


def print_growth(rounds: int) -> None:
    """Print what one more Condition costs; every round is a fresh process that goes through all sizes."""
    bodies = [lumbar_puncture_order(size) for size in _SIZES]
    found = [_in_child("ours", bodies) for _ in range(rounds)]
    rows = [
        [f"{size:,}", f"{len(body):,}", spread(costs, 3), spread([cost / size * 1000 for cost in costs], 2)]
        for size, body, costs in zip(_SIZES, bodies, zip(*found, strict=True), strict=True)
    ]
    head = ["Conditions", "bytes", "our answer, ms", "microseconds a Condition"]
    notes = [f"least / median / greatest of {rounds} rounds, in processor time"]
    print_table("In process: how the cost of an LP order grows with the chart", notes, head, rows)


def _in_child(contender: str, bodies: Sequence[bytes]) -> list[float]:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as child:
        return child.submit(_medians, contender, bodies).result(timeout=_CHILD_SECONDS)


def _medians(contender: str, bodies: Sequence[bytes]) -> list[float]:
    """What each body costs this contender: the median of many calls, in milliseconds of processor time.

    Processor time, because whatever else the machine runs delays one contender and not the other.
    """
    service = _service()
    contenders: dict[str, Callable[[bytes], object]] = {
        "ours": lambda body: _answer_with(service, body),
        "orjson": orjson.loads,
    }
    return [_median(contenders[contender], body) for body in bodies]


def _median(run: Callable[[bytes], object], body: bytes) -> float:
    for _ in range(_WARM_UP):
        run(body)
    durations = []
    for _ in range(30 if len(body) > 500_000 else 300):
        started = time.process_time()
        run(body)
        durations.append(time.process_time() - started)
    return median(durations) * 1000


def _service() -> HookService:
    """The service without HTTP, and with a ledger that writes nothing: `bench.ledger_cost` measures that."""
    topic = load_topic()
    database = Database(parse_database_url("sqlite:////nowhere/ledger.sqlite"), pool_size=1)  # never opened
    ledger = _Unwritten(database, _clock, frozenset())
    issuer = CardIssuer(topic.service.id, ledger, QuietPeriods(database, _clock, ""), CallCounts(database, _clock))
    charts = ChartReader(topic, FhirReader(budget_ms=1, threads=1))
    return HookService(topic, charts, issuer, _clock, "http://bench")


class _Unwritten(Ledger):
    def record(self, *_: object) -> None:
        """Nothing."""


def _clock() -> datetime:
    return datetime(2026, 11, 22, tzinfo=UTC)


def _answer_with(service: HookService, body: bytes) -> bytes:
    return service.answer(body, _CLIENT, CallLog("cds_hooks.call", service.id, service.content_version))
