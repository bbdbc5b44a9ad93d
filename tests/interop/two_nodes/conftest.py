"""One cluster for all tests of this folder, checked before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import LiveDatabase, started_postgresql
from tests.interop.part import Parts
from tests.interop.two_nodes.cluster import Cluster, write_registry
from tests.interop.two_nodes.proxy import Proxy
from tests.production_node import Node
from tests.server_process import free_port


@pytest.fixture(scope="package")
def standing(
    parts: Parts, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The cluster, started once, with a PostgreSQL of its own, for some tests stop that."""
    postgresql = started_postgresql(request.config)
    folder = tmp_path_factory.mktemp("two-nodes")
    database = LiveDatabase(postgresql.url(postgresql.create()))
    port = free_port()
    variables = {
        "CDS_PUBLIC_URL": f"https://127.0.0.1:{port}",
        "CDS_PROFILE": "production",
        "CDS_CLIENTS_FILE": str(write_registry(folder)),
        "CDS_DATABASE_URL": database.url,
        "CDS_THREADS": "8",
    }
    nodes = Node("127.0.0.1", folder, variables), Node("127.0.0.2", folder, variables)
    proxy = Proxy(folder, port, [one.address for one in nodes])
    cluster = Cluster(nodes, proxy, postgresql, database)
    try:
        for node in nodes:
            parts.start_times[f"node {node.host}"] = node.start()
        with proxy.running(parts):
            yield cluster
    finally:
        for node in nodes:
            node.kill()
        database.close()
        postgresql.remove()


@pytest.fixture
def cluster(standing: Cluster) -> Cluster:
    """Both nodes are ready."""
    assert [one.status("/health/ready") for one in standing.nodes] == [200, 200]
    return standing
