"""Alert fatigue: which cards a client that asked for quiet does not get, for whom, how long, and the counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cards.card import Card, Coding, Source
from cds_service.cds_hooks.silencing import MAX_CARDS, SWITCHED_OFF, Silencer
from cds_service.clients.registry import CardLimits, RegisteredClient
from cds_service.clients.token_check import TrustedClient
from cds_service.steps import run_steps
from cds_service.storage.schema import (
    CARD_PATIENT,
    ISSUED_CARD,
    METADATA,
    QUIET_CARD,
    SERVICE_CALL_COUNT,
    SILENCED_CARD,
)
from tests.charts import ICD_10_CM, PATIENT, SERVICE, Json, coded, condition, hook_call, order, prefetch, procedure
from tests.conftest import NOW
from tests.databases import LiveDatabase
from tests.registered_service import client_entry
from tests.token_forge import Forge, jwk_of, key_for
from tests.work_ups import LUMBAGO, LUMBAR_PUNCTURE, MRI, days_ago

PUBLIC = "https://cds.example.org"
REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
FINAL = "action-completed"
HASH_KEY = "0123456789abcdef" * 4
BOTH = ["what-to-expect", "confounders"]
KEYS = {"jwks_file": "keys.json", "algorithms": ["ES256"]}
QUIET = {"tenants": ["north", "south"], "quiet_period_hours": 24, "final_reasons": ["action-completed", "urn-own"]}
CLIENTS = (
    client_entry("quiet-hospital", "https://quiet.example.org", **KEYS, **QUIET)
    + client_entry("brief-hospital", "https://brief.example.org", **KEYS, max_cards=1)
    + client_entry("plain-hospital", "https://plain.example.org", **KEYS)
)


@dataclass
class Hospital:
    """A client that calls with a token of its own each time, at the moment that `now` says."""

    http: FlaskClient
    name: str
    now: list[datetime]
    tenant: str | None = None

    def cards(self, call: Json) -> list[Json]:
        answer = self._post("", call)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return list(answer.get_json()["cards"])

    def keys(self, call: Json | None = None) -> list[str]:
        """Which cards an order for a puncture gets, in a chart with a contributor."""
        return [card["extension"]["lumbar-puncture-back-pain"]["card"] for card in self.cards(call or puncture())]

    def override(self, card: str, code: str | None = FINAL, at: datetime | None = None) -> None:
        """Feedback on a card: overridden, with a reason or without."""
        entry: Json = {"card": card, "outcome": "overridden", "outcomeTimestamp": (at or self.now[0]).isoformat()}
        if code:
            entry["overrideReason"] = {"reason": {"system": REASONS, "code": code}}
        assert self._post("/feedback", {"feedback": [entry]}).status_code == 200

    def _post(self, path: str, body: Json) -> Any:
        forge = Forge(
            self.now[0].timestamp(),
            issuer=f"https://{self.name}.example.org",
            audience=f"{PUBLIC}{SERVICE}{path}",
            tenant=self.tenant,
            kid="key",
            algorithm="ES256",
            key=key_for("ES256"),
        )
        return self.http.post(SERVICE + path, json=body, headers={"Authorization": forge.bearer()})


@pytest.fixture
def now() -> list[datetime]:
    """What the clock says, to be changed by a test."""
    return [NOW]


@pytest.fixture
def app(database: LiveDatabase, make_app: Callable[..., Flask], now: list[datetime], tmp_path: Path) -> Flask:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk_of(key_for("ES256"), "ES256", "key")]}))
    (tmp_path / "clients.toml").write_text(CLIENTS)
    return make_app(
        clock=lambda: now[0],
        profile="production",
        public_url=PUBLIC,
        clients_file=tmp_path / "clients.toml",
        patient_hash_key=HASH_KEY,
        database_url=database.url,
        threads=4,
    )


@pytest.fixture
def quiet(app: Flask, now: list[datetime]) -> Hospital:
    """The client with a quiet period of 24 hours."""
    return Hospital(app.test_client(), "quiet", now, "north")


def puncture(patient_id: str = PATIENT) -> Json:
    """An order for a lumbar puncture in a chart with a contributor: two cards, each time the hook fires."""
    call = hook_call(hookInstance=str(uuid4()), prefetch=prefetch(condition()))
    return json.loads(json.dumps(call).replace(PATIENT, patient_id))


def work_up(*, pain_since: int, puncture: int) -> Callable[[], Json]:
    """A work-up order in a chart with a puncture and back pain, in days ago; each time the hook fires."""
    pain = condition(LUMBAGO, onsetDateTime=days_ago(pain_since))
    chart = prefetch(pain, procedures=[procedure(LUMBAR_PUNCTURE, performedDateTime=days_ago(puncture))])
    return lambda: hook_call(order(MRI), hookInstance=str(uuid4()), prefetch=chart)


def red_flag() -> Json:
    """A work-up order days after a puncture, in a chart with a red flag."""
    flag = condition(coded(ICD_10_CM, "R33.9", "Retention of urine"), onsetDateTime=days_ago(3))
    done = procedure(LUMBAR_PUNCTURE, performedDateTime=days_ago(5))
    return hook_call(order(MRI), hookInstance=str(uuid4()), prefetch=prefetch(flag, procedures=[done]))


def test_a_card_that_was_overridden_for_good_rests_for_as_long_as_the_client_asked(
    quiet: Hospital, now: list[datetime], database: LiveDatabase
) -> None:
    first = quiet.cards(puncture())
    quiet.override(first[0]["uuid"])
    assert quiet.keys() == ["confounders"]
    now[0] += timedelta(hours=23, minutes=59)
    assert quiet.keys() == ["confounders"]
    now[0] += timedelta(minutes=2)
    assert quiet.keys() == BOTH
    quiet.http.application.extensions["writer"].flush()
    assert {row["cause"] for row in database.rows(SILENCED_CARD)} == {"quiet-period"}
    assert [row["card_key"] for row in database.rows(SILENCED_CARD)] == ["what-to-expect"] * 2


def test_a_card_that_has_become_more_urgent_is_another_card(quiet: Hospital) -> None:
    """Lingering pain that was seen to is no reason to keep quiet about chronic pain."""
    lingering, chronic = work_up(pain_since=28, puncture=30), work_up(pain_since=95, puncture=100)
    card = quiet.cards(lingering())[0]
    assert card["indicator"] == "info"
    quiet.override(card["uuid"])
    assert quiet.cards(lingering()) == []
    assert [one["indicator"] for one in quiet.cards(chronic())] == ["warning"]


@pytest.mark.parametrize(
    ("code", "rests"),
    [
        pytest.param(FINAL, True, id="a final reason"),
        pytest.param("urn-own", True, id="a final reason of the client's own"),
        pytest.param("already-evaluated", True, id="a reason of ours that is mapped to a final one"),
        pytest.param("not-relevant", False, id="a reason of ours that is mapped to another"),
        pytest.param("need-more-info", False, id="another reason"),
        pytest.param(None, False, id="no reason"),
    ],
)
def test_quiet_follows(code: str | None, rests: bool, quiet: Hospital) -> None:
    for card in quiet.cards(puncture()):
        quiet.override(card["uuid"], code)
    assert quiet.keys() == ([] if rests else BOTH)


def test_it_is_quiet_for_that_patient_of_that_tenant_and_nobody_else(quiet: Hospital) -> None:
    for card in quiet.cards(puncture()):
        quiet.override(card["uuid"])
    south = Hospital(quiet.http, "quiet", quiet.now, "south")
    plain = Hospital(quiet.http, "plain", quiet.now)
    assert quiet.keys() == []
    assert quiet.keys(puncture("pat-2")) == BOTH
    assert south.keys() == BOTH
    assert plain.keys() == BOTH


def test_one_client_cannot_silence_the_cards_of_another(quiet: Hospital, database: LiveDatabase) -> None:
    """Not even if it knows the uuid of a card."""
    card = quiet.cards(puncture())[0]["uuid"]
    Hospital(quiet.http, "plain", quiet.now).override(card)
    assert database.rows(QUIET_CARD) == []
    assert quiet.keys() == BOTH


@pytest.mark.parametrize(
    ("hours_ago", "rests"),
    [
        pytest.param(23, True, id="within the period"),
        pytest.param(25, False, id="longer ago than the period"),
        pytest.param(-48, True, id="in the future, by a clock that is ahead: from now on, then"),
    ],
)
def test_the_period_begins_with_the_override_and_not_with_its_arrival(
    hours_ago: int, rests: bool, quiet: Hospital, now: list[datetime]
) -> None:
    card = quiet.cards(puncture())[0]["uuid"]
    quiet.override(card, at=now[0] - timedelta(hours=hours_ago))
    assert (quiet.keys() == ["confounders"]) == rests
    now[0] += timedelta(hours=24, minutes=1)
    assert quiet.keys() == BOTH


def test_an_earlier_override_that_arrives_late_does_not_shorten_the_quiet(quiet: Hospital, now: list[datetime]) -> None:
    first, second = (quiet.cards(puncture())[0]["uuid"] for _ in range(2))
    quiet.override(first)
    quiet.override(second, at=now[0] - timedelta(hours=20))
    now[0] += timedelta(hours=23)
    assert quiet.keys() == ["confounders"]


def test_red_flags_are_never_silenced(quiet: Hospital, app: Flask) -> None:
    """Neither by a quiet period, nor by a limit on the number of cards."""
    (card,) = quiet.cards(red_flag())
    quiet.override(card["uuid"])
    assert quiet.keys(red_flag()) == ["red-flags"]
    assert Hospital(app.test_client(), "brief", quiet.now).keys(red_flag()) == ["red-flags"]


def test_no_more_cards_than_the_client_asked_for(app: Flask, now: list[datetime], database: LiveDatabase) -> None:
    brief = Hospital(app.test_client(), "brief", now)
    assert brief.keys() == BOTH[:1]
    app.extensions["writer"].flush()
    (silenced,) = database.rows(SILENCED_CARD)
    assert (silenced["card_key"], silenced["cause"]) == (BOTH[1], "max-cards")


def test_silence_is_counted_and_logged(quiet: Hospital, app: Flask, database: LiveDatabase) -> None:
    for card in quiet.cards(puncture()):
        quiet.override(card["uuid"])
    with capture_logs() as events:
        assert quiet.keys() == []
    (event,) = events
    assert event["cds_hooks.outcome"] == "quiet"
    assert {event[f"cds_hooks.silenced.{key}"] for key in BOTH} == {"quiet-period"}
    app.extensions["housekeeping"].run_once()
    assert {row["outcome"]: row["calls"] for row in database.rows(SERVICE_CALL_COUNT)} == {"cards": 1, "quiet": 1}


def test_nothing_is_kept_about_a_patient_of_a_client_that_did_not_ask(
    app: Flask, now: list[datetime], database: LiveDatabase
) -> None:
    """Off by default."""
    plain = Hospital(app.test_client(), "plain", now)
    for card in plain.cards(puncture()):
        plain.override(card["uuid"])
    assert plain.keys() == BOTH
    app.extensions["writer"].flush()
    assert len(database.rows(ISSUED_CARD)) == 4
    assert database.rows(CARD_PATIENT) == database.rows(QUIET_CARD) == database.rows(SILENCED_CARD) == []


def test_the_patient_stands_nowhere_in_the_database(quiet: Hospital, database: LiveDatabase) -> None:
    """What is kept is the keyed hash, the same for the same patient, and only that."""
    for _ in range(2):
        quiet.override(quiet.cards(puncture("Zq7Canary"))[0]["uuid"])
    rows = {table.name: database.rows(table) for table in METADATA.sorted_tables}
    assert "Zq7Canary" not in str(rows)
    assert len({row["patient_hash"] for row in rows["card_patient"]}) == 1
    assert len(rows["card_patient"]) == 3  # the second call had one card less


def test_hashes_go_when_no_quiet_period_reaches_them(
    quiet: Hospital, app: Flask, now: list[datetime], database: LiveDatabase
) -> None:
    quiet.override(quiet.cards(puncture())[0]["uuid"])
    now[0] += timedelta(hours=23)
    app.extensions["housekeeping"].run_once()
    app.extensions["writer"].flush()
    assert (len(database.rows(CARD_PATIENT)), len(database.rows(QUIET_CARD))) == (2, 1)
    now[0] += timedelta(hours=2)
    app.extensions["housekeeping"].run_once()
    assert (database.rows(CARD_PATIENT), database.rows(QUIET_CARD)) == ([], [])


def test_where_the_database_cannot_be_asked_nothing_is_silenced(quiet: Hospital, database: LiveDatabase) -> None:
    for card in quiet.cards(puncture()):
        quiet.override(card["uuid"])
    with database.open().write() as connection:
        connection.exec_driver_sql("DROP TABLE quiet_card")
    assert quiet.keys() == BOTH


def card(key: str, indicator: str = "info", *, always: bool = False) -> Card:
    source = Source("", "", Coding("", "", ""))
    return Card(key, "", "", indicator, source, always_shown=always)


@pytest.mark.parametrize(
    ("most", "cards", "shown"),
    [
        pytest.param(None, ["a", "b", "c"], "abc", id="no limit"),
        pytest.param(3, ["a", "b", "c"], "abc", id="as many as there are"),
        pytest.param(2, ["a", "b", "c"], "ab", id="the least urgent go first"),
        pytest.param(1, ["a!", "b", "c"], "a", id="a card that is always shown counts"),
        pytest.param(1, ["a!", "b!", "c"], "ab", id="two that are always shown are more than one"),
        pytest.param(2, ["a", "b", "c!"], "ac", id="one that is always shown takes a place, wherever it stands"),
        pytest.param(1, ["a*", "b*", "c"], "ab", id="critical cards are always shown"),
    ],
)
def test_a_limit_on_the_number_of_cards(
    most: int | None, cards: list[str], shown: str, sqlite_database: LiveDatabase
) -> None:
    silencer = Silencer(sqlite_database.open(), lambda: NOW, HASH_KEY)
    given = [card(one[0], "critical" if "*" in one else "info", always="!" in one) for one in cards]
    selection = run_steps(silencer.select("service", CardLimits(max_cards=most), given, None))
    assert "".join(one.key for one in selection.shown) == shown
    assert len(selection.shown) + sum(map(len, selection.silenced.values())) == len(cards)


def test_a_card_that_the_site_turned_off_takes_no_place(sqlite_database: LiveDatabase) -> None:
    off = frozenset({("service", "a"), ("other", "b")})
    silencer = Silencer(sqlite_database.open(), lambda: NOW, HASH_KEY, off)
    given = [card(key, "info", always=False) for key in "abc"]
    selection = run_steps(silencer.select("service", CardLimits(max_cards=1), given, None))
    assert [shown.key for shown in selection.shown] == ["b"]
    silenced = {cause: [unseen.key for unseen in cards] for cause, cards in selection.silenced.items()}
    assert silenced == {SWITCHED_OFF: ["a"], MAX_CARDS: ["c"]}


def test_the_hash_depends_on_all_that_it_is_over(sqlite_database: LiveDatabase) -> None:
    """Key, client, tenant and patient, and where one of them ends."""
    database = sqlite_database.open()
    silencers = [Silencer(database, lambda: NOW, key) for key in (HASH_KEY, HASH_KEY[::-1])]
    limits = CardLimits(quiet_period_hours=1)
    clients = [
        RegisteredClient(name, "https://x", frozenset(), keys=None, card_limits=limits)  # type: ignore[arg-type]
        for name in ("a", "ab")
    ]
    whose = [("", "b1"), ("b", "1"), ("", "1"), ("", "2"), ("\ud800", "1")]
    hashes = {
        one.hash_patient(TrustedClient(client, tenant), patient)
        for one in silencers
        for client in clients
        for tenant, patient in whose
    }
    assert len(hashes) == 2 * 2 * 5
    assert {len(one or b"") for one in hashes} == {32}
