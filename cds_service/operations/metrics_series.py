"""Metric families that cost a call next to nothing, and whose series all exist before the first event.

What nobody expected is counted as `other`: so nothing that a request says adds a series, and an alert sees a counter at
0 before it rises to 1. Events are added up in memory, and published to prometheus_client, whose files all workers of
a server share, every second and when somebody asks: that is a fifth of what writing each event there costs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

OTHER = "other"
Values = tuple[str, ...]


class Counters:
    """Counters of one name, which is without its `_total`. `values`: those of the labels, one tuple for each series.

    Neither thread-safe by itself: whoever adds or publishes holds the lock of the Metrics.
    """

    def __init__(
        self, registry: CollectorRegistry, name: str, about: str, labels: Sequence[str], values: Iterable[Values]
    ) -> None:
        family = Counter(name, about, labels, registry=registry)
        self._other = (OTHER,) * len(labels)
        self._published = {one: family.labels(*one) if one else family for one in (*values, self._other)}
        self._pending: dict[Values, float] = {}

    def add(self, values: Values, number: float = 1) -> None:
        """Count one event, or several of a kind."""
        known = values if values in self._published else self._other
        self._pending[known] = self._pending.get(known, 0) + number

    def publish(self) -> None:
        """Tell prometheus_client what was added since."""
        for values, number in self._pending.items():
            self._published[values].inc(number)
        self._pending.clear()


class _Histogram(Histogram):
    """A histogram to which many observations are added in one go: prometheus_client takes them one by one only."""

    def add(self, counts: Sequence[int], seconds: float) -> None:
        self._sum.inc(seconds)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class Durations:
    """Histograms of one name. `buckets`: their upper bounds in seconds."""

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        about: str,
        labels: Sequence[str],
        values: Iterable[Values],
        buckets: Sequence[float],
    ) -> None:
        family = _Histogram(name, about, labels, registry=registry, buckets=buckets)
        self._other = (OTHER,) * len(labels)
        self._bounds = buckets
        self._published = {one: family.labels(*one) for one in (*values, self._other)}
        self._counts = {one: [0] * (len(buckets) + 1) for one in self._published}
        self._seconds = dict.fromkeys(self._published, 0.0)

    def observe(self, values: Values, seconds: float) -> None:
        """Note one duration."""
        known = values if values in self._published else self._other
        self._counts[known][bisect_left(self._bounds, seconds)] += 1
        self._seconds[known] += seconds

    def publish(self) -> None:
        """Tell prometheus_client what was observed since."""
        for values, counts in self._counts.items():
            if any(counts):
                self._published[values].add(counts, self._seconds[values])
                self._counts[values] = [0] * len(counts)
                self._seconds[values] = 0.0
