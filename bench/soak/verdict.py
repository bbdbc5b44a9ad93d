"""What a soak must not show: an unexpected status, a worker that ended, a lost card, memory that grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.soak.clients import Answers
from bench.soak.watch import Sample, Watch

_ALWAYS_MB = 2.0
_REMEMBERED_TOKENS = 20_000  # of each worker (cds_service/clients/token_replay.py)
_TOKEN_BYTES = 300


@dataclass(frozen=True)
class Soak:
    """What was seen. `begun`, `ended`: of the half load (monotonic seconds). `accepted_before`: tokens that were taken
    in the first three quarters of it, and before.
    """

    answers: Answers
    watch: Watch
    workers: Sequence[int]
    workers_at_end: Sequence[int]
    begun: float
    ended: float
    accepted_before: int


def faults_of(soak: Soak, lost: set[str]) -> list[str]:
    """The faults, in words. `lost`: cards that were shown and are not recorded."""
    faults = [f"{times:,} times {what}" for what, times in soak.answers.wrong.most_common()]
    if set(soak.workers) != set(soak.workers_at_end):
        faults.append("a worker ended, and another was started")
    if lost:
        faults.append(f"{len(lost):,} cards were shown and are not recorded")
    allowed = allowed_mb(soak)
    for pid in soak.workers:
        grown = growth_mb(soak.watch.samples[pid], soak.begun, soak.ended)
        if grown > allowed:
            faults.append(f"worker {pid} grew by {grown:.1f} MB in the last quarter; {allowed:.1f} MB are allowed")
    return faults


def allowed_mb(soak: Soak) -> float:
    """How much the last quarter may grow: 2 MB, and what each worker remembers of tokens until it knows 20,000."""
    tokens = (soak.accepted_before, soak.answers.accepted)
    before, after = (min(number / len(soak.workers), _REMEMBERED_TOKENS) for number in tokens)
    return _ALWAYS_MB + (after - before) * _TOKEN_BYTES / 1e6


def growth_mb(samples: Sequence[Sample], begun: float, ended: float) -> float:
    """By how many MB of PSS the last quarter of this time grew: the median of its last third, less that of its first.

    Medians, because a single sample depends on which call was under way.
    """
    first = ended - (ended - begun) / 4
    third = (ended - first) / 3
    early = [sample.memory.pss_mb for sample in samples if first <= sample.at < first + third]
    late = [sample.memory.pss_mb for sample in samples if ended - third <= sample.at <= ended]
    if not early or not late:
        raise ValueError("too few samples: let it run for longer")
    return median(late) - median(early)
