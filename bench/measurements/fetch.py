"""Calls whose chart has to be fetched, from a FHIR server that takes 50 ms: against the bare round trips to it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from statistics import median

import requests

from bench.harness.bodies import CARDS, FINDINGS_CARD, order_with_cards
from bench.harness.client import Request
from bench.harness.figures import Aim, ratios, spread
from bench.harness.report import print_table
from bench.harness.server import SERVICE, Server, our_command, running
from bench.harness.slow_fhir_server import CONDITIONS, PAGED, PAGES, WHOLE

_MILLISECONDS = 50
_LIMIT = 1.2
_MOST_CALLS = 10  # of each kind, in each round
_CALLS_A_SECOND = 2
_WARM_UP = 2
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class _Case:
    """A call without these prefetch keys, to a FHIR server at `base`, and how many reads must follow each other."""

    missing: Sequence[str]
    base: str
    reads: int


_EVERYTHING = ("patient", "conditions", "procedures")
_CASES = {
    "conditions missing": _Case(["conditions"], WHOLE, 1),
    "all three keys missing": _Case(_EVERYTHING, WHOLE, 1),
    f"conditions missing, {PAGES} pages": _Case(["conditions"], PAGED, PAGES),
    f"all three keys missing, {PAGES} pages": _Case(_EVERYTHING, PAGED, PAGES),
}


def measure(rounds: int, seconds: float) -> tuple[list[Aim], int]:
    """Print. Returns the aims and the number of wrong answers."""
    count = max(1, min(_MOST_CALLS, round(seconds * _CALLS_A_SECOND)))
    ready = Request.get(f"{WHOLE}/metadata", b"{")
    with running(_fhir_command, ready) as fhir, running(our_command()) as ours:
        connection = HTTPConnection("127.0.0.1", ours.port, timeout=30)
        with requests.Session() as session:
            found = {
                name: _compare(_call(connection, fhir, case), _bare(session, fhir, case), rounds, count)
                for name, case in _CASES.items()
            }
        connection.close()
    rows = []
    aims = []
    for name, (calls, bare, _wrong) in found.items():
        case = _CASES[name]
        times = ratios(calls, bare)
        added = [call - reference for call, reference in zip(calls, bare, strict=True)]
        rows.append([name, f"{case.reads}", spread(calls, 1), spread(bare, 1), spread(times, 3), spread(added, 1)])
        aims.append(Aim(f"fetch, {name}: over the bare reads", _LIMIT, median(times)))
    notes = [
        f"order with cards, {CONDITIONS} Conditions; the FHIR server answers every request after {_MILLISECONDS} ms",
        "bare: the same Conditions read by a requests session that keeps its connection, page after page, unparsed",
        f"one call at a time; least / median / greatest of {rounds} rounds, each the median of {count}",
    ]
    head = ["", "reads in a row", "our call, ms", "bare, ms", "ratio in the round", "added ms"]
    print_table("Fetching: a call over HTTP against bare reads of the same", notes, head, rows)
    return aims, sum(wrong for _, _, wrong in found.values())


def _fhir_command(port: int) -> Sequence[str]:
    return [sys.executable, "-m", "bench.harness.slow_fhir_server", str(port), str(_MILLISECONDS)]


def _compare(
    ours: Callable[[], bool], bare: Callable[[], bool], rounds: int, count: int
) -> tuple[list[float], list[float], int]:
    """Milliseconds of ours and of the bare reads in each round, in turn; and how many answers were wrong."""
    wrong = sum(not run() for run in (ours, bare) for _ in range(_WARM_UP))
    medians: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        durations: tuple[list[float], list[float]] = ([], [])
        for _ in range(count):
            for run, into in zip((ours, bare), durations, strict=True):
                began = time.perf_counter()
                wrong += not run()
                into.append((time.perf_counter() - began) * 1000)
        for into, found in zip(medians, durations, strict=True):
            into.append(median(found))
    return *medians, wrong


def _call(connection: HTTPConnection, fhir: Server, case: _Case) -> Callable[[], bool]:
    call = json.loads(order_with_cards(CONDITIONS))
    call["fhirServer"] = f"http://127.0.0.1:{fhir.port}{case.base}"
    call["prefetch"] = {key: value for key, value in call["prefetch"].items() if key not in case.missing}
    body = json.dumps(call).encode()

    def run() -> bool:
        connection.request("POST", SERVICE, body, _HEADERS)
        answer = connection.getresponse().read()
        # where the Conditions were not read, a card says so
        return answer.startswith(CARDS) and f'"{FINDINGS_CARD}"'.encode() in answer

    return run


def _bare(session: requests.Session, fhir: Server, case: _Case) -> Callable[[], bool]:
    address = f"http://127.0.0.1:{fhir.port}{case.base}"
    paths = ["Condition?patient=bench&_count=500", *(f"page/{number}" for number in range(2, case.reads + 1))]

    def run() -> bool:
        return all(session.get(f"{address}/{path}", timeout=30).ok for path in paths)

    return run
