"""PostgreSQL is stopped and started again under load: cards still come, and no acknowledged feedback is lost."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.interop.two_nodes.cluster import Cluster
from tests.interop.two_nodes.load import Load
from tests.registered_service import FEEDBACK

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
CALLS = 60
SEES_IT_S = 20


@dataclass
class Outage:
    """`readiness`: what each node says of itself while the database is away, and when it is back."""

    load: Load
    stopped_at: float
    started_at: float = 0.0
    stored_at: float = 0.0
    readiness: list[list[Any]] = field(default_factory=list)

    @property
    def meanwhile(self) -> Counter[tuple[str, int | None]]:
        """Paths and statuses of the calls that ended while the database was away."""
        calls = [one for one in self.load.calls if self.stopped_at < one.ended < self.started_at]
        return Counter((one.path, one.status) for one in calls)


@pytest.fixture(scope="module")
def outage(standing: Cluster, notes: list[str]) -> Outage:
    """The database restarted under load, by `fast` shutdown."""
    with standing.under_load() as load:
        standing.wait_for(load, CALLS)
        outage = Outage(load, time.monotonic())
        standing.postgresql.stop()
        standing.database.close()
        standing.wait_for(load, CALLS)
        outage.readiness.append(readiness(standing, "unavailable"))
        standing.wait_for(load, CALLS)
        outage.started_at = time.monotonic()
        standing.postgresql.start()
        while not outage.stored_at:
            stored = [one.ended for one in load.begun_after(outage.started_at) if one.path == FEEDBACK and one.is_good]
            outage.stored_at = min(stored, default=0.0)
            assert time.monotonic() < outage.started_at + SEES_IT_S, load.outcomes()
            time.sleep(0.01)
        outage.readiness.append(readiness(standing, "ok"))
        standing.wait_for(load, CALLS)
    notes.append(
        f"two nodes: PostgreSQL away for {outage.started_at - outage.stopped_at:.1f} s under {len(load.calls)} calls "
        f"({', '.join(f'{what}: {times}' for what, times in sorted(load.outcomes().items()))}); feedback stored again "
        f"{outage.stored_at - outage.started_at:.1f} s after its start"
    )
    return outage


def readiness(cluster: Cluster, database: str) -> list[Any]:
    """What both nodes say once they have seen that the database is away, or is back."""
    deadline = time.monotonic() + SEES_IT_S
    while True:
        said = [(status, json.loads(text)) for status, text in (one.get("/health/ready") for one in cluster.nodes)]
        if all(told["checks"]["database"] == database for _, told in said):
            return [(status, told["state"]) for status, told in said]
        assert time.monotonic() < deadline, said
        time.sleep(0.05)


def test_cards_still_come_while_the_database_is_away(outage: Outage) -> None:
    hooks = {status: times for (path, status), times in outage.meanwhile.items() if path != FEEDBACK}
    assert set(hooks) == {200}
    assert {one.status for one in outage.load.calls if one.path != FEEDBACK} == {200}


def test_feedback_is_refused_with_503_and_never_acknowledged_in_vain(outage: Outage, standing: Cluster) -> None:
    assert outage.meanwhile[FEEDBACK, 503] > 0
    assert {one.status for one in outage.load.calls if one.path == FEEDBACK} == {200, 503}
    assert standing.lost(outage.load) == []


def test_both_nodes_stay_ready_for_calls_say_what_is_away_and_recover(outage: Outage) -> None:
    assert outage.readiness == [2 * [(200, "degraded")], 2 * [(200, "ready")]]
