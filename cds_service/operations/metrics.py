"""What is counted and timed, and GET /metrics, where the Prometheus of the operator reads it.

Numbers come from finished log events alone. Label values are those of the content, the registry and this code: nothing
of a request becomes one (SECURITY.md). In production the endpoint requires the token of CDS_METRICS_TOKEN.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time
from threading import Lock
from typing import TYPE_CHECKING, Literal

from flask import Blueprint, Response, abort, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from cards.topic import Topic
from cds_service.operations.health import MISSING, OUTDATED, OVERDUE, PARTIAL, UNAVAILABLE, Health
from cds_service.operations.metrics_families import (
    ANSWERED,
    NO_HOOK,
    NO_MODE,
    NO_SERVICE,
    READ,
    SHOWN,
    UNIDENTIFIED,
    Families,
)
from cds_service.operations.metrics_folder import dead_workers, shared_folder
from cds_service.version import program_version

if TYPE_CHECKING:
    from cds_service.clients.registry import Registry
    from cds_service.event_log.call_log import CallLog, ChartLog

_NOT_WELL = frozenset({UNAVAILABLE, OUTDATED, OVERDUE, PARTIAL, MISSING})
_CHALLENGE = {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain; charset=utf-8"}


class Metrics:
    """The metrics of one process, and of all workers of its server where they share a folder (metrics_folder).

    An Observer of events. `requests_in_progress`: set by the server, read every second.
    """

    def __init__(self, topics: Collection[Topic], registry: Registry) -> None:
        self._lock = Lock()
        self._clients = registry
        self._families = Families(topics, {client.name: client.mode for client in registry.clients})
        self.requests_in_progress: Callable[[], int] = lambda: 0
        about = "Requests being processed or waiting, without probes"
        self._in_progress = self._gauge("requests_in_progress", about, "livesum")
        self.writes_waiting: Callable[[], int] = lambda: 0
        about = "Calls, feedback and tokens waiting to be written to the database"
        self._writes_waiting = self._gauge("writes_waiting", about, "livesum")
        about = "Registered clients without a known key, in the worker that has the most of them"
        self._without_keys = self._gauge("clients_without_keys", about, "livemax")

    def on_call(self, call: CallLog, status: int, seconds: float) -> None:
        """Count one hook call, feedback request or discovery request."""
        code = str(status)
        with self._lock:
            if call.not_trusted and status in (401, 503):
                self._families.tokens_refused.add((call.not_trusted.code,))
            if call.event == "cds_hooks.call":
                self._count_call(call, code, seconds)
            elif call.event == "cds_hooks.feedback":
                self._families.feedback_requests.add((code,))
                for outcome, number in call.feedback.items():
                    self._families.feedback.add((outcome,), number)
                for outcome, number in call.feedback_outcomes.items():
                    self._families.feedback_outcomes.add((outcome,), number)
            if call.unrecorded:
                self._families.ledger_failures.add((call.event.removeprefix("cds_hooks."),))

    def on_event(self, event: str, *values: str, number: int = 1) -> None:
        """Count one of the other events, by its name in event_log/events.py."""
        with self._lock:
            self._families.events[event].add(values, number)

    def publish(self) -> None:
        """Publish what this worker has counted, so that the other workers see it."""
        with self._lock:
            for family in self._families.all:
                family.publish()
            self._in_progress.set(self.requests_in_progress())
            self._writes_waiting.set(self.writes_waiting())
            self._without_keys.set(self._clients.count_without_keys())

    def exposition(self) -> bytes:
        """All metrics of the server in the text format of Prometheus."""
        self.publish()
        folder = shared_folder()
        if folder is None:
            return generate_latest(self._families.registry)
        for pid in dead_workers(folder):
            with suppress(FileNotFoundError):  # another worker has done it
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _count_call(self, call: CallLog, code: str, seconds: float) -> None:
        hook = call.hook or NO_HOOK
        service = call.service or NO_SERVICE
        mode = call.mode or NO_MODE
        self._families.calls.add((service, hook, call.outcome, code, mode))
        self._families.durations.observe((call.outcome,), seconds)
        for stage, milliseconds in call.stages_ms.items():
            self._families.stages.observe((stage,), milliseconds / 1000)
        if call.outcome in ANSWERED:
            self._families.client_calls.add((call.client or UNIDENTIFIED, mode))
        for key in call.cards:
            self._families.cards.add((service, key, call.indicators[key], SHOWN))
        for key, cause in call.silenced.items():
            self._families.cards.add((service, key, call.indicators[key], cause))
        if call.chart.prefetch or call.chart.reads:  # nearly every call is silent and read no chart
            self._count_chart(call.chart)

    def _count_chart(self, chart: ChartLog) -> None:
        for key, state in chart.prefetch.items():
            self._families.prefetch.add((key, state))
        for read in chart.reads:
            failure = chart.fetch_failures.get(read.key, read.failure)
            self._families.reads.add((read.key, failure.code if failure else READ))
            if read.seconds:
                self._families.read_durations.observe((read.key,), read.seconds)
        for resource_type, number in chart.resources_seen.items():
            self._families.resources.add((resource_type,), number)
        for resource_type, reasons in chart.resources_unread.items():
            for reason, number in reasons.items():
                self._families.skipped.add((resource_type, reason), number)

    def _gauge(self, name: str, about: str, mode: Literal["livesum", "livemax"]) -> Gauge:
        return Gauge(f"cds_hooks_{name}", about, registry=self._families.registry, multiprocess_mode=mode)


class _State(Collector):
    """Gauges that are the same in every worker: versions, when content is due for review, health."""

    def __init__(self, topics: Collection[Topic], review_due: date, health: Health) -> None:
        self._versions = {topic.service.id: topic.version for topic in topics}
        self._due_s = datetime.combine(review_due, time.max, UTC).timestamp()
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """The gauges of this moment."""
        checks = self._health.check()
        build = GaugeMetricFamily("cds_hooks_build_info", "Version of this program", labels=["version"])
        build.add_metric([program_version()], 1)
        yield build
        content = GaugeMetricFamily(
            "cds_hooks_content_info", "Version of the clinical content", labels=["service", "version"]
        )
        for service_and_version in self._versions.items():
            content.add_metric(service_and_version, 1)
        yield content
        about = "End of the last day on which no clinical content is overdue for review"
        yield GaugeMetricFamily("cds_hooks_content_review_due_timestamp_seconds", about, self._due_s)
        yield GaugeMetricFamily(
            "cds_hooks_ready", "1 if calls should be sent to this instance, see /health/ready", checks.is_ready
        )
        well = GaugeMetricFamily("cds_hooks_check_ok", "1 if all checks of /health/ready pass", labels=["check"])
        for name, word in (("database", checks.database), ("content", checks.content), ("keys", checks.keys)):
            well.add_metric([name], word not in _NOT_WELL)
        yield well


def metrics_blueprint(
    metrics: Metrics, health: Health, topics: Collection[Topic], review_due: date, token: str
) -> Blueprint:
    """The endpoint. `token`: the bearer token of a request; empty, for development: none."""
    blueprint = Blueprint("metrics", __name__)
    state = CollectorRegistry()
    state.register(_State(topics, review_due, health))
    expected = f"Bearer {token}".encode()

    @blueprint.get("/metrics")
    def read_metrics() -> Response:
        authorization = request.headers.get("Authorization", "").encode()
        if token and not hmac.compare_digest(authorization, expected):
            abort(Response("send the token of CDS_METRICS_TOKEN as Authorization: Bearer\n", 401, _CHALLENGE))
        text = metrics.exposition() + generate_latest(state)
        return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})

    return blueprint
