"""The databases that tests run on: SQLite in a file, and a real PostgreSQL server, started once, each test on a copy.

A plugin of pytest: the fixtures `database`, `postgresql` and `fragile_postgresql`, and the option --require-postgresql.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Table, select

from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from tests.server_process import free_port

_INSTALL = "no PostgreSQL server is installed; `apt-get install postgresql` adds these tests"
_OWNER = "postgres"  # the user it runs as where the tests run as root, whom it refuses
_TEMPLATE = "with_every_table"
_START_S = 60
_NUMBERS = count(1)
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]  # of a database; one of them has to be started


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-postgresql", action="store_true", help="fail, rather than skip, where PostgreSQL is not installed"
    )
    parser.addoption("--kill-rounds", type=int, default=5, help="how often the server is killed under feedback")


class PostgresqlServer:
    """A server of our own on a free port of loopback, as it is in life: everything it acknowledges is on the disk."""

    def __init__(
        self, programs: Path, *, connections: int = 100, data: Path | None = None, wal: Path | None = None
    ) -> None:
        """`data`, `wal`: empty folders for its data and its write-ahead log, such as small disks of a test."""
        self._connections = connections
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="cds-postgresql-"))
        self._owner: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            for folder in filter(None, (data, wal)):
                os.chown(folder, owner.pw_uid, owner.pw_gid)
                folder.chmod(0o700)
            self._owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self._port = free_port()
        self._data = str(data or "data")
        arguments = ["--pgdata", self._data, "--username", _OWNER, "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
        arguments += ["--waldir", str(wal)] if wal else []
        self._run("initdb", *arguments, "--no-locale", stdout=subprocess.DEVNULL).wait(_START_S)
        self._has_template = False
        self.start()

    def url(self, name: str) -> str:
        """Where a database of this server is."""
        return f"postgresql://{_OWNER}@127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        """Start it, again after it was stopped or killed, and wait until it takes connections."""
        with (self._folder / "log").open("a") as log:
            arguments = ["-D", self._data, "-p", str(self._port), "-h", "127.0.0.1", "-k", str(self._folder)]
            arguments += ["-c", f"max_connections={self._connections}"]
            self._process = self._run("postgres", *arguments, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text("utf-8")
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(0.05)

    def execute(self, statement: str) -> None:
        """Run a statement that no transaction may hold, in the database of all databases."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())

    def create(self, template: str | None = _TEMPLATE) -> str:
        """A new database, with every table unless `template` is None; its name."""
        if template == _TEMPLATE and not self._has_template:
            self.execute(f"CREATE DATABASE {_TEMPLATE}")
            made = Database(parse_database_url(self.url(_TEMPLATE)), pool_size=1)
            made.upgrade()
            made.close()
            self._has_template = True
        name = f"test_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def send(self, signal_number: int) -> None:
        """Send a signal to the server and each of its processes: SIGSTOP makes it silent, SIGKILL is a power cut."""
        for pid in [self._process.pid, *self._children()]:
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                continue

    def kill(self) -> None:
        """End every process of it at once, and wait until none is left: they hold the shared memory."""
        pids = self._children()
        self.send(signal.SIGKILL)
        self._process.wait(_START_S)
        deadline = time.monotonic() + _START_S
        while any(map(_runs, pids)) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it, and cut off whoever is connected."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_S)

    def remove(self) -> None:
        """End it and remove what it stored."""
        self.kill()
        shutil.rmtree(self._folder)

    def _children(self) -> list[int]:
        pid = self._process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]

    def _run(self, program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        command = [str(self._programs / program), *arguments]
        return subprocess.Popen(command, cwd=self._folder, **self._owner, **options)  # noqa: S603 - found by us


class LiveDatabase:
    """A database with every table and no row, for one test. `opened` engines are closed at its end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opened: list[Database] = []

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self.url.startswith("sqlite")

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    def open(self, **options: Any) -> Database:
        """Connect to it as the service does."""
        self.opened.append(Database(parse_database_url(self.url), **{"pool_size": 4} | options))
        return self.opened[-1]

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows of a table."""
        if not self.opened:
            self.open()
        with self.opened[0].read() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def close(self) -> None:
        """Close what was opened."""
        for one in self.opened:
            one.close()
        self.opened.clear()


def _runs(pid: int) -> bool:
    """Whether a process is there, and not just a name that nobody has asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def server_programs() -> Path | None:
    """Where PostgreSQL's server programs are: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def started_postgresql(config: pytest.Config, **options: Any) -> PostgresqlServer:
    """A new server; skips, or fails where the run says so, where PostgreSQL is not installed."""
    programs = server_programs()
    if programs is None:
        if config.getoption("--require-postgresql"):
            pytest.fail(_INSTALL)
        pytest.skip(_INSTALL)
    return PostgresqlServer(programs, **options)


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[PostgresqlServer]:
    """The server that all tests share; nobody stops it."""
    server = started_postgresql(request.config)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def fragile_postgresql(request: pytest.FixtureRequest) -> Iterator[PostgresqlServer]:
    """A server of the module's own, for tests that stop it, each of which starts it again."""
    server = started_postgresql(request.config, connections=30)
    yield server
    server.remove()


@pytest.fixture
def sqlite_database(empty_ledger: Path, tmp_path: Path) -> Iterator[LiveDatabase]:
    """A SQLite file with every table."""
    shutil.copyfile(empty_ledger, tmp_path / "live.sqlite")
    live = LiveDatabase(f"sqlite:///{tmp_path / 'live.sqlite'}")
    yield live
    live.close()


@pytest.fixture
def postgresql_database(postgresql: PostgresqlServer) -> Iterator[LiveDatabase]:
    """A database of its own on the shared server."""
    name = postgresql.create()
    live = LiveDatabase(postgresql.url(name))
    yield live
    live.close()
    postgresql.drop(name)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> LiveDatabase:
    """A database with every table and no row: the same test on SQLite and on PostgreSQL."""
    live: LiveDatabase = request.getfixturevalue(f"{request.param}_database")
    return live
