"""One application for all tests of the sandbox, which reads from its own FHIR server and whose day can be set.

Making an application takes longer than most of these tests do; none of them changes it, but for its clock.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from tests.applications import close
from tests.cds_service.sandbox.own_server import OwnServer

TOLD_ON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Embedded:
    """The application as a client sees it, what it asked of its own FHIR server, and its clock."""

    client: FlaskClient
    server: OwnServer
    now: datetime = TOLD_ON


@pytest.fixture(scope="session")
def one_application(empty_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    ledger = tmp_path_factory.mktemp("sandbox") / "ledger.sqlite"
    shutil.copyfile(empty_ledger, ledger)
    server = OwnServer()
    app = create_app(Settings(database_url=f"sqlite:///{ledger}"), clock=lambda: embedded.now, fhir_transport=server)
    server.app = app
    embedded = Embedded(app.test_client(), server)
    yield embedded
    close(app)


@pytest.fixture
def embedded(one_application: Embedded) -> Embedded:
    """On the day of the stories, nothing asked yet."""
    one_application.now = TOLD_ON
    one_application.server.requests.clear()
    return one_application


@pytest.fixture
def reader(embedded: Embedded) -> FlaskClient:
    """A client that only reads."""
    return embedded.client
