"""What Prometheus is told: counts and times of calls, derived from their finished log events and from nothing else.

Label values are those of the content, the registry and this code: nothing of a request becomes one (SECURITY.md).
docs/operations.md explains each family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cards.catalogue import Topic
from cds_service.cds_hooks.patient_chart import REASON
from cds_service.fhir_client.prefetch import State
from cds_service.operations.metrics_folder import dead_workers, shared_folder
from cds_service.operations.metrics_reasons import READ_REASONS, TOKEN_REASONS, class_of
from cds_service.operations.metrics_series import Counters, Durations, Values

if TYPE_CHECKING:
    from cds_service.cds_hooks.patient_chart import ChartLog
    from cds_service.clients.registry import Registry
    from cds_service.event_log.events import CallLog

NO_HOOK = "none"  # of a call that was refused before its hook was read
UNIDENTIFIED = "unidentified"

_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ANSWERED = ("silent", "cards", "quiet")
_REFUSED = ("400", "401", "404", "412", "413", "415", "503")
_STAGES = ("auth", "decode", "triage", "chart", "rule", "ledger", "encode")
_INDICATORS = ("info", "warning", "critical")
_SHOWN = "shown"
_CARD_RESULTS = (_SHOWN, "quiet-period", "max-cards")
_TYPES = ("Condition", "Procedure")
_UNREAD = ("not a resource", "patient not resolved", "no code")
_READ = "read"

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one process; those of its fellow workers with them, where they share a folder (metrics_folder).

    An observer of `audit`. `requests_in_progress`: set by the server, and asked every second.
    """

    def __init__(self, topic: Topic, registry: Registry) -> None:
        self._lock = Lock()
        self._registry = CollectorRegistry()
        self._families: list[Counters | Durations] = []
        self._clients = registry
        clients = tuple(dict.fromkeys((*(one.name for one in registry.clients), UNIDENTIFIED)))
        self._make_calls(topic.service.hooks, clients)
        self._make_cards(topic.service.cards)
        self._make_chart(tuple(topic.service.prefetch))
        self._make_feedback()
        self._make_events(clients)
        self.requests_in_progress: Callable[[], int] = lambda: 0
        about = "Requests that have a thread or wait for one, probes not among them"
        self._in_progress = Gauge(
            "cds_hooks_requests_in_progress", about, registry=self._registry, multiprocess_mode="livesum"
        )
        about = "Registered clients of whose issuer no key is known, in the worker that lacks most"
        self._without_keys = Gauge(
            "cds_hooks_clients_without_keys", about, registry=self._registry, multiprocess_mode="livemax"
        )

    def on_call(self, call: CallLog, status: int, seconds: float) -> None:
        """Count one call, its feedback or its discovery, as it was logged."""
        code = str(status)
        with self._lock:
            if call.not_trusted and status in (401, 503):
                self._tokens_refused.add((class_of(call.not_trusted, TOKEN_REASONS),))
            if call.event == "cds_hooks.call":
                self._count_call(call, code, seconds)
            elif call.event == "cds_hooks.feedback":
                self._feedback_requests.add((code,))
                for outcome, number in call.feedback.items():
                    self._feedback.add((outcome,), number)
                for outcome, number in call.feedback_outcomes.items():
                    self._feedback_outcomes.add((outcome,), number)
            if call.unrecorded:
                self._ledger_failures.add((call.event.removeprefix("cds_hooks."),))

    def on_event(self, event: str, *values: str) -> None:
        """Count one of the other events of `audit`, by the name it has there."""
        with self._lock:
            self._events[event].add(values)

    def publish(self) -> None:
        """Let the other workers see what this one has counted."""
        with self._lock:
            for family in self._families:
                family.publish()
            self._in_progress.set(self.requests_in_progress())
            self._without_keys.set(self._clients.count_without_keys())

    def exposition(self) -> bytes:
        """All metrics of the server in the text format of Prometheus."""
        self.publish()
        folder = shared_folder()
        if folder is None:
            return generate_latest(self._registry)
        for pid in dead_workers(folder):
            with suppress(FileNotFoundError):  # another worker was quicker
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _count_call(self, call: CallLog, code: str, seconds: float) -> None:
        hook = call.hook or NO_HOOK
        self._calls.add((hook, call.outcome, code))
        self._durations.observe((call.outcome,), seconds)
        for stage, milliseconds in call.stages_ms.items():
            self._stages.observe((stage,), milliseconds / 1000)
        if call.outcome in _ANSWERED:
            self._client_calls.add((call.client or UNIDENTIFIED,))
        for key in call.cards:
            self._cards.add((key, call.indicators[key], _SHOWN))
        for key, cause in call.silenced.items():
            self._cards.add((key, call.indicators[key], cause))
        if call.chart.prefetch or call.chart.reads:  # nearly every call is silent, and looked at no chart
            self._count_chart(call.chart)

    def _count_chart(self, chart: ChartLog) -> None:
        for key, state in chart.prefetch.items():
            self._prefetch.add((key, state))
        for read in chart.reads:
            failure = chart.fetch_failures.get(read.key, read.failure)
            self._reads.add((read.key, class_of(failure, READ_REASONS) if failure else _READ))
            if read.seconds:
                self._read_durations.observe((read.key,), read.seconds)
        for resource_type, number in chart.resources_seen.items():
            self._resources.add((resource_type,), number)
        for resource_type, reasons in chart.resources_unread.items():
            for reason, number in reasons.items():
                self._skipped.add((resource_type, reason), number)

    def _make_calls(self, hooks: Iterable[str], clients: Iterable[str]) -> None:
        known = (*hooks, NO_HOOK)
        answers = [*product(_ANSWERED, ["200"]), *product(["refused"], _REFUSED), ("fault", "500")]
        calls = [(hook, *answer) for hook in known for answer in answers]
        self._calls = self._counters("calls", "Hook calls", ("hook", "outcome", "code"), calls)
        self._client_calls = self._counters(
            "client_calls", "Hook calls that were answered, with or without cards", ("client",), product(clients)
        )
        about = "A hook call whose body has arrived, until its answer is ready"
        self._durations = self._histograms("call_duration", about, "outcome", (*_ANSWERED, "refused", "fault"))
        self._stages = self._histograms("call_stage_duration", "A stage of a hook call", "stage", _STAGES)

    def _make_cards(self, cards: Iterable[str]) -> None:
        values = product(cards, _INDICATORS, _CARD_RESULTS)
        about = "Cards that were shown, or silenced and why"
        self._cards = self._counters("cards", about, ("card", "indicator", "result"), values)

    def _make_chart(self, keys: tuple[str, ...]) -> None:
        states = product(keys, map(str, State))
        self._prefetch = self._counters("prefetch", "Prefetch values by what they told", ("key", "state"), states)
        results = product((*keys, REASON), (_READ, *dict.fromkeys(READ_REASONS.values())))
        self._reads = self._counters("fhir_reads", "Reads from FHIR servers", ("key", "result"), results)
        about = "A read from a FHIR server, with all its pages"
        self._read_durations = self._histograms("fhir_read_duration", about, "key", (*keys, REASON))
        self._resources = self._counters("resources_read", "Resources of charts", ("type",), product(_TYPES))
        about = "Resources of charts that could not be read"
        self._skipped = self._counters("resources_skipped", about, ("type", "reason"), product(_TYPES, _UNREAD))

    def _make_feedback(self) -> None:
        codes = product(("200", *_REFUSED, "500"))
        self._feedback_requests = self._counters("feedback_requests", "Requests with feedback", ("code",), codes)
        results = product(("new", "repeated", "unknown_card"))
        self._feedback = self._counters("feedback_entries", "Feedback entries that were taken", ("result",), results)
        about = "Feedback entries that were taken, by what became of the card"
        outcomes = product(("accepted", "overridden"))
        self._feedback_outcomes = self._counters("feedback_outcomes", about, ("outcome",), outcomes)

    def _make_events(self, clients: Iterable[str]) -> None:
        reasons = product(dict.fromkeys(TOKEN_REASONS.values()))
        self._tokens_refused = self._counters("tokens_refused", "Calls refused for their token", ("reason",), reasons)
        about = "Calls whose cards, and requests whose feedback, did not get into the ledger"
        self._ledger_failures = self._counters("ledger_failures", about, ("what",), product(("call", "feedback")))
        refused, fetches = "Requests refused before they had a thread", "Key sets that could not be fetched"
        self._events = {
            "not_heard": self._counters("requests_not_heard", refused, ("code",), product(("400", "408", "503"))),
            "keys_not_fetched": self._counters("key_fetch_failures", fetches, ("client",), product(clients)),
            "replay_local": self._counters("replay_checks_local", "Tokens checked by one process alone", (), ()),
            "housekeeping_failed": self._counters("housekeeping_failures", "Chores the database refused", (), ()),
            "fault": self._counters("faults", "Faults of this service", (), ()),
        }

    def _counters(self, name: str, about: str, labels: Values, values: Iterable[Values]) -> Counters:
        family = Counters(self._registry, f"cds_hooks_{name}", about, labels, values)
        self._families.append(family)
        return family

    def _histograms(self, name: str, about: str, label: str, values: Iterable[str]) -> Durations:
        named = f"cds_hooks_{name}_seconds"
        family = Durations(self._registry, named, about, (label,), [(one,) for one in values], _BUCKETS)
        self._families.append(family)
        return family
