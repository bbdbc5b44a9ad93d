"""The FHIR server of the call, a canary, and a record of every address that is looked up."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from tests.applications import close
from tests.cds_service.fhir_client.ssrf.asking import (
    BUDGET_MS,
    Connect,
)
from tests.charts import patient
from tests.conftest import NOW
from tests.misbehaving_server import LoopbackServer, answer


@pytest.fixture
def fhir() -> Iterator[LoopbackServer]:
    """The FHIR server of the call: without anything to say but who the patient is."""
    one = LoopbackServer()
    one.answers["/fhir/Patient/pat-1"] = answer(patient())
    yield one
    one.close()


@pytest.fixture
def canary() -> Iterator[LoopbackServer]:
    """Another server on the same machine; a test fails where anybody as much as connects to it."""
    one = LoopbackServer()
    yield one
    one.close()
    assert one.connection_count == 0


@pytest.fixture(autouse=True)
def only_the_fhir_server_is_looked_up(fhir: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every address that anything in this process is about to connect to."""
    looked_up: list[tuple[Any, Any]] = []
    look_up = socket.getaddrinfo

    def watched(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        looked_up.append((host, port))
        return look_up(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    yield
    assert {host for host, _ in looked_up} <= {"127.0.0.1", "localhost"}
    assert {port for _, port in looked_up} <= {fhir.port}


@pytest.fixture(scope="module")
def connect(empty_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """The application with the network it has in production; one for each budget, for each FHIR server is another."""
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    shutil.copyfile(empty_ledger, ledger)
    apps: dict[int, Flask] = {}

    def make(budget_ms: int = BUDGET_MS) -> FlaskClient:
        if budget_ms not in apps:
            settings = Settings(database_url=f"sqlite:///{ledger}", fhir_budget_ms=budget_ms)
            apps[budget_ms] = create_app(settings, clock=lambda: NOW)
        return apps[budget_ms].test_client()

    yield make
    for app in apps.values():
        close(app)


@pytest.fixture
def client(connect: Connect) -> FlaskClient:
    return connect()
