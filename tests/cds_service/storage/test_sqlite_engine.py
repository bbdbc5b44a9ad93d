"""Transactions: everyone gets a turn, a commit is on disk, and a fault of ours is not an outage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, Event, Thread

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cds_service.storage.database import Database, DatabaseUnavailable
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.schema import SEEN_TOKEN
from tests.databases import LiveDatabase

HANGS_S = 20
ROW = {"token_digest": b"\x01" * 32, "keep_until_s": 1}


def test_64_threads_that_write_at_once_all_get_their_turn(database: LiveDatabase) -> None:
    """SQLite itself would refuse some of them: it does not queue its writers.

    One write each: a turn is waited for a second at most, and a slow disk takes ten milliseconds for each.
    """
    opened = database.open(pool_size=64)
    all_at_once = Barrier(64)

    def write(number: int) -> None:
        all_at_once.wait(HANGS_S)
        with opened.write() as connection:
            connection.execute(SEEN_TOKEN.insert(), {"token_digest": bytes([number]) * 32, "keep_until_s": 1})

    with ThreadPoolExecutor(64) as threads:
        list(threads.map(write, range(64)))
    assert len(database.rows(SEEN_TOKEN)) == 64


def test_a_pool_without_a_free_connection_makes_the_database_unavailable(database: LiveDatabase) -> None:
    opened = database.open(pool_size=1)
    with opened.read() as connection:
        connection.execute(select(SEEN_TOKEN))
        with pytest.raises(DatabaseUnavailable, match="TimeoutError"), opened.read():
            pass


@pytest.mark.parametrize("insist", [True, False], ids=["who insists", "who can do without"])
def test_after_a_failure_one_caller_at_a_time_tries_again(database: LiveDatabase, insist: bool) -> None:
    now = [100.0]
    opened = database.open(monotonic=lambda: now[0])
    with pytest.raises(DatabaseUnavailable), opened.read():
        raise OSError
    with pytest.raises(DatabaseUnavailable, match="not tried"), opened.read(insist=False):
        pass
    now[0] += 6
    trying, tried = Event(), Event()

    def try_slowly() -> None:
        with suppress(DatabaseUnavailable), opened.read():
            trying.set()
            tried.wait(HANGS_S)

    trial = Thread(target=try_slowly)
    trial.start()
    trying.wait(HANGS_S)
    with pytest.raises(DatabaseUnavailable, match="others wait for it already"), opened.read(insist=insist):
        pass
    tried.set()
    trial.join()
    with opened.read(insist=False) as connection:
        assert connection.execute(select(SEEN_TOKEN)).all() == []


def test_a_fault_of_ours_is_not_taken_for_an_outage(database: LiveDatabase) -> None:
    """It would be wrong tomorrow, too: a client that is told to try again later would do so for ever."""
    opened = database.open()
    with opened.write() as connection:
        connection.execute(SEEN_TOKEN.insert(), ROW)
    with pytest.raises(IntegrityError) as fault, opened.write() as connection:
        connection.execute(SEEN_TOKEN.insert(), ROW | {"keep_until_s": 8_273_645})
    assert "8273645" not in str(fault.value).partition("DETAIL")[0]  # nor does its message tell what was to be stored
    with opened.write(insist=False) as connection:
        connection.execute(SEEN_TOKEN.insert(), ROW | {"token_digest": b"\x02" * 32})


def test_what_is_committed_is_on_the_disk(database: LiveDatabase) -> None:
    """PostgreSQL's `synchronous_commit` may be off for other databases of the site; here it is not."""
    if database.is_sqlite:
        with database.open().read() as connection:
            said = [connection.exec_driver_sql(f"PRAGMA {one}").scalar() for one in ("journal_mode", "synchronous")]
        assert said == ["wal", 2]  # 2: FULL
        return
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {other.info.dbname} SET synchronous_commit = off".encode())
    with database.open().read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


@pytest.mark.slow
def test_options_in_the_url_of_postgresql_hold_beside_ours(postgresql_database: LiveDatabase) -> None:
    url = parse_database_url(f"{postgresql_database.url}?options=-csearch_path%3Dcds")
    database = Database(url, pool_size=1)
    with database.read() as connection:
        said = [connection.exec_driver_sql(f"SHOW {one}").scalar() for one in ("search_path", "statement_timeout")]
    database.close()
    assert said == ["cds", "1s"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        pytest.param("sqlite:////var/lib/l.sqlite", "sqlite:////var/lib/l.sqlite", id="SQLite"),
        pytest.param("sqlite+pysqlite:///l.sqlite", "sqlite:///l.sqlite", id="SQLite, its driver named"),
        pytest.param("postgresql://h/d", "postgresql+psycopg://h/d", id="PostgreSQL"),
        pytest.param("postgres://h/d", "postgresql+psycopg://h/d", id="PostgreSQL, by its short name"),
        pytest.param("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg://u:p@h/d", id="another driver"),
    ],
)
def test_a_url_gets_the_driver_that_is_installed(given: str, used: str) -> None:
    assert parse_database_url(given).render_as_string(hide_password=False) == used


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="nothing"),
        pytest.param("ledger.sqlite", id="a path"),
        pytest.param("sqlite://", id="SQLite without a file"),
        pytest.param("sqlite:///:memory:", id="SQLite in memory"),
        pytest.param("sqlite:///file:l?mode=memory&uri=true", id="SQLite in memory, by its own URI"),
        pytest.param("sqlite:///file::memory:?uri=true", id="SQLite in memory, by its other URI"),
        pytest.param("sqlite:///l.sqlite?isolation_level=NONE", id="SQLite with options"),
        pytest.param("sqlite+pysqlcipher:///l.sqlite", id="an encrypted SQLite, which ours would not be"),
        pytest.param("postgresql://h", id="PostgreSQL without a database"),
        pytest.param("mysql://h/d", id="another database"),
    ],
)
def test_a_url_that_would_not_keep_what_is_acknowledged_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        parse_database_url(url)
