"""The node under test: the production profile, registered clients, and a FHIR server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from bench.harness.server import READY, Server, our_command, running
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.schema import ISSUED_CARD
from tests.certificates import self_signed, server_context
from tests.misbehaving_server import LoopbackServer, answer
from tests.registered_service import ISSUER, PUBLIC_URL, client_entry, write_clients
from tests.token_forge import Forge, jwk_of, key_for

_KID = "soak"
_PATIENT = "bench"  # of bench.harness.bodies
_METRICS_TOKEN = "fictional, for the soak, and long enough"  # noqa: S105


@dataclass(frozen=True)
class Node:
    """A server that answers; `fhir_server` is registered and up, `dead_server` is registered and down."""

    server: Server
    database_url: str
    fhir_server: str
    dead_server: str


@contextmanager
def running_node(folder: Path, workers: int, database_url: str | None) -> Iterator[Node]:
    """A node with its files in this folder, until the block is left. Its log is a file in that folder."""
    certificate = self_signed(folder, "127.0.0.1")
    fhir = LoopbackServer(tls=server_context(certificate))
    dead = LoopbackServer(tls=server_context(certificate))
    dead.close()
    fhir.answers |= _chart()
    url = database_url or f"sqlite:///{folder / 'ledger.sqlite'}"
    database = Database(parse_database_url(url), pool_size=1)
    database.upgrade()
    database.close()
    settings = {
        "CDS_PROFILE": "production",
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_CLIENTS_FILE": str(_write_registry(folder, [fhir.base, dead.base])),
        "CDS_DATABASE_URL": url,
        "CDS_CA_FILE": str(certificate),
        "CDS_METRICS_TOKEN": _METRICS_TOKEN,
    }
    try:
        with running(our_command(workers), READY, settings) as server:
            yield Node(server, url, fhir.base, dead.base)
    finally:
        fhir.close()


def new_forge(path: str) -> Forge:
    """A forge for one token for this path, as of now."""
    return Forge(
        time.time(),
        issuer=ISSUER,
        audience=f"{PUBLIC_URL}{path}",
        tenant=None,
        kid=_KID,
        algorithm="ES384",
        key=key_for("ES384"),
    )


def recorded_cards(database_url: str) -> set[str]:
    """The uuids of all cards in the ledger."""
    database = Database(parse_database_url(database_url), pool_size=1, statement_ms=0)
    try:
        with database.read() as connection:
            return set(connection.execute(select(ISSUED_CARD.c.card_uuid)).scalars())
    finally:
        database.close()


def _write_registry(folder: Path, fhir_servers: list[str]) -> Path:
    keys = [jwk_of(key_for("ES384"), "ES384", _KID)]
    return write_clients(folder, client_entry("hospital", ISSUER, fhir_servers=fhir_servers), {"hospital": keys})


def _chart() -> dict[str, object]:
    empty = {"resourceType": "Bundle", "type": "searchset", "entry": []}
    return {
        f"/fhir/Patient/{_PATIENT}": answer({"resourceType": "Patient", "id": _PATIENT}),
        f"/fhir/Condition?patient={_PATIENT}&_count=500": answer(empty),
        f"/fhir/Procedure?patient={_PATIENT}&_count=500": answer(empty),
    }
