"""The replay check by itself: memory of the process, SQLite and PostgreSQL, pruning (R-6.12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from structlog.testing import capture_logs

from cds_service.clients import token_replay as seen_tokens
from cds_service.clients.token_replay import SeenTokens
from cds_service.steps import run_steps
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.schema import SEEN_TOKEN
from cds_service.storage.writer import Writer
from tests.conftest import NOW
from tests.databases import LiveDatabase

ISSUER = "https://ehr.example.org"
NOW_S = int(NOW.timestamp())


@pytest.fixture
def away(tmp_path: Path) -> Database:
    return Database(parse_database_url(f"sqlite:///{tmp_path}/no/such/folder.sqlite"), pool_size=1)


@pytest.fixture
def seen(database: LiveDatabase) -> SeenTokens:
    return seen_tokens_of(database.open())


def seen_tokens_of(database: Database, clock: Callable[[], datetime] = lambda: NOW, **options: int) -> SeenTokens:
    """The replay check of a process that has a writer of its own."""
    return SeenTokens(database, Writer(database), clock, **options)


def is_first(seen: SeenTokens, jti: str, issuer: str = ISSUER, keep_until_s: int = NOW_S + 360) -> bool:
    return run_steps(seen.is_first_use(issuer, jti, keep_until_s))


def test_second_use_is_none(seen: SeenTokens) -> None:
    assert [is_first(seen, "a") for _ in range(3)] == [True, False, False]


def test_issuer_and_id_are_told_apart_wherever_one_ends(seen: SeenTokens) -> None:
    """No id of one issuer can be made to collide with an id of another."""
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("1:a", "b"), ("1", ":ab"), ("a", "b"), ("a", "B")]
    assert [is_first(seen, jti, issuer) for issuer, jti in pairs] == [True] * len(pairs)


@pytest.mark.parametrize("jti", ["\ud800", "\x00", "\U0001f511", "j" * 100_000, "' OR 1=1 --"])
def test_id_of_any_characters_is_an_id(seen: SeenTokens, jti: str) -> None:
    assert [is_first(seen, jti), is_first(seen, jti)] == [True, False]


def test_what_is_stored_is_a_digest(database: LiveDatabase) -> None:
    """Neither issuer nor id stand in the database."""
    is_first(seen_tokens_of(database.open()), "the-id")
    (row,) = database.rows(SEEN_TOKEN)
    assert (len(row["token_digest"]), row["keep_until_s"]) == (32, NOW_S + 360)
    assert b"the-id" not in row["token_digest"]


def test_other_process_knows(database: LiveDatabase) -> None:
    one, other = (seen_tokens_of(database.open()) for _ in range(2))
    assert [is_first(one, "a"), is_first(other, "a"), is_first(other, "a")] == [True, False, False]


def test_of_many_uses_at_once_in_several_processes_one_is_the_first(database: LiveDatabase) -> None:
    """Each of them asks the database at the same moment, for none has seen the token itself."""
    nodes = [seen_tokens_of(database.open(pool_size=1)) for _ in range(6)]
    for jti in ("a", "b", "c"):
        together = Barrier(len(nodes))
        answers: list[bool] = []

        def use(node: SeenTokens, jti: str = jti, together: Barrier = together, answers: list[bool] = answers) -> None:
            together.wait()
            answers.append(is_first(node, jti))

        threads = [Thread(target=use, args=[node]) for node in nodes]
        with capture_logs() as log:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert Counter(answers) == {True: 1, False: 5} or log  # a machine too slow for the database tells nothing


def test_without_a_database_the_process_knows_for_itself(away: Database) -> None:
    """And says that it is alone (ADR 8)."""
    seen = seen_tokens_of(away)
    with capture_logs() as log:
        assert [is_first(seen, jti) for jti in "aabb"] == [True, False, True, False]
    assert {one["event"] for one in log} == {"cds_hooks.replay.local_only"}
    assert ISSUER not in repr(log)


def test_memory_is_bounded(away: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it holds is the latest; a flood of good tokens fills no process."""
    monkeypatch.setattr(seen_tokens, "_MOST_REMEMBERED", 10)
    seen = seen_tokens_of(away)
    with capture_logs():
        for number in range(1_000):
            assert is_first(seen, str(number))
        assert [is_first(seen, str(number)) for number in range(990, 1_000)] == [False] * 10
    assert len(seen._remembered) == 10


def test_memory_that_is_full_forgets_nothing_that_is_in_the_database(
    seen: SeenTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_tokens, "_MOST_REMEMBERED", 2)
    assert [is_first(seen, jti) for jti in "abcdeabcde"] == [True] * 5 + [False] * 5


def test_pruning_removes_what_has_expired_and_nothing_else(database: LiveDatabase) -> None:
    now = NOW
    seen = seen_tokens_of(database.open(), lambda: now)
    for seconds in (10, 20, 30):
        assert is_first(seen, f"until {seconds}", keep_until_s=NOW_S + seconds)
    now = NOW + timedelta(seconds=20)
    assert (seen.prune(), seen.prune()) == (1, 0)
    fresh = seen_tokens_of(database.open(), lambda: now)
    assert [is_first(fresh, f"until {seconds}") for seconds in (10, 20, 30)] == [True, False, False]


def test_pruning_goes_in_steps(database: LiveDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no call waits long for it."""
    monkeypatch.setattr(seen_tokens, "_MOST_PRUNED", 3)
    seen = seen_tokens_of(database.open())
    for number in range(7):
        assert is_first(seen, str(number), keep_until_s=NOW_S - 1)
    assert [seen.prune() for _ in range(4)] == [3, 3, 1, 0]


def test_window_lets_a_token_come_again_to_the_same_process(database: LiveDatabase) -> None:
    """For conformance tests in development (R-9.8)."""
    now = NOW
    one, other = (seen_tokens_of(database.open(), lambda: now, replay_window_s=60) for _ in range(2))
    assert is_first(one, "a")
    now = NOW + timedelta(seconds=60)
    assert is_first(one, "a")
    assert [is_first(other, "a") for _ in range(3)] == [False] * 3
    now = NOW + timedelta(seconds=61)
    assert not is_first(one, "a")
