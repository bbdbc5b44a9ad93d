"""What SIGTERM does: how long until the server is gone, its exit status, and what becomes of the calls in work."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from bench.bodies import CARDS, order_with_cards
from bench.client import Request, ask
from bench.server import SERVICE, Server, running, settle
from bench.servers.candidates import Candidate
from bench.servers.measured import Measured, processes
from bench.servers.slow_clients import slow_bodies
from bench.slow_fhir_server import WHOLE

_PATIENCE_SECONDS = 15.0
_CALLS = 8
_FHIR_MILLISECONDS = 1000  # so long is each call in work, which is below CDS_FHIR_BUDGET_MS
_UNDER_WAY_SECONDS = 0.4
_SLOW = 50
WORKERS = 2


def measure(candidates: Mapping[str, Candidate], into: Measured) -> None:
    """Add the rows, each situation with servers of its own."""
    what = f"{processes(WORKERS)}, SIGTERM"
    into.rows += [
        (f"{what} when idle", [_idle(one) for one in candidates.values()]),
        (f"{what} with {_CALLS} calls in work", [_in_work(one) for one in candidates.values()]),
        (f"{what} with {_SLOW} slow bodies", [_with_slow_bodies(one) for one in candidates.values()]),
    ]


def _idle(candidate: Candidate) -> str:
    with candidate.serve(WORKERS) as server:
        settle(server)
        return _stop(server.process)


def _in_work(candidate: Candidate) -> str:
    ready = Request.get(f"{WHOLE}/metadata", b"{")
    with running(_fhir_command, ready) as fhir, candidate.serve(WORKERS) as server:
        call = json.loads(order_with_cards(0)) | {"fhirServer": f"http://127.0.0.1:{fhir.port}{WHOLE}"}
        del call["prefetch"]
        settle(server)
        request = Request.post(SERVICE, json.dumps(call).encode(), CARDS)
        with ThreadPoolExecutor(_CALLS) as threads:
            calls = [threads.submit(_is_answered, server, request) for _ in range(_CALLS)]
            time.sleep(_UNDER_WAY_SECONDS)
            gone = _stop(server.process)
            answered = sum(one.result() for one in calls)
    return f"{answered} answered, {gone}"


def _with_slow_bodies(candidate: Candidate) -> str:
    with candidate.serve(WORKERS) as server:
        settle(server)
        with slow_bodies(server.port, _SLOW):
            return _stop(server.process)


def _fhir_command(port: int) -> list[str]:
    return [sys.executable, "-m", "bench.slow_fhir_server", str(port), str(_FHIR_MILLISECONDS)]


def _is_answered(server: Server, request: Request) -> bool:
    try:
        return ask(server.port, request)
    except (OSError, ValueError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> str:
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"not gone in {_PATIENCE_SECONDS:g} s"
    return f"gone in {time.monotonic() - began:.1f} s, status {status}"
