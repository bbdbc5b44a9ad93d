"""The application under test, a clock that stands still in a zone that is not UTC, a FHIR server without a network."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings

from cards.catalogue import load_topic
from cards.topic import Topic
from cds_service.app import create_app
from cds_service.served_content import whole_topics
from cds_service.settings.settings import Settings
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from tests.applications import close, keep_templates, note_writers, stuck_writers
from tests.content import keep_topics
from tests.fake_fhir_server import FakeFhirServer
from tests.golden_answers import Golden
from tests.places import SECOND_TOPIC

pytest_plugins = ["tests.databases"]
collect_ignore = ["interop"]  # needs Java, Node and Chromium; collected where it is named: pytest tests/interop

# The same examples in every run, so that a change is never red by chance, and no verdict on wall time.
# `--hypothesis-profile=default --hypothesis-seed=random` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# Still 21 November in New York, already the 22nd in UTC, by which we count: the day on which the recorded calls hang.
NOW = datetime(2026, 11, 21, 21, 30, tzinfo=timezone(timedelta(hours=-5)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept-golden", action="store_true", help="write the golden answers anew; then read them all")


def pytest_configure() -> None:
    note_writers()
    keep_templates()
    keep_topics()


def pytest_collection_finish() -> None:
    """Thousands of collected tests and the libraries stay until the end: the garbage collector need not visit them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_writer_is_stuck() -> Iterator[None]:
    """A writer that goes on trying would log a warning into the output of a later test."""
    yield
    assert not stuck_writers(), "items wait for a database that refuses them: give the application tables, or close it"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares an answer with the one a person has read and accepted."""
    return Golden(accept=request.config.getoption("--accept-golden"))


@pytest.fixture
def fhir_server() -> FakeFhirServer:
    """Answers like a FHIR server; nothing is on it until a test puts it there."""
    return FakeFhirServer()


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with every table and no row, to be copied: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("ledger") / "empty.sqlite"
    database = Database(parse_database_url(f"sqlite:///{path}"), pool_size=1)
    database.upgrade()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
        connection.exec_driver_sql("BEGIN")
    database.close()
    return path


@pytest.fixture
def make_app(fhir_server: FakeFhirServer, empty_ledger: Path, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Builds the application with other settings or another clock; all of one test share one database."""
    ledger = tmp_path / "ledger.sqlite"
    apps = []

    def make(clock: Callable[[], datetime] = lambda: NOW, **settings: object) -> Flask:
        if not ledger.exists():
            shutil.copyfile(empty_ledger, ledger)
        given = {"database_url": f"sqlite:///{ledger}"} | settings
        apps.append(create_app(Settings(**given), clock=clock, fhir_transport=fhir_server))  # type: ignore[arg-type]
        return apps[-1]

    yield make
    for app in apps:
        close(app)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def topic() -> Topic:
    """The clinical content, as it is served."""
    return load_topic()


@pytest.fixture
def second_topic_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Installs the plug-in of tests/second_topic for one test."""
    whole_topics.cache_clear()
    monkeypatch.syspath_prepend(str(SECOND_TOPIC))
    yield SECOND_TOPIC
    whole_topics.cache_clear()
