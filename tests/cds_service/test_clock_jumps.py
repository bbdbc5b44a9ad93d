"""A clock that jumps an hour or passes midnight: what still works, and what a wrong clock costs."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from cds_service.storage.schema import FEEDBACK as FEEDBACK_TABLE
from cds_service.storage.schema import ISSUED_CARD, SERVICE_CALL_COUNT
from tests.charts import Json, condition, hook_call, order, post, prefetch, procedure
from tests.databases import LiveDatabase
from tests.places import ROOT
from tests.registered_service import FEEDBACK, REGISTRY, RegisteredService
from tests.work_ups import LUMBAGO, LUMBAR_PUNCTURE, MRI

HOUR = 3_600
REPLAYED, EXPIRED, NOT_YET = "jti was seen before", "exp is in the past", "iat is in the future"
MakeService = Callable[..., RegisteredService]


@pytest.fixture
def make_service(database: LiveDatabase, tmp_path: Path, empty_ledger: Path) -> Iterator[MakeService]:
    """Nodes on one database."""
    made: list[RegisteredService] = []

    def make(**settings: Any) -> RegisteredService:
        made.append(RegisteredService(tmp_path, empty_ledger, database_url=database.url, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("jump_s", "reason"), [pytest.param(HOUR, EXPIRED, id="forward"), pytest.param(-HOUR, NOT_YET, id="back")]
)
def test_a_good_token_is_refused_while_the_clock_is_wrong_and_taken_once_it_is_right(
    make_service: MakeService, jump_s: int, reason: str
) -> None:
    service = make_service()
    token = service.forge().bearer()
    service.advance(jump_s)
    service.assert_refused(token, reason)
    assert service.call(service.forge().bearer()).status_code == 200  # of an EHR whose clock is wrong in the same way
    service.advance(-jump_s)
    assert service.call(token).status_code == 200
    service.assert_refused(token, REPLAYED)


@pytest.mark.parametrize("jumps_s", [(-HOUR, HOUR), (HOUR, -HOUR), (-30, 30), (30, -30)])
@pytest.mark.parametrize("node", ["the same", "another"])
def test_a_used_token_stays_used_however_the_clock_jumps(
    make_service: MakeService, jumps_s: tuple[int, int], node: str
) -> None:
    """Housekeeping runs after each jump, and removes what it takes for expired."""
    service = make_service()
    token = service.forge().bearer()
    assert service.call(token).status_code == 200
    asked = service if node == "the same" else make_service()
    for jump_s in jumps_s:
        asked.advance(jump_s)
        asked.app.extensions["housekeeping"].run_once()
        asked.assert_refused(token, "")
    asked.assert_refused(token, REPLAYED)


@pytest.mark.parametrize("life_s", [300, 3_600])
def test_a_restart_while_the_clock_is_an_hour_ahead_opens_no_window(make_service: MakeService, life_s: int) -> None:
    """Until the last second in which the token would be taken."""
    service = make_service()
    forge = service.forge()
    token = forge.bearer(exp=int(forge.now_s) + life_s)
    assert service.call(token).status_code == 200
    service.close()
    restarted = make_service()
    restarted.advance(life_s + 59 + HOUR)
    restarted.app.extensions["housekeeping"].run_once()
    restarted.advance(-HOUR)
    restarted.assert_refused(token, REPLAYED)


def test_a_replay_window_of_development_is_not_longer_for_a_clock_that_jumps_back(make_service: MakeService) -> None:
    service = make_service(profile="development", public_url="", require_tokens=True, replay_window_s=60)
    forge = service.forge()
    token = forge.bearer(exp=int(forge.now_s) + HOUR)
    assert [service.call(token).status_code for _ in range(2)] == [200, 200]
    service.advance(-30)
    service.assert_refused(token, REPLAYED)


@pytest.mark.parametrize("jump_s", [HOUR, -HOUR])
def test_cards_feedback_and_counts_are_kept_however_the_clock_jumps(
    make_service: MakeService, database: LiveDatabase, jump_s: int
) -> None:
    service = make_service()
    card = service.call(service.forge().bearer()).get_json()["cards"][0]["uuid"]
    service.advance(jump_s)
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": service.now.isoformat()}
    body = json.dumps({"feedback": [entry]}).encode()
    answer = service.send(FEEDBACK, service.forge(path=FEEDBACK).bearer(), body)
    assert answer.get_json() == {"repeated": 0, "stored": 1, "unknownCards": 0}
    assert service.call(service.forge().bearer()).status_code == 200
    service.app.extensions["housekeeping"].run_once()
    assert service.rows()["issued_card"] == 1  # the same hookInstance: the same card
    assert [row["card_uuid"] for row in database.rows(ISSUED_CARD)] == [card]
    assert [row["card_uuid"] for row in database.rows(FEEDBACK_TABLE)] == [card]
    assert sum(row["calls"] for row in database.rows(SERVICE_CALL_COUNT)) == 2


QUIET = REGISTRY.replace(
    'tenants = ["north", "south"]',
    'tenants = ["north", "south"]\nquiet_period_hours = 3\nfinal_reasons = ["action-completed"]',
)
REASON = {"system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes", "code": "action-completed"}


@pytest.mark.parametrize(
    ("jumps_s", "shown"),
    [
        pytest.param((HOUR, -HOUR), False, id="an hour ahead within the period"),
        pytest.param((-HOUR, HOUR), False, id="an hour behind"),
        pytest.param((2 * HOUR + 1, HOUR, -HOUR), True, id="an hour ahead in its last hour: it ends early"),
    ],
)
def test_a_quiet_period_ends_early_rather_than_late(
    make_service: MakeService, jumps_s: tuple[int, ...], shown: bool
) -> None:
    service = make_service(registry=QUIET, patient_hash_key="0123456789abcdef" * 4)
    card = service.call(service.forge().bearer()).get_json()["cards"][0]["uuid"]
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": service.now.isoformat()}
    body = json.dumps({"feedback": [entry | {"overrideReason": {"reason": REASON}}]}).encode()
    assert service.send(FEEDBACK, service.forge(path=FEEDBACK).bearer(), body).status_code == 200
    for jump_s in jumps_s:
        service.advance(jump_s)
        service.app.extensions["housekeeping"].run_once()
    assert bool(service.call(service.forge().bearer()).get_json()["cards"]) is shown


MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


def work_up(performed: str = "2026-11-15", onset: str = "2026-11-16") -> Json:
    """An MRI for back pain after a lumbar puncture, a week before MIDNIGHT and a day."""
    pain = condition(LUMBAGO, onsetDateTime=onset)
    chart = prefetch(pain, procedures=[procedure(LUMBAR_PUNCTURE, performedDateTime=performed)])
    return hook_call(order(MRI), hookInstance=str(uuid4()), prefetch=chart)


def pain_class(app: Flask, call: Json) -> str:
    (card,) = post(app.test_client(), call).get_json()["cards"]
    return str(card["extension"]["lumbar-puncture-back-pain"]["class"])


def test_a_day_of_a_card_ends_at_midnight_utc_and_comes_again_where_the_clock_jumps_back(
    make_app: Callable[..., Flask],
) -> None:
    """Expected until day 7, lingering from day 8 on (design.md 5)."""
    now = [MIDNIGHT]
    app = make_app(clock=lambda: now[0])
    told = []
    for moment in (timedelta(seconds=-1), timedelta(), timedelta(hours=-1), timedelta(hours=1)):
        now[0] = MIDNIGHT + moment
        told.append(pain_class(app, work_up()))
    assert told == ["expected", "lingering", "expected", "lingering"]


def test_a_call_over_midnight_has_one_day(make_app: Callable[..., Flask]) -> None:
    """The day is read once: no card mixes two."""
    clock = iter([MIDNIGHT - timedelta(seconds=1)] * 1 + [MIDNIGHT + timedelta(seconds=1)] * 50)
    days: list[datetime] = []

    def ticking() -> datetime:
        days.append(next(clock))
        return days[-1]

    app = make_app(clock=ticking)
    assert pain_class(app, work_up()) in ("expected", "lingering")
    assert len({day.date() for day in days}) == 2


def test_a_puncture_that_a_clock_behind_sees_in_the_future_still_counts(make_app: Callable[..., Flask]) -> None:
    """It was after midnight; our clock is still before it. Tomorrow counts as today (cards/fhir/dates.py)."""
    app = make_app(clock=lambda: MIDNIGHT - timedelta(minutes=30))
    assert pain_class(app, work_up("2026-11-23", "2026-11-23")) == "expected"


# Where the wall clock is read: once for the service, for the times of traces, and in commands when they start.
_WALL_CLOCK = {
    "cds_service/app.py",
    "cds_service/operations/tracing.py",
    "cds_service/cli/content_commands.py",
    "cds_service/cli/database_commands.py",
    "cds_service/report/report_command.py",
    "cds_service/backtest/backtest_command.py",
    "cds_service/ehr_simulator/card_feedback.py",
    "cds_service/ehr_simulator/token.py",
}


def test_the_wall_clock_of_the_service_is_read_in_one_place() -> None:
    """Deadlines, queues, pauses and refreshes are on the monotonic clock, which does not jump."""
    read = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "cds_service").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _reads_wall_clock(node.func)
    }
    assert read == _WALL_CLOCK


def _reads_wall_clock(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute):
        return False
    of = called.value.id if isinstance(called.value, ast.Name) else ""
    return (of, called.attr) in {
        *(("time", name) for name in ("time", "time_ns", "localtime", "gmtime")),
        *(("datetime", name) for name in ("now", "utcnow", "today")),
        ("date", "today"),
    }
