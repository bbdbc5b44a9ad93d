"""A monotonic clock that a test moves."""

from __future__ import annotations


class MonotonicClock:
    """Stands still until it is advanced."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
