"""GET /metrics: for the operator's Prometheus only. Production gives nothing without the token of CDS_METRICS_TOKEN."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from flask import Blueprint, Response, abort, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cards.catalogue import Topic
from cds_service.operations.health import MISSING, OUTDATED, OVERDUE, PARTIAL, UNAVAILABLE, Health
from cds_service.operations.metrics import Metrics
from cds_service.version import program_version

_NOT_WELL = frozenset({UNAVAILABLE, OUTDATED, OVERDUE, PARTIAL, MISSING})


class _State(Collector):
    """What is so now, and the same in every worker: the versions, when content is due for review, the health."""

    def __init__(self, topic: Topic, review_due: date, health: Health) -> None:
        self._content_version = topic.version
        self._due_s = datetime.combine(review_due, time.max, UTC).timestamp()
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """The gauges of this moment."""
        checks = self._health.check()
        build = GaugeMetricFamily("cds_hooks_build_info", "Version of this program", labels=["version"])
        build.add_metric([program_version()], 1)
        yield build
        content = GaugeMetricFamily("cds_hooks_content_info", "Version of the clinical content", labels=["version"])
        content.add_metric([self._content_version], 1)
        yield content
        about = "End of the last day on which no clinical content is overdue for review"
        yield GaugeMetricFamily("cds_hooks_content_review_due_timestamp_seconds", about, self._due_s)
        yield GaugeMetricFamily(
            "cds_hooks_ready", "Whether calls should be sent here, see /health/ready", checks.is_ready
        )
        well = GaugeMetricFamily("cds_hooks_check_ok", "Whether all is well, see /health/ready", labels=["check"])
        for name, word in (("database", checks.database), ("content", checks.content), ("keys", checks.keys)):
            well.add_metric([name], word not in _NOT_WELL)
        yield well


def metrics_blueprint(metrics: Metrics, health: Health, topic: Topic, review_due: date, token: str) -> Blueprint:
    """The endpoint. `token`: what a request must bear; empty: nothing, which is for development."""
    blueprint = Blueprint("metrics", __name__)
    state = CollectorRegistry()
    state.register(_State(topic, review_due, health))
    expected = f"Bearer {token}".encode()

    @blueprint.get("/metrics")
    def tell() -> Response:
        given = request.headers.get("Authorization", "").encode()
        if token and not hmac.compare_digest(given, expected):
            abort(Response("send the token of CDS_METRICS_TOKEN as Authorization: Bearer\n", 401, _CHALLENGE))
        text = metrics.exposition() + generate_latest(state)
        return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})

    return blueprint


_CHALLENGE = {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain; charset=utf-8"}
