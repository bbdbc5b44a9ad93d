"""The families of metrics, which cost a call next to nothing, and all series of which exist before the first event.

A label value that is not expected is counted as `other`: so no request adds a series, and an alert sees a counter at 0
before it rises to 1. Events are added up in memory, and published to prometheus_client, whose files all workers of a
server share, at the start, every second, and when metrics are read: that is a fifth of what writing each event there
costs. prometheus_client's own series are made when they are published for the first time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from cards.content.service import Service
from cards.topic import Topic
from cds_service.cds_hooks.silencing import MAX_CARDS, QUIET_PERIOD, SILENT_CLIENT, SWITCHED_OFF
from cds_service.clients.clients_file import Mode
from cds_service.errors import ReadFailure, TokenRefusal
from cds_service.event_log.call_log import REASON
from cds_service.fhir_client.prefetch import State

NO_SERVICE = "none"  # of a call to an id that no service has
NO_HOOK = "none"  # of a call that was refused before its hook was read
NO_MODE = "none"  # of a call whose client is not known or not trusted
UNIDENTIFIED = "unidentified"

_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
ANSWERED = ("silent", "cards", "quiet")
_REFUSED = ("400", "401", "404", "412", "413", "415", "503")
_STAGES = ("auth", "decode", "triage", "chart", "rule", "ledger", "encode")
_INDICATORS = ("info", "warning", "critical")
SHOWN = "shown"
_CARD_RESULTS = (SHOWN, QUIET_PERIOD, MAX_CARDS, SWITCHED_OFF, SILENT_CLIENT)
_UNREAD = ("not a resource", "patient not resolved", "no code")
READ = "read"

disable_created_metrics()  # type: ignore[no-untyped-call]

OTHER = "other"
Values = tuple[str, ...]


class Counters:
    """Counters of one name, which is without its `_total`. `values`: those of the labels, one tuple for each series.

    Not thread-safe: the caller of `add` and `publish` must have the lock of Metrics.
    """

    def __init__(
        self, registry: CollectorRegistry, name: str, about: str, labels: Sequence[str], values: Iterable[Values]
    ) -> None:
        self._family = Counter(name, about, labels, registry=registry)
        self._other = (OTHER,) * len(labels)
        self._known = dict.fromkeys((*values, self._other))
        self._pending: dict[Values, float] = {}

    @cached_property
    def _series(self) -> Mapping[Values, Counter]:
        return {key: self._family.labels(*key) if key else self._family for key in self._known}

    def add(self, values: Values, number: float = 1) -> None:
        """Count one event, or several of a kind."""
        known = values if values in self._known else self._other
        self._pending[known] = self._pending.get(known, 0) + number

    def publish(self) -> None:
        """Add what was counted since the last time to the metrics of prometheus_client."""
        series = self._series
        for values, number in self._pending.items():
            series[values].inc(number)
        self._pending.clear()


class _Histogram(Histogram):
    """A histogram that takes many observations at once; that of prometheus_client takes them one by one."""

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
        self._family = _Histogram(name, about, labels, registry=registry, buckets=buckets)
        self._other = (OTHER,) * len(labels)
        self._bounds = buckets
        self._counts = {key: [0] * (len(buckets) + 1) for key in (*values, self._other)}
        self._seconds = dict.fromkeys(self._counts, 0.0)

    @cached_property
    def _series(self) -> Mapping[Values, _Histogram]:
        return {key: self._family.labels(*key) for key in self._counts}

    def observe(self, values: Values, seconds: float) -> None:
        """Note one duration."""
        known = values if values in self._counts else self._other
        self._counts[known][bisect_left(self._bounds, seconds)] += 1
        self._seconds[known] += seconds

    def publish(self) -> None:
        """Add what was observed since the last time to the metrics of prometheus_client."""
        series = self._series
        for values, counts in self._counts.items():
            if any(counts):
                series[values].add(counts, self._seconds[values])
                self._counts[values] = [0] * len(counts)
                self._seconds[values] = 0.0


class Families:
    """Every family that is counted while requests are served, by the name that docs/operations.md explains.

    `clients`: their modes by name. `all`: what is to be published.
    """

    def __init__(self, topics: Collection[Topic], clients: Mapping[str, Mode]) -> None:
        self.registry = CollectorRegistry()
        self.all: list[Counters | Durations] = []
        clients = {**clients, UNIDENTIFIED: Mode.VISIBLE}
        services = [topic.service for topic in topics]
        self._make_calls(services, clients)
        self._make_cards(services)
        self._make_chart(services)
        self._make_feedback()
        self._make_events(clients)

    def _make_calls(self, services: Iterable[Service], clients: Mapping[str, Mode]) -> None:
        called = [(service.id, hook) for service in services for hook in (*service.hooks, NO_HOOK)]
        refused = [*product(["refused"], _REFUSED), ("fault", "500")]
        answers = [
            *product(ANSWERED, ["200"], Mode),
            *((*answer, mode) for mode in (*Mode, NO_MODE) for answer in refused),
        ]
        calls = [(*call, *answer) for call in (*called, (NO_SERVICE, NO_HOOK)) for answer in answers]
        self.calls = self._counters("calls", "Hook calls", ("service", "hook", "outcome", "code", "mode"), calls)
        about = "Hook calls that were answered, with or without cards"
        self.client_calls = self._counters("client_calls", about, ("client", "mode"), clients.items())
        about = "A hook call whose body has arrived, until its answer is ready"
        self.durations = self._histograms("call_duration", about, "outcome", (*ANSWERED, "refused", "fault"))
        self.stages = self._histograms("call_stage_duration", "A stage of a hook call", "stage", _STAGES)

    def _make_cards(self, services: Iterable[Service]) -> None:
        cards = [(service.id, card) for service in services for card in service.cards]
        values = [(*card, *rest) for card in cards for rest in product(_INDICATORS, _CARD_RESULTS)]
        about = "Cards that were shown, or silenced and why"
        self.cards = self._counters("cards", about, ("service", "card", "indicator", "result"), values)

    def _make_chart(self, services: Sequence[Service]) -> None:
        keys = tuple(dict.fromkeys(key for service in services for key in service.prefetch))
        types = tuple(dict.fromkeys(name for service in services for name in service.resource_types.values()))
        states = product(keys, map(str, State))
        self.prefetch = self._counters("prefetch", "Prefetch values by what they told", ("key", "state"), states)
        results = product((*keys, REASON), (READ, *ReadFailure))
        self.reads = self._counters("fhir_reads", "Reads from FHIR servers", ("key", "result"), results)
        about = "A read from a FHIR server, with all its pages"
        self.read_durations = self._histograms("fhir_read_duration", about, "key", (*keys, REASON))
        self.resources = self._counters("resources_read", "Resources of charts", ("type",), product(types))
        about = "Resources of charts that could not be read"
        self.skipped = self._counters("resources_skipped", about, ("type", "reason"), product(types, _UNREAD))

    def _make_feedback(self) -> None:
        codes = product(("200", *_REFUSED, "500"))
        self.feedback_requests = self._counters("feedback_requests", "Requests with feedback", ("code",), codes)
        results = product(("new", "repeated", "unknown_card"))
        self.feedback = self._counters("feedback_entries", "Feedback entries that were taken", ("result",), results)
        about = "Feedback entries that were taken, by what became of the card"
        outcomes = product(("accepted", "overridden"))
        self.feedback_outcomes = self._counters("feedback_outcomes", about, ("outcome",), outcomes)

    def _make_events(self, clients: Iterable[str]) -> None:
        reasons = product(TokenRefusal)
        self.tokens_refused = self._counters("tokens_refused", "Calls refused for their token", ("reason",), reasons)
        about = "Calls whose cards, and requests whose feedback, did not get into the ledger"
        self.ledger_failures = self._counters("ledger_failures", about, ("what",), product(("call", "feedback")))
        refused, fetches = "Requests refused before they had a thread", "Key sets that could not be fetched"
        self.events = {
            "not_heard": self._counters("requests_not_heard", refused, ("code",), product(("400", "408", "503"))),
            "keys_not_fetched": self._counters("key_fetch_failures", fetches, ("client",), product(clients)),
            "replay_local": self._counters("replay_checks_local", "Tokens checked by one process alone", (), ()),
            "housekeeping_failed": self._counters(
                "housekeeping_failures", "Background tasks that the database refused", (), ()
            ),
            "unrecorded": self.ledger_failures,
            "fault": self._counters("faults", "Faults of this service", (), ()),
        }

    def _counters(self, name: str, about: str, labels: Values, values: Iterable[Values]) -> Counters:
        family = Counters(self.registry, f"cds_hooks_{name}", about, labels, values)
        self.all.append(family)
        return family

    def _histograms(self, name: str, about: str, label: str, values: Iterable[str]) -> Durations:
        family = Durations(self.registry, f"cds_hooks_{name}_seconds", about, (label,), list(product(values)), _BUCKETS)
        self.all.append(family)
        return family
