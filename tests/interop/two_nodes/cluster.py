"""Two nodes, nginx in front of them and one database behind: what the tests of this folder share."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.storage.schema import FEEDBACK as FEEDBACK_TABLE
from tests.databases import LiveDatabase, PostgresqlServer
from tests.interop.two_nodes.load import Ehr, Load, under_load
from tests.interop.two_nodes.proxy import Proxy
from tests.production_node import Node
from tests.registered_service import ISSUER, REGISTRY, key_files
from tests.server_process import COMMAND
from tests.token_forge import Forge, key_for

CLIENTS = 6
_SETTLES_S = 20


def write_registry(folder: Path) -> Path:
    """The file of the registered clients, their key sets beside it."""
    for name, keys in key_files().items():
        (folder / f"{name}.json").write_text(json.dumps({"keys": keys}), "utf-8")
    (folder / "clients.toml").write_text(REGISTRY, "utf-8")
    return folder / "clients.toml"


def bearer_for(base_url: str, path: str) -> str:
    """A new token of general-hospital for this address of ours."""
    kid, key = "ES384 of general-hospital", key_for("ES384")
    forge = Forge(
        time.time(), issuer=ISSUER, audience=base_url + path, tenant="north", kid=kid, algorithm="ES384", key=key
    )
    return forge.bearer()


@dataclass(frozen=True)
class Cluster:
    """Both nodes are in, ready and idle when a test begins, and whoever changes that puts it right again."""

    nodes: tuple[Node, Node]
    proxy: Proxy
    postgresql: PostgresqlServer
    database: LiveDatabase

    @property
    def base_url(self) -> str:
        """The address that clients know."""
        return f"https://127.0.0.1:{self.proxy.port}"

    def bearer(self, path: str) -> str:
        """A new token for this path."""
        return bearer_for(self.base_url, path)

    def ehr(self) -> Ehr:
        """A client of its own connection."""
        return Ehr(self.proxy.port, self.proxy.certificate, self.bearer)

    def under_load(self) -> AbstractContextManager[Load]:
        """Clients call and give feedback while the block runs."""
        return under_load(self.ehr, CLIENTS)

    def wait_for(self, load: Load, calls: int) -> None:
        """Until so many more calls have been answered, by whichever node."""
        wanted, deadline = len(load.calls) + calls, time.monotonic() + _SETTLES_S
        while len(load.calls) < wanted:
            assert time.monotonic() < deadline, load.outcomes()
            time.sleep(0.005)

    def wait_for_calls_at(self, node: Node) -> float:
        """Until nginx sends calls to this node again; the seconds it took."""
        begun = time.monotonic()
        seen = self.calls_at(node)
        while self.calls_at(node) == seen:
            assert time.monotonic() < begun + _SETTLES_S, f"{node.address} gets no calls"
            time.sleep(0.02)
        return time.monotonic() - begun

    def calls_at(self, node: Node) -> int:
        """How many calls this node has answered with 200, by nginx's log."""
        return sum(one.status == 200 and one.nodes[-1] == node.address for one in self.proxy.passed().values())

    def lost(self, load: Load) -> list[str]:
        """Acknowledged cards without feedback in the database."""
        stored = {row["card_uuid"] for row in self.database.rows(FEEDBACK_TABLE)}
        return [card for card in load.acknowledged if card not in stored]

    def report(self) -> Any:
        """`cds-service report`, as JSON."""
        command = [str(COMMAND), "report", "--since", "1d", "--format", "json", "--database-url", self.database.url]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)  # noqa: S603 - our own command
        return json.loads(done.stdout)


def each_in_turn(cluster: Cluster) -> Iterator[tuple[Node, Node]]:
    """Each node with the other one."""
    one, other = cluster.nodes
    yield one, other
    yield other, one
