"""Both nodes restarted one after the other under load, by docs/high-availability.md, to other clinical content."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from tests.interop.part import ROOT
from tests.interop.two_nodes.cluster import Cluster
from tests.interop.two_nodes.load import Load
from tests.server_process import COMMAND

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
SITE_CODES = ROOT / "fixtures" / "site_value_sets"
BETWEEN = 60  # calls


@dataclass
class Roll:
    """`versions`: the content versions by the metrics of both nodes, before, in the middle and after."""

    load: Load
    versions: list[list[str]] = field(default_factory=list)
    upgrades: list[str] = field(default_factory=list)
    calls_while_out: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def roll(standing: Cluster, notes: list[str]) -> Roll:
    """The schema upgraded from both nodes at once, then each restarted with a site's own codes."""
    begun = time.monotonic()
    with standing.under_load() as load:
        roll = Roll(load)
        roll.upgrades = upgrade_from_both(standing)
        roll.versions.append(content_versions(standing))
        for node in standing.nodes:
            standing.wait_for(load, BETWEEN)
            standing.proxy.take_out(node.host)
            node.wait_until_idle()
            seen = standing.calls_at(node)
            standing.wait_for(load, BETWEEN)
            roll.calls_while_out.append(standing.calls_at(node) - seen)
            node.stop()
            node.start(CDS_VALUE_SETS_DIR=str(SITE_CODES))
            standing.proxy.put_back(node.host)
            standing.wait_for_calls_at(node)
            roll.versions.append(content_versions(standing))
    notes.append(
        f"two nodes: rolling restart under {len(load.calls)} calls in {time.monotonic() - begun:.0f} s: "
        f"{len(load.failed)} failed"
    )
    return roll


def upgrade_from_both(cluster: Cluster) -> list[str]:
    """What `cds-service db upgrade` says, run twice at once."""
    command = [str(COMMAND), "db", "upgrade"]
    settings = {"CDS_DATABASE_URL": cluster.database.url}
    running = [
        subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
        for _ in cluster.nodes
    ]
    return [one.communicate(timeout=60)[0] for one in running]


def content_versions(cluster: Cluster) -> list[str]:
    """The version of the content of each node, by its metrics."""
    found = [
        re.findall(r'^cds_hooks_content_info\{service="[^"]+",version="([^"]+)"\} 1', one.metrics(), re.M)
        for one in cluster.nodes
    ]
    assert [len(one) for one in found] == [1, 1]
    return [one for (one,) in found]


def test_a_rolling_restart_costs_no_call(roll: Roll) -> None:
    assert roll.load.failed == [], roll.load.outcomes()
    assert len(roll.load.calls) >= 4 * BETWEEN


def test_a_node_that_was_taken_out_gets_no_calls(roll: Roll) -> None:
    assert roll.calls_while_out == [0, 0]


def test_feedback_acknowledged_during_the_roll_is_all_there(roll: Roll, standing: Cluster) -> None:
    assert len(roll.load.acknowledged) > 0
    assert standing.lost(roll.load) == []


def test_content_versions_that_are_mixed_during_the_roll_show_in_the_metrics(roll: Roll) -> None:
    (old, same), (new, still_old), (both, alike) = roll.versions
    assert old == same == still_old
    assert new == both == alike
    assert old != new


def test_a_schema_upgrade_by_both_nodes_at_once_under_load_does_no_harm(roll: Roll) -> None:
    assert roll.upgrades == 2 * ["the database schema is up to date\n"]
