"""A token is good for one call: on every worker and node, after a restart, without the database (R-6.12)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from tests.charts import HOOK_INSTANCE, SERVICE
from tests.databases import LiveDatabase
from tests.registered_service import CALL, DISCOVERY, FEEDBACK, PUBLIC_URL, RegisteredService

REPLAYED = "jti was seen before"
LOCAL_ONLY = "cds_hooks.replay.local_only"
ENTRY = {"card": HOOK_INSTANCE, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T02:30:00Z"}
REPORT = json.dumps({"feedback": [ENTRY]}).encode()
MakeService = Callable[..., RegisteredService]


@pytest.fixture
def make_service(tmp_path: Path, empty_ledger: Path) -> Iterator[MakeService]:
    """Services on one database, as the workers and nodes of one installation are."""
    made: list[RegisteredService] = []

    def make(**settings: Any) -> RegisteredService:
        made.append(RegisteredService(tmp_path, empty_ledger, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def service(make_service: MakeService) -> RegisteredService:
    return make_service()


def test_second_use_is_refused(service: RegisteredService) -> None:
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    for _ in range(3):
        service.assert_refused(token, REPLAYED)


def test_other_token_with_the_same_id_is_refused(service: RegisteredService) -> None:
    """It is the id that counts, not the bytes: issued again a second later, by another key, for another tenant."""
    forge = service.forge()
    assert service.call(forge.bearer()).status_code == 200
    service.assert_refused(forge.bearer(exp=int(forge.now_s) + 299), REPLAYED)
    service.assert_refused(forge.bearer(tenant="south"), REPLAYED)
    service.assert_refused(service.forge("RS384").bearer(jti=forge.jti), REPLAYED)
    service.assert_refused(service.forge_clinic().bearer(jti=forge.jti), REPLAYED)  # which has the same issuer


@pytest.mark.parametrize(("first", "second"), [(DISCOVERY, SERVICE), (SERVICE, FEEDBACK), (FEEDBACK, DISCOVERY)])
def test_token_for_every_address_is_good_for_one_of_them(service: RegisteredService, first: str, second: str) -> None:
    bodies = {DISCOVERY: None, SERVICE: CALL, FEEDBACK: REPORT}
    token = service.forge().bearer(aud=[PUBLIC_URL + path for path in bodies])
    assert service.send(first, token, bodies[first]).status_code == 200
    service.assert_refused(token, REPLAYED, path=second, body=bodies[second])


@pytest.mark.parametrize("body", [b"not JSON", b'{"hook": 1}', b""])
def test_call_that_was_wrong_in_itself_uses_its_token_up(service: RegisteredService, body: bytes) -> None:
    """It was authenticated; the client signs a new one for the next try."""
    token = service.forge().bearer()
    assert service.send(SERVICE, token, body).status_code == 400
    service.assert_refused(token, REPLAYED)


@pytest.mark.parametrize("variant", [str.upper, "{} ".format, " {}".format, "{}\x00".format])
def test_ids_are_compared_to_the_letter(service: RegisteredService, variant: Callable[[str], str]) -> None:
    """R-6.12 has `jti` case-sensitive (RFC 7519): what differs at all is another token."""
    forge = service.forge()
    for jti in ("abc-" + forge.jti, variant("abc-" + forge.jti)):
        assert service.call(forge.bearer(jti=jti)).status_code == 200


def test_ids_of_two_issuers_have_nothing_to_do_with_each_other(service: RegisteredService) -> None:
    forge = service.forge()
    assert service.call(forge.bearer()).status_code == 200
    assert service.call(service.forge_valley().bearer(jti=forge.jti)).status_code == 200


def all_at_once(calls: list[Callable[[], int]]) -> Counter[int]:
    """The statuses of calls that start in the same moment."""
    together, statuses = Barrier(len(calls)), []

    def run(call: Callable[[], int]) -> None:
        together.wait()
        statuses.append(call())

    threads = [Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(statuses)


def status_of(service: RegisteredService, token: str) -> Callable[[], int]:
    """Discovery, without the capturing of logs, which is not made for threads."""
    headers = {"Authorization": token}
    return lambda: service.app.test_client().get(DISCOVERY, headers=headers).status_code


def test_of_sixteen_uses_at_once_one_is_the_first(service: RegisteredService) -> None:
    for _ in range(3):
        token = service.forge(path=DISCOVERY).bearer()
        with capture_logs():
            assert all_at_once([status_of(service, token)] * 16) == {200: 1, 401: 15}


def test_two_nodes_on_one_database_take_a_token_once(make_service: MakeService) -> None:
    """Each has a memory of its own: only the database can tell."""
    nodes = [make_service(), make_service()]
    for _ in range(3):
        token = nodes[0].forge(path=DISCOVERY).bearer()
        with capture_logs() as log:
            statuses = all_at_once([status_of(node, token) for node in nodes * 4])
        told = [one["event"] for one in log]
        assert statuses == {200: 1, 401: 7} or LOCAL_ONLY in told  # a machine too slow for the database tells nothing


def test_restart_forgets_nothing(make_service: MakeService) -> None:
    before = make_service()
    token = before.forge().bearer()
    assert before.call(token).status_code == 200
    before.close()
    make_service().assert_refused(token, REPLAYED)


@pytest.mark.parametrize("seconds", [359, 359.9])
def test_seen_token_is_remembered_for_as_long_as_it_is_valid(make_service: MakeService, seconds: float) -> None:
    """Until exp plus the leeway, on a node that has only the database, pruned a moment before."""
    service = make_service()
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    node = make_service()
    for one in (service, node):
        one.advance(seconds)
        one.app.extensions["housekeeping"].run_once()
    node.assert_refused(token, REPLAYED)
    service.assert_refused(token, REPLAYED)


def test_seen_token_is_forgotten_an_hour_after_its_age_refuses_it(make_service: MakeService) -> None:
    """The hour is for clocks that are wrong (test_clock_jumps.py)."""
    service = make_service()
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    node = make_service()
    node.advance(3_961)
    node.app.extensions["housekeeping"].run_once()
    assert node.rows()["seen_token"] == 1
    node.advance(1)
    node.app.extensions["housekeeping"].run_once()
    assert node.rows()["seen_token"] == 0
    node.assert_refused(token, "exp is in the past")


def events(service: RegisteredService) -> list[str]:
    return [one["event"] for one in service.log]


def test_locked_database_delays_no_call_for_long_and_lets_no_token_in_twice(service: RegisteredService) -> None:
    """Another process holds the write lock: the memory of this one answers alone, and the log says so (ADR 8)."""
    with closing(sqlite3.connect(service.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            token = service.forge().bearer()
            answer = service.call(token)
            assert (answer.status_code, len(answer.get_json()["cards"])) == (200, 1)
            assert LOCAL_ONLY in events(service)
            assert service.call(token).status_code == 401
            assert [one["cds_hooks.token.refused"] for one in service.log] == [REPLAYED]
        other.execute("ROLLBACK")


def test_database_that_is_gone_is_no_outage_for_hook_calls(
    make_service: MakeService, tmp_path: Path, empty_ledger: Path
) -> None:
    """Cards come, each token once; feedback, which would be lost, is not taken."""
    ledger = tmp_path / "no" / "such" / "folder" / "ledger.sqlite"
    service = make_service(database_url=f"sqlite:///{ledger}")
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    assert LOCAL_ONLY in events(service)
    assert service.call(token).status_code == 401
    report = service.send(FEEDBACK, service.forge(path=FEEDBACK).bearer(), REPORT)
    assert (report.status_code, report.headers["Retry-After"]) == (503, "10")
    ledger.parent.mkdir(parents=True)
    shutil.copyfile(empty_ledger, ledger)


def test_database_without_its_table_is_one_that_is_away(make_service: MakeService, database: LiveDatabase) -> None:
    service = make_service(database_url=database.url)
    with database.open().write() as connection:
        connection.execute(text("DROP TABLE seen_token"))
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    assert LOCAL_ONLY in [one["event"] for one in service.log]
    assert service.call(token).status_code == 401


def test_database_that_comes_back_is_asked_again(make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    service, node = make_service(), make_service()
    with closing(sqlite3.connect(service.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert service.call(service.forge().bearer()).status_code == 200
        other.execute("ROLLBACK")
    monkeypatch.setattr(service.database, "_unavailable_until", 0.0)  # a few seconds later
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    assert LOCAL_ONLY not in events(service)
    node.assert_refused(token, REPLAYED)


def development(make_service: MakeService, **settings: Any) -> RegisteredService:
    return make_service(profile="development", require_tokens=True, **settings)


def test_conformance_run_may_use_a_token_again_for_a_while(make_service: MakeService) -> None:
    """R-9.8: Inferno signs one token for all bodies of a test. Every other check stands."""
    service = development(make_service, replay_window_s=120)
    token = service.forge().bearer()
    for seconds in (0, 1, 59, 60):
        service.advance(seconds)
        assert service.call(token).status_code == 200
    service.advance(1)
    assert service.call(token).status_code == 401
    assert service.reason() == REPLAYED


def test_without_a_window_development_takes_a_token_once(make_service: MakeService) -> None:
    service = development(make_service)
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    service.assert_refused(token, REPLAYED)


def test_window_opens_with_the_first_use_and_not_with_a_refused_one(make_service: MakeService) -> None:
    """A token that another process has used is not good here, the second time no more than the first."""
    first, second = (development(make_service, replay_window_s=120) for _ in range(2))
    token = first.forge().bearer()
    assert first.call(token).status_code == 200
    assert [second.call(token).status_code for _ in range(2)] == [401, 401]
