"""Both nodes know what either of them has seen: tokens are good once, feedback counts once, whichever way it comes."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from cds_service.storage.schema import FEEDBACK as FEEDBACK_TABLE
from tests.charts import SERVICE, hook_call
from tests.interop.two_nodes.cluster import Cluster, each_in_turn
from tests.interop.two_nodes.load import feedback_on
from tests.production_node import Node
from tests.registered_service import FEEDBACK

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
PAIRS = 100


def post(node: Node, path: str, body: bytes, token: str) -> tuple[int, str]:
    return node.send("POST", path, body, {"Authorization": token, "Content-Type": "application/json"})


def a_call() -> bytes:
    return json.dumps(hook_call(hookInstance=str(uuid4()))).encode()


def test_a_token_used_on_one_node_is_refused_on_the_other_and_through_nginx(cluster: Cluster) -> None:
    ehr = cluster.ehr()
    for one, other in each_in_turn(cluster):
        token = cluster.bearer(SERVICE)
        assert post(one, SERVICE, a_call(), token)[0] == 200
        assert post(other, SERVICE, a_call(), token)[0] == 401
        assert ehr.call(token=token).status == 401
    token = cluster.bearer(SERVICE)
    assert ehr.call(token=token).status == 200
    assert [post(one, SERVICE, a_call(), token)[0] for one in cluster.nodes] == [401, 401]
    ehr.close()


def test_of_two_calls_with_one_token_at_the_same_moment_exactly_one_is_answered(
    cluster: Cluster, notes: list[str]
) -> None:
    together = Barrier(2)

    def race(node: Node, token: str) -> int:
        together.wait(30)
        return post(node, SERVICE, a_call(), token)[0]

    outcomes: Counter[tuple[int, ...]] = Counter()
    with ThreadPoolExecutor(2) as threads:
        for _ in range(PAIRS):
            token = cluster.bearer(SERVICE)
            outcomes[tuple(threads.map(race, cluster.nodes, [token, token]))] += 1
    notes.append(
        f"two nodes: {PAIRS} tokens sent to both at once, first node answered {outcomes[200, 401]}, "
        f"second {outcomes[401, 200]}, both or none 0"
    )
    assert set(outcomes) <= {(200, 401), (401, 200)}
    assert outcomes.total() == PAIRS


def test_a_card_of_one_node_gets_feedback_over_the_other_once_and_one_report_has_both(cluster: Cluster) -> None:
    def entries() -> int:
        return sum(row["foreign_card"] is False for row in cluster.database.rows(FEEDBACK_TABLE))

    before, reported = entries(), cluster.report()["total"]
    for one, other in each_in_turn(cluster):
        status, text = post(one, SERVICE, a_call(), cluster.bearer(SERVICE))
        (card,) = json.loads(text)["cards"]
        assert status == 200
        body = feedback_on([card["uuid"]])
        told = [json.loads(post(node, FEEDBACK, body, cluster.bearer(FEEDBACK))[1]) for node in (other, one, other)]
        assert told == [{"stored": 1, "repeated": 0, "unknownCards": 0}] + 2 * [
            {"stored": 0, "repeated": 1, "unknownCards": 0}
        ]
    assert entries() == before + 2
    after = cluster.report()["total"]
    assert {name: after[name] - reported[name] for name in ("issued", "overridden")} == {"issued": 2, "overridden": 2}
