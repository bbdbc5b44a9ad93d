"""A node is killed under load: what was in flight there is lost, and nothing else. Then it comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.two_nodes.cluster import Cluster, each_in_turn
from tests.interop.two_nodes.load import Call, Load
from tests.interop.two_nodes.proxy import Passed
from tests.production_node import Node

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
BEFORE = 60  # calls
WITHOUT = 120
IN_FLIGHT = 3  # at least


@dataclass(frozen=True)
class Death:
    """One node killed. `passed`: nginx's log of it; `back_s`: from the node's being ready again to its first call."""

    node: Node
    other: Node
    load: Load
    killed_at: float
    dead_at: float
    passed: dict[str, Passed]
    back_s: float

    def nodes_of(self, call: Call) -> list[str]:
        """Which nodes a call was passed to, in turn."""
        return self.passed[call.request_id].nodes

    @property
    def in_flight(self) -> list[Call]:
        """Calls that were with the node, or on their way to it, when it died."""
        meanwhile = [one for one in self.load.calls if one.begun < self.dead_at and one.ended > self.killed_at]
        return [one for one in meanwhile if self.nodes_of(one) == [self.node.address]]


@pytest.fixture(scope="module")
def deaths(standing: Cluster, notes: list[str]) -> list[Death]:
    """Each node killed in turn, under load, and started again."""
    return list(die_in_turn(standing, notes))


def die_in_turn(cluster: Cluster, notes: list[str]) -> Iterator[Death]:
    for node, other in each_in_turn(cluster):
        with cluster.under_load() as load:
            cluster.wait_for(load, BEFORE)
            node.freeze(calls=IN_FLIGHT)  # so that calls are with it for certain when it dies
            killed_at = time.monotonic()
            node.kill()
            dead_at = time.monotonic()
            cluster.wait_for(load, WITHOUT)
            node.start()
            back_s = cluster.wait_for_calls_at(node)
        passed = cluster.proxy.passed(one.request_id for one in load.calls)
        death = Death(node, other, load, killed_at, dead_at, passed, back_s)
        last = max((one.ended for one in load.failed), default=killed_at) - killed_at
        notes.append(
            f"two nodes: {node.host} killed under {len(load.calls)} calls: {len(death.in_flight)} in flight there, "
            f"{len(load.failed)} failed, the last {1000 * last:.0f} ms after the kill; calls again {back_s:.1f} s "
            "after it was ready"
        )
        yield death


def test_no_call_fails_but_those_in_flight_on_the_node_that_dies(deaths: list[Death]) -> None:
    for death in deaths:
        assert {one.status for one in death.load.failed} <= {502}, death.load.outcomes()
        assert all(one in death.in_flight for one in death.load.failed)
        assert all('"OperationOutcome"' in one.text for one in death.load.failed)
        assert len(death.load.failed) > 0, "nothing was in flight: the test has seen nothing"


def test_every_call_begun_after_it_died_is_answered(deaths: list[Death]) -> None:
    for death in deaths:
        later = death.load.begun_after(death.dead_at)
        assert len(later) >= WITHOUT // 2
        assert all(one.is_good for one in later)


def test_a_call_that_a_node_refuses_goes_on_to_the_other_even_one_that_nginx_left_alone(cluster: Cluster) -> None:
    """The second node is stopped before nginx has tried the first one again, which refused a moment ago."""
    node, other = cluster.nodes
    ehr = cluster.ehr()
    try:
        node.stop()
        first = [ehr.call() for _ in range(10)]
        node.start()
        other.stop()
        second = [ehr.call() for _ in range(10)]
    finally:
        for one in cluster.nodes:
            one.start()
        ehr.close()
    passed = cluster.proxy.passed(one.request_id for one in first + second)
    assert all(one.is_good for one in first + second), passed
    assert [node.address, other.address] in [passed[one.request_id].nodes for one in first]


def test_feedback_acknowledged_before_and_after_is_all_there(deaths: list[Death], standing: Cluster) -> None:
    for death in deaths:
        assert len(death.load.acknowledged) > 0
        assert standing.lost(death.load) == []


def test_a_node_that_comes_back_takes_calls_again(deaths: list[Death]) -> None:
    for death in deaths:
        since = [one for one in death.load.begun_after(death.dead_at) if death.nodes_of(one) == [death.node.address]]
        assert any(one.is_good for one in since)
