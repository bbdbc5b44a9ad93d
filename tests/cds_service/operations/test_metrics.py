"""GET /metrics: each event is counted once, under labels of ours, for the operator's Prometheus only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.event_log.events import (
    log_housekeeping_failed,
    log_keys_not_fetched,
    log_not_heard,
    log_replay_unchecked,
    log_unrecorded,
)
from tests.charts import ASTHMA, HOOK_INSTANCE, SERVICE, condition, hook_call, order, post, prefetch, searchset
from tests.conftest import NOW
from tests.exposition import Samples, risen, scrape
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.registered_service import RegisteredService
from tests.work_ups import referring

SHARED_WORD = "a-metrics-token-of-32-characters-or-more"
OTHER_ORDER = order({"text": "Chest X-ray"})


@pytest.fixture
def service(tmp_path: Path, empty_ledger: Path) -> Iterator[RegisteredService]:
    """Production."""
    one = RegisteredService(tmp_path, empty_ledger, metrics_token=SHARED_WORD)
    yield one
    one.close()


OURS = 'service="lumbar-puncture-back-pain"'


def calls(outcome: str, code: int, hook: str = "order-sign") -> Samples:
    """What any hook call adds."""
    added = {f'cds_hooks_calls_total{{code="{code}",hook="{hook}",mode="visible",outcome="{outcome}",{OURS}}}': 1.0}
    return added | {f'cds_hooks_call_duration_seconds_count{{outcome="{outcome}"}}': 1.0}


def stages(*names: str) -> Samples:
    return {f'cds_hooks_call_stage_duration_seconds_count{{stage="{name}"}}': 1.0 for name in names}


def answered(client: str = "unidentified") -> Samples:
    return {f'cds_hooks_client_calls_total{{client="{client}",mode="visible"}}': 1.0}


def test_a_silent_call_adds_its_outcome_its_client_and_the_time_of_its_stages(client: FlaskClient) -> None:
    before = scrape(client)
    post(client, hook_call(OTHER_ORDER))
    wanted = calls("silent", 200) | answered() | stages("auth", "decode", "triage", "encode")
    assert risen(before, scrape(client)) == wanted


def test_a_call_with_cards_adds_its_cards_and_how_the_chart_came_about(client: FlaskClient) -> None:
    conditions = searchset(condition(), "no resource", {"resourceType": "Condition"})
    before = scrape(client)
    post(client, hook_call(prefetch=prefetch() | {"conditions": conditions}))
    added = risen(before, scrape(client))
    assert added == (
        calls("cards", 200)
        | answered()
        | stages("auth", "decode", "triage", "chart", "rule", "ledger", "encode")
        | {
            f'cds_hooks_cards_total{{card="what-to-expect",indicator="info",result="shown",{OURS}}}': 1,
            f'cds_hooks_cards_total{{card="confounders",indicator="info",result="shown",{OURS}}}': 1,
            'cds_hooks_prefetch_total{key="patient",state="satisfied"}': 1,
            'cds_hooks_prefetch_total{key="conditions",state="satisfied"}': 1,
            'cds_hooks_prefetch_total{key="procedures",state="empty"}': 1,
            'cds_hooks_resources_read_total{type="Condition"}': 3,
            'cds_hooks_resources_skipped_total{reason="no code",type="Condition"}': 1,
            'cds_hooks_resources_skipped_total{reason="not a resource",type="Condition"}': 1,
        }
    )


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param(searchset(condition()), "read", id="read"),
        pytest.param((503, {}), "status", id="refused"),
        pytest.param(b"{", "unusable", id="no FHIR"),
        pytest.param(ConnectionError("away"), "unreachable", id="away"),
        pytest.param(searchset(condition(subject={"reference": "Patient/x"})), "other_patient", id="another patient"),
        pytest.param(
            searchset(link=[{"relation": "next", "url": "https://elsewhere.example.org/fhir"}]),
            "unusable",
            id="a link that leaves the server",
        ),
    ],
)
def test_a_read_from_a_fhir_server_adds_its_result_and_its_time(
    client: FlaskClient, fhir_server: FakeFhirServer, answer: Any, result: str
) -> None:
    fhir_server.answers["Condition?patient=pat-1&_count=500"] = answer
    complete = prefetch()
    del complete["conditions"]
    before = scrape(client)
    post(client, hook_call(fhirServer=BASE, prefetch=complete))
    added = risen(before, scrape(client))
    assert added[f'cds_hooks_fhir_reads_total{{key="conditions",result="{result}"}}'] == 1
    assert added['cds_hooks_fhir_read_duration_seconds_count{key="conditions"}'] == 1
    assert added['cds_hooks_prefetch_total{key="conditions",state="missing"}'] == 1


def test_a_read_that_is_not_begun_has_no_time(client: FlaskClient) -> None:
    before = scrape(client)
    post(client, hook_call(fhirServer="https://not.registered.example.org/fhir", prefetch={}))
    added = risen(before, scrape(client))
    assert sum(value for name, value in added.items() if 'result="no_server"' in name) == 3
    assert not [name for name in added if "read_duration" in name]


def test_a_reason_that_is_looked_up_is_a_read_of_its_own_kind(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """Also where the call is silent in the end."""
    fhir_server.answers["Condition/why"] = condition(ASTHMA, id="why")
    before = scrape(client)
    post(client, hook_call(referring("Condition/why"), fhirServer=BASE))
    added = risen(before, scrape(client))
    assert added[f'cds_hooks_calls_total{{code="200",hook="order-sign",mode="visible",outcome="silent",{OURS}}}'] == 1
    assert added['cds_hooks_fhir_reads_total{key="reason",result="read"}'] == 1
    assert added['cds_hooks_fhir_read_duration_seconds_count{key="reason"}'] == 1


@pytest.mark.parametrize(
    ("call", "code", "hook"),
    [
        pytest.param({"hook": "patient-view"}, 400, "none", id="a hook we do not have"),
        pytest.param({"context": 1}, 400, "none", id="an invalid context"),
        pytest.param(
            {"prefetch": {"patient": {"resourceType": "Patient", "id": "x"}}}, 400, "order-sign", id="patient"
        ),
    ],
)
def test_a_refused_call_adds_its_status(client: FlaskClient, call: dict[str, Any], code: int, hook: str) -> None:
    before = scrape(client)
    post(client, hook_call(**call))
    added = risen(before, scrape(client))
    assert {name: added[name] for name in calls("refused", code, hook)} == calls("refused", code, hook)
    assert not [name for name in added if "client_calls" in name]


def test_a_fault_is_counted_and_so_is_its_call(make_app: Callable[..., Flask]) -> None:
    broken = []

    def clock() -> datetime:
        return NOW if not broken else broken[0]

    client = make_app(clock=clock).test_client()
    before = scrape(client)
    broken.append(None)
    post(client, hook_call(OTHER_ORDER))
    broken.clear()
    added = risen(before, scrape(client))
    assert added == {"cds_hooks_faults_total": 1} | calls("fault", 500) | stages("auth", "decode", "triage")


def test_feedback_adds_its_entries_by_what_became_of_them(client: FlaskClient) -> None:
    (card,) = post(client, hook_call()).get_json()["cards"]
    accepted = {"card": card["uuid"], "outcome": "accepted", "outcomeTimestamp": "2026-11-22T15:31:45Z"}
    accepted["acceptedSuggestions"] = [{"id": card["suggestions"][0]["uuid"]}]
    unknown = {"card": HOOK_INSTANCE, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:45Z"}
    before = scrape(client)
    client.post(f"{SERVICE}/feedback", json={"feedback": [accepted, unknown]})
    client.post(f"{SERVICE}/feedback", json=accepted)
    client.post(f"{SERVICE}/feedback", json={"feedback": 1})
    assert risen(before, scrape(client)) == {
        'cds_hooks_feedback_requests_total{code="200"}': 2,
        'cds_hooks_feedback_requests_total{code="400"}': 1,
        'cds_hooks_feedback_entries_total{result="new"}': 2,
        'cds_hooks_feedback_entries_total{result="repeated"}': 1,
        'cds_hooks_feedback_entries_total{result="unknown_card"}': 1,
        'cds_hooks_feedback_outcomes_total{outcome="accepted"}': 2,
        'cds_hooks_feedback_outcomes_total{outcome="overridden"}': 1,
    }


def test_what_the_ledger_did_not_take_is_counted(make_app: Callable[..., Flask]) -> None:
    app = make_app(record_before_answer=True)
    client = app.test_client()
    before = scrape(client)
    Path(app.extensions["database"].engine.url.database).unlink()
    post(client, hook_call())
    overridden = {"card": HOOK_INSTANCE, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:45Z"}
    assert client.post(f"{SERVICE}/feedback", json=overridden).status_code == 503
    added = risen(before, scrape(client))
    assert added['cds_hooks_ledger_failures_total{what="call"}'] == 1
    assert added['cds_hooks_ledger_failures_total{what="feedback"}'] == 1
    assert added['cds_hooks_feedback_requests_total{code="503"}'] == 1


@pytest.mark.parametrize(
    ("log", "name"),
    [
        pytest.param(lambda: log_not_heard(408), 'cds_hooks_requests_not_heard_total{code="408"}', id="not heard"),
        pytest.param(
            lambda: log_keys_not_fetched("general-hospital", "x", known=True),
            'cds_hooks_key_fetch_failures_total{client="general-hospital"}',
            id="keys not fetched",
        ),
        pytest.param(lambda: log_replay_unchecked("x"), "cds_hooks_replay_checks_local_total", id="replay"),
        pytest.param(
            lambda: log_unrecorded("x", 1, [HOOK_INSTANCE], ["general-hospital"]),
            'cds_hooks_ledger_failures_total{what="call"}',
            id="unrecorded",
        ),
        pytest.param(lambda: log_housekeeping_failed("x"), "cds_hooks_housekeeping_failures_total", id="housekeeping"),
    ],
)
def test_every_other_event_is_counted(service: RegisteredService, log: Callable[[], None], name: str) -> None:
    client, headers = service.app.test_client(), {"Authorization": f"Bearer {SHARED_WORD}"}
    before = scrape(client, headers=headers)
    with capture_logs():
        log()
    assert risen(before, scrape(client, headers=headers)) == {name: 1}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(f"Bearer {SHARED_WORD}", 200, id="the token"),
        pytest.param(None, 401, id="no token"),
        pytest.param("Bearer ", 401, id="an empty one"),
        pytest.param(f"Bearer {SHARED_WORD}x", 401, id="one that begins with it"),
        pytest.param(f"Bearer {SHARED_WORD[:-1]}", 401, id="the beginning of it"),
        pytest.param(f"Basic {SHARED_WORD}", 401, id="another scheme"),
        pytest.param("Bearer ÿ", 401, id="one that is no ASCII"),
    ],
)
def test_production_takes_the_token_and_nothing_else(
    service: RegisteredService, authorization: str | None, status: int
) -> None:
    answer = service.send("/metrics", authorization)
    assert answer.status_code == status
    assert service.log == []
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "cds_hooks_" not in answer.get_data(as_text=True)


def test_production_without_a_token_has_no_metrics(tmp_path: Path, empty_ledger: Path) -> None:
    service = RegisteredService(tmp_path, empty_ledger)
    for authorization in (None, "Bearer ", "Bearer None"):
        assert service.send("/metrics", authorization).status_code == 404
    assert "/metrics" not in service.send("/openapi.json", None).get_json()["paths"]
    service.close()


def test_a_token_of_development_is_asked_for_as_well(make_app: Callable[..., Flask]) -> None:
    client = make_app(metrics_token=SHARED_WORD).test_client()
    assert client.get("/metrics").status_code == 401
    assert scrape(client, headers={"Authorization": f"Bearer {SHARED_WORD}"})["cds_hooks_ready"] == 1


def test_a_refused_token_is_counted_by_a_class_of_its_reason(service: RegisteredService) -> None:
    client, headers = service.app.test_client(), {"Authorization": f"Bearer {SHARED_WORD}"}
    forge = service.forge()
    used = forge.bearer()
    before = scrape(client, headers=headers)
    for authorization in (None, "Bearer x", forge.bearer(iss="https://nobody.example.org"), used, used):
        service.call(authorization)
    service.discover(None)
    added = risen(before, scrape(client, headers=headers))
    refused = {name: value for name, value in added.items() if "tokens_refused" in name}
    assert refused == {
        'cds_hooks_tokens_refused_total{reason="no_token"}': 2,
        'cds_hooks_tokens_refused_total{reason="malformed"}': 1,
        'cds_hooks_tokens_refused_total{reason="unknown_issuer"}': 1,
        'cds_hooks_tokens_refused_total{reason="replayed"}': 1,
    }
    assert added['cds_hooks_client_calls_total{client="general-hospital",mode="visible"}'] == 1
    refused_call = f'cds_hooks_calls_total{{code="401",hook="none",mode="none",outcome="refused",{OURS}}}'
    assert added[refused_call] == 4


def test_the_token_that_development_does_not_ask_for_is_no_refused_one(client: FlaskClient) -> None:
    before = scrape(client)
    post(client, hook_call(OTHER_ORDER))
    assert not [name for name in risen(before, scrape(client)) if "tokens_refused" in name]


def test_the_state_of_the_server_stands_beside_the_counts(client: FlaskClient) -> None:
    told = scrape(client)
    version = client.get("/cds-services").get_json()["services"][0]["extension"]["lumbar-puncture-back-pain"]
    assert (
        told[f'cds_hooks_content_info{{service="lumbar-puncture-back-pain",version="{version["contentVersion"]}"}}']
        == 1
    )
    assert told["cds_hooks_content_review_due_timestamp_seconds"] > 1.7e9
    assert [told[f'cds_hooks_check_ok{{check="{one}"}}'] for one in ("database", "content", "keys")] == [1, 1, 1]
    assert len([name for name in told if name.startswith("cds_hooks_build_info")]) == 1
