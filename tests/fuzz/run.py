"""Runs the generators against the service: so many examples of each, or until the time is up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from schemathesis import GenerationMode
from schemathesis.config import GenerationConfig

from tests.fuzz.changes import changed_answers, changed_calls, damaged_calls, odd_requests
from tests.fuzz.production import ProductionUnderFuzz, production_under_fuzz
from tests.fuzz.service import ServiceUnderFuzz, service_under_fuzz
from tests.fuzz.tally import Broken, Findings, Tally
from tests.fuzz.tokens import token_plans

# Of a hundred made-up calls. Schemathesis takes ten times as long as we do for one, and knows only the document.
SHARES = {"changed calls": 48, "damaged calls": 22, "odd requests": 20, "changed answers": 7, "described calls": 3}
SHARES_IN_PRODUCTION = {"tokens": 60, "changed calls": 20, "damaged calls": 10, "odd requests": 10}
CHUNK = 2_000  # calls of one seed: short enough to stop in time, long enough for hypothesis to find its way
SEED_STEP = 1_000_000  # between two generators: no seed is used twice
_SETTINGS = settings(
    derandomize=False,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def generators(service: ServiceUnderFuzz) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]]:
    """By name as in SHARES: what makes a call up, and what sends it."""
    return {
        "changed calls": (changed_calls(), service.send),
        "damaged calls": (damaged_calls(), service.send),
        "odd requests": (odd_requests(), service.send),
        "changed answers": (changed_answers(), service.send),
        "described calls": (described_calls(service), service.send_case),
    }


def generators_in_production(
    service: ProductionUnderFuzz,
) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]]:
    """By name as in SHARES_IN_PRODUCTION. All but the tokens are calls with a good token."""
    return {
        "tokens": (token_plans(), service.send_token),
        "changed calls": (changed_calls(), service.send),
        "damaged calls": (damaged_calls(), service.send),
        "odd requests": (odd_requests(), service.send),
    }


def described_calls(service: ServiceUnderFuzz) -> st.SearchStrategy[Any]:
    """Calls as the served document describes them, and calls that break it in one place, of every operation."""
    strategies = []
    for operation in service.operations:
        takes_something = operation.body or any(operation.iter_parameters())
        modes = list(GenerationMode) if takes_something else [GenerationMode.POSITIVE]
        strategies += [operation.as_strategy(generation_mode=mode) for mode in modes]
    return st.one_of(strategies)


def send_described_edges(service: ServiceUnderFuzz, findings: Findings) -> None:
    """Send every edge of the served document once: examples, least and greatest values, absent ones, wrong methods."""
    for operation in service.operations:
        cases = service.schema.iter_coverage_cases(
            operation, generation_modes=list(GenerationMode), generation_config=GenerationConfig()
        )
        for case in cases:
            try:
                service.send_case(case)
            except Broken as broken:
                findings.add(broken)


def send_made_up(
    make: st.SearchStrategy[Any],
    send: Callable[[Any], Any],
    examples: int,
    findings: Findings,
    *,
    first_seed: int = 0,
    deadline: float = math.inf,
) -> None:
    """Send so many examples, the same ones for the same seed, and none after the deadline (monotonic seconds).

    The first fault of a kind is made as small as hypothesis can; further ones are only counted.
    """
    left, hunted = examples, list[Broken]()

    def send_one(call: Any) -> None:
        nonlocal left
        if not hunted and (left <= 0 or time.monotonic() > deadline):
            return
        left -= 1
        try:
            send(call)
        except Broken as broken:
            findings.counts[broken.kind] += 1
            if broken.kind not in findings.first and (not hunted or hunted[0].kind == broken.kind):
                hunted.append(broken)
                raise

    for chunk_seed in count(first_seed):
        before = left
        if left <= 0 or time.monotonic() > deadline:
            return
        try:
            seed(chunk_seed)(settings(_SETTINGS, max_examples=min(CHUNK, left))(given(make)(send_one)))()
        except (Broken, Flaky):  # flaky: it hangs on what came before, so the last one that was seen is told
            findings.first[hunted[-1].kind] = hunted[-1]
            hunted.clear()
        if left == before:  # hypothesis knows no other example
            return


def one_process(examples: int, seed: int, seconds: float, is_first: bool, production: bool) -> tuple[Tally, Findings]:
    """One process's part: its share of every generator. The first one sends the edges of the document, too."""
    findings, deadline = Findings(), time.monotonic() + seconds
    with TemporaryDirectory() as folder:
        if production:
            with production_under_fuzz(Path(folder)) as service:
                makers = generators_in_production(service)
                _send_shares(makers, SHARES_IN_PRODUCTION, service.tally, examples, findings, seed, deadline)
                return service.tally, findings
        with service_under_fuzz(Path(folder)) as service_in_development:
            if is_first:
                send_described_edges(service_in_development, findings)
            makers = generators(service_in_development)
            _send_shares(makers, SHARES, service_in_development.tally, examples, findings, seed, deadline)
            return service_in_development.tally, findings


def _send_shares(
    makers: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]],
    shares: dict[str, int],
    tally: Tally,
    examples: int,
    findings: Findings,
    seed: int,
    deadline: float,
) -> None:
    """So many answers in all, by each generator its share, and by "changed calls" what is left."""
    left = examples - tally.total
    for index, (name, (make, send)) in enumerate(makers.items()):
        send_made_up(
            make, send, left * shares[name] // 100, findings, first_seed=seed + index * SEED_STEP, deadline=deadline
        )
    make, send = makers["changed calls"]
    rest = examples - tally.total  # by rounding; none where tokens were sent again
    send_made_up(make, send, rest, findings, first_seed=seed + 50 * SEED_STEP, deadline=deadline)
