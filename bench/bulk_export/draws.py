"""Repeatable chance: the same seed draws the same on every version of Python."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Weighted(Generic[T]):
    """Things with their shares, which need not add up to anything."""

    things: Sequence[T]
    edges: Sequence[float]  # where each share ends, between 0 and 1

    @classmethod
    def of(cls, shares: Iterable[tuple[float, T]]) -> Weighted[T]:
        """From (share, thing)."""
        listed = list(shares)
        total = sum(share for share, _ in listed)
        ends = [end / total for end in accumulate(share for share, _ in listed)]
        return cls([thing for _, thing in listed], ends[:-1])


class Draws:
    """One stream of draws. It rests on `Random.random` alone, whose sequence Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed).random  # noqa: S311 - a fictional hospital, no secret

    def chance(self, share: float) -> bool:
        """True in this share of draws."""
        return self.random() < share

    def below(self, count: int) -> int:
        """0 to count - 1."""
        return int(self.random() * count)

    def between(self, first: int, last: int) -> int:
        """A whole number, both ends included."""
        return first + int(self.random() * (last - first + 1))

    def pick(self, things: Sequence[T]) -> T:
        """One of equals."""
        return things[int(self.random() * len(things))]

    def weighted(self, table: Weighted[T]) -> T:
        """One by its share."""
        return table.things[bisect_right(table.edges, self.random())]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """The same things in another order."""
        keys = [self.random() for _ in things]
        return [things[index] for index in sorted(range(len(things)), key=keys.__getitem__)]
