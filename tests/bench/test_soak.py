"""The soak: what it calls a fault, that its calls are what they say, and half a minute of it against a real node."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.harness.memory import Memory
from bench.soak.calls import Mix
from bench.soak.clients import Answers
from bench.soak.node import new_forge
from bench.soak.verdict import Soak, allowed_mb, faults_of, growth_mb
from bench.soak.watch import Sample, Watch
from tests.bench.test_bench import run

BEGUN, ENDED = 100.0, 500.0
FLAT = [80.0] * 201


def samples(pss_mb: Sequence[float]) -> list[Sample]:
    """One every two seconds of the half load."""
    return [Sample(BEGUN + 2 * at, Memory(7, 100.0, held), 40, 9) for at, held in enumerate(pss_mb)]


def soak(pss_mb: Sequence[float] = FLAT, **changes: object) -> Soak:
    watch = Watch(7)
    watch.samples[7] = samples(pss_mb)
    seen = Soak(
        answers=Answers(accepted=4_000),
        watch=watch,
        workers=[7],
        workers_at_end=[7],
        begun=BEGUN,
        ended=ENDED,
        accepted_before=3_000,
    )
    return replace(seen, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "lost", "faults"),
    [
        pytest.param(soak(), set(), [], id="all is well"),
        pytest.param(
            soak([60 + at / 10 for at in range(150)] + [75.0] * 51), set(), [], id="it grew, and no longer does"
        ),
        pytest.param(soak([*[80.0] * 180, 200.0, *[80.0] * 20]), set(), [], id="one large call"),
        pytest.param(
            soak([60 + at / 10 for at in range(201)]),
            set(),
            ["worker 7 grew by 3.4 MB in the last quarter; 2.3 MB are allowed"],
            id="it grows to the end",
        ),
        pytest.param(soak(), {"a", "b"}, ["2 cards were shown and are not recorded"], id="lost cards"),
        pytest.param(soak(workers_at_end=[8]), set(), ["a worker ended, and another was started"], id="another worker"),
        pytest.param(
            soak(answers=Answers(wrong=Counter({"order with cards: 500": 3}))),
            set(),
            ["3 times order with cards: 500"],
            id="a status",
        ),
    ],
)
def test_what_is_a_fault(seen: Soak, lost: set[str], faults: list[str]) -> None:
    assert faults_of(seen, lost) == faults


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        pytest.param(0, 0, 2.0, id="no tokens"),
        pytest.param(5_000, 15_000, 5.0, id="ten thousand more"),
        pytest.param(19_000, 80_000, 2.3, id="up to twenty thousand"),
        pytest.param(60_000, 90_000, 2.0, id="all that it remembers"),
    ],
)
def test_memory_of_tokens_may_grow_until_it_is_full(before: int, after: int, allowed: float) -> None:
    seen = soak(answers=Answers(accepted=after), accepted_before=before)
    assert allowed_mb(seen) == pytest.approx(allowed)


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="let it run for longer"):
        growth_mb(samples(FLAT[:3]), BEGUN, ENDED)


def test_a_run_that_is_too_short_for_a_verdict_is_refused_at_once() -> None:
    done = run("bench.soak", "--minutes", "0.2")
    assert done.returncode == 2
    assert "--minutes 0.2: at least 0.5" in done.stderr


def test_the_mix_holds_all_kinds_and_no_order_twice() -> None:
    dice = random.Random(1)  # noqa: S311 - the same calls in every run
    mix = Mix(new_forge, "https://127.0.0.1:1/fhir", "https://127.0.0.1:2/fhir", dice)
    calls = [mix.next() for _ in range(1_500)]
    kinds = Counter(call.kind for call in calls)
    assert {call.status for call in calls} == {200, 400, 401, 404, 405, 413, 415}
    assert kinds.most_common(1)[0][0] == "unrelated order"
    assert len(kinds) == 17
    orders = [re.search(rb'"hookInstance": ?"([^"]+)"', call.body or b"") for call in calls if call.shows_cards]
    instances = [found[1] for found in orders if found]
    assert len(instances) == len(set(instances)) == sum(call.shows_cards for call in calls)
    tokens = [call.headers["Authorization"] for call in calls if "Authorization" in call.headers]
    assert len(tokens) == len(set(tokens))


@pytest.mark.slow
def test_half_a_minute_of_it_passes_and_prints_its_figures() -> None:
    done = run("bench.soak", "--minutes", "0.5", "--per-second", "40", "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        r"\| order with cards +\| +200 \|",
        r"\| 0\.0 to 0\.\d min \|",
        r"\| \d+, end +\|",
        r"[1-9]\d* cards shown, 0 ",
    ):
        assert re.search(line, done.stdout), done.stdout
