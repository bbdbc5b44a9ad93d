"""What is refused before the application is asked says to browsers what the application says, in production too."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest

from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from tests.charts import SERVICE
from tests.production_node import Node
from tests.registered_service import PUBLIC_URL, client_entry
from tests.token_forge import jwk_of, key_for

pytestmark = pytest.mark.slow

REGISTERED = "https://ehr.example.org"
REGISTRY = client_entry(
    "general-hospital", REGISTERED, jwks_file="keys.json", algorithms=["ES256"], cors_origins=[REGISTERED]
)
TOLD = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Strict-Transport-Security", "Vary")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    (folder / "keys.json").write_text(json.dumps({"keys": [jwk_of(key_for("ES256"), "ES256", "key")]}))
    (folder / "clients.toml").write_text(REGISTRY)
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    database = Database(parse_database_url(url), pool_size=1)
    database.upgrade()
    database.close()
    settings = {"PROFILE": "production", "PUBLIC_URL": PUBLIC_URL, "DATABASE_URL": url}
    settings["CLIENTS_FILE"] = str(folder / "clients.toml")
    one = Node("127.0.0.1", folder, {f"CDS_{name}": text for name, text in settings.items()})
    try:
        one.start()
        yield one
    finally:
        one.kill()


def told(node: Node, origin: str | None, length: int) -> tuple[int, dict[str, str | None]]:
    """Status and headers of the answer to a call of two bytes that announces so many, and then says no more."""
    head = (
        f"POST {SERVICE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    )
    head += f"Origin: {origin}\r\n" if origin else ""
    with socket.create_connection((node.host, node.port), timeout=30) as connection:
        connection.sendall(f"{head}\r\n{{}}".encode())
        if length > 2:
            connection.shutdown(socket.SHUT_WR)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, {name: answer.headers[name] for name in TOLD}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        pytest.param(REGISTERED, REGISTERED, id="a registered origin may read it"),
        pytest.param("https://evil.example", None, id="another may not"),
        pytest.param("null", None, id="nor a page of no origin"),
        pytest.param(None, None, id="whoever is no page is told nothing of origins"),
    ],
)
def test_a_body_that_breaks_off_is_refused(origin: str | None, allowed: str | None, node: Node) -> None:
    refused, by_us = told(node, origin, length=1000)
    without_token, by_the_application = told(node, origin, length=2)
    assert (refused, without_token) == (400, 401)
    assert by_us["Access-Control-Allow-Origin"] == allowed
    assert by_us["Strict-Transport-Security"] == "max-age=31536000"
    assert by_us["Vary"] == "Origin"
    assert by_us == by_the_application
