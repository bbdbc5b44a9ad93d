"""A silent client: each call is decided, recorded and counted like any other, and answered without cards (ADR 23)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cds_service.storage.schema import (
    CARD_PATIENT,
    FEEDBACK,
    ISSUED_CARD,
    ISSUED_SUGGESTION,
    QUIET_CARD,
    SERVICE_CALL_COUNT,
    SILENCED_CARD,
)
from tests.charts import SERVICE, Json, condition, hook_call, order, prefetch
from tests.exposition import risen, scrape
from tests.registered_service import FEEDBACK as FEEDBACK_PATH
from tests.registered_service import PUBLIC_URL, RegisteredService, client_entry
from tests.token_forge import Forge, jwk_of, key_for

METRICS_WORD = "a-metrics-token-of-32-characters-or-more"
HASH_KEY = "0123456789abcdef" * 4
KEYS = {"jwks_file": "keys.json", "algorithms": ["ES256"]}
LIMITS = {"max_cards": 1, "quiet_period_hours": 24, "final_reasons": ["already-evaluated"]}
REGISTRY = (
    client_entry("listening", **KEYS, mode="silent")
    + client_entry("showing", **KEYS, mode="visible")
    + client_entry("limited", **KEYS, mode="silent", **LIMITS)
)
BOTH = ["confounders", "what-to-expect"]
FOREVER = {"reason": {"system": f"{PUBLIC_URL}/fhir/CodeSystem/override-reasons", "code": "already-evaluated"}}


def start(folder: Path, empty_ledger: Path, registry: str = REGISTRY) -> RegisteredService:
    keys = {"keys": [jwk_of(key_for("ES256"), "ES256", "key")]}
    return RegisteredService(
        folder,
        empty_ledger,
        registry=registry,
        key_sets={"keys": keys["keys"]},
        patient_hash_key=HASH_KEY,
        metrics_token=METRICS_WORD,
    )


@pytest.fixture
def service(tmp_path: Path, empty_ledger: Path) -> Iterator[RegisteredService]:
    """Production with clients of both modes."""
    started = start(tmp_path, empty_ledger)
    yield started
    started.close()


def send(service: RegisteredService, client: str, body: Json, path: str = SERVICE) -> Any:
    """The answer to a call with a token of this client's, good for this call."""
    forge = Forge(
        service.now.timestamp(),
        issuer=f"https://{client}.example.org",
        audience=f"{PUBLIC_URL}{path}",
        tenant=None,
        kid="key",
        algorithm="ES256",
        key=key_for("ES256"),
    )
    return service.send(path, forge.bearer(), json.dumps(body).encode())


def puncture(**elements: Any) -> Json:
    """An order for a lumbar puncture in a chart with a contributor: two cards."""
    return hook_call(hookInstance=str(uuid4()), prefetch=prefetch(condition()), **elements)


def rows(service: RegisteredService, table: Any) -> list[dict[str, Any]]:
    service.app.extensions["writer"].flush()
    with service.database.read() as connection:
        return [dict(row) for row in connection.execute(table.select()).mappings()]


def test_it_gets_no_card_and_an_answer_that_is_like_any_other_without_cards(service: RegisteredService) -> None:
    silent, unrelated = (
        send(service, client, body)
        for client, body in (
            ("listening", puncture()),
            ("showing", hook_call(order({"text": "Chest X-ray"}), hookInstance=str(uuid4()))),
        )
    )
    assert (silent.status_code, silent.data) == (200, b'{"cards":[]}')
    assert (silent.status_code, silent.data, silent.headers) == (
        unrelated.status_code,
        unrelated.data,
        unrelated.headers,
    )


def test_what_would_have_been_shown_is_recorded_apart(service: RegisteredService) -> None:
    send(service, "listening", puncture())
    shown = send(service, "showing", puncture()).get_json()["cards"]
    silenced = rows(service, SILENCED_CARD)
    assert {(row["card_key"], row["client"], row["cause"]) for row in silenced} == {
        (key, "listening", "silent-client") for key in BOTH
    }
    assert {row["card_uuid"] for row in rows(service, ISSUED_CARD)} == {card["uuid"] for card in shown}
    assert {row["card_uuid"] for row in rows(service, ISSUED_SUGGESTION)} <= {card["uuid"] for card in shown}


def test_a_call_that_is_tried_again_is_recorded_once(service: RegisteredService) -> None:
    call = puncture()
    for _ in range(2):
        send(service, "listening", call)
    assert len(rows(service, SILENCED_CARD)) == 2


def test_cards_that_another_limit_silences_keep_their_cause(service: RegisteredService) -> None:
    send(service, "limited", puncture())
    causes = {row["card_key"]: row["cause"] for row in rows(service, SILENCED_CARD)}
    assert causes == {"what-to-expect": "silent-client", "confounders": "max-cards"}


def test_calls_are_counted_by_mode_with_the_outcome_they_would_have_had(service: RegisteredService) -> None:
    for client in ("listening", "showing"):
        send(service, client, puncture())
        send(service, client, hook_call(order({"text": "Chest X-ray"}), hookInstance=str(uuid4())))
    service.app.extensions["housekeeping"].run_once()
    counted = {(row["client"], row["mode"], row["outcome"]): row["calls"] for row in rows(service, SERVICE_CALL_COUNT)}
    assert counted == {
        ("listening", "silent", "cards"): 1,
        ("listening", "silent", "silent"): 1,
        ("showing", "visible", "cards"): 1,
        ("showing", "visible", "silent"): 1,
    }
    assert {row["service"] for row in rows(service, SERVICE_CALL_COUNT)} == {"lumbar-puncture-back-pain"}


def test_feedback_about_what_nobody_saw_is_foreign_and_begins_no_quiet_period(service: RegisteredService) -> None:
    send(service, "limited", puncture())
    (unseen,) = (row["card_uuid"] for row in rows(service, SILENCED_CARD) if row["cause"] == "silent-client")
    overridden = {"card": unseen, "outcome": "overridden", "outcomeTimestamp": service.now.isoformat()}
    answer = send(service, "limited", {"feedback": [overridden | {"overrideReason": FOREVER}]}, FEEDBACK_PATH)
    assert (answer.status_code, answer.get_json()["unknownCards"]) == (200, 1)
    assert [row["foreign_card"] for row in rows(service, FEEDBACK)] == [True]
    assert rows(service, CARD_PATIENT) == rows(service, QUIET_CARD) == []


def test_the_log_says_the_mode_and_the_cards_that_were_not_shown(service: RegisteredService) -> None:
    events = []
    for client in ("listening", "showing", "unknown"):
        send(service, client, puncture())
        events += service.log
    silent, visible, refused = events
    assert (silent["cds_hooks.mode"], silent["cds_hooks.outcome"]) == ("silent", "cards")
    assert {silent[f"cds_hooks.silenced.{key}"] for key in BOTH} == {"silent-client"}
    assert "cds_hooks.cards" not in silent
    assert (visible["cds_hooks.mode"], sorted(visible["cds_hooks.cards"])) == ("visible", BOTH)
    assert "cds_hooks.mode" not in refused


def test_metrics_count_it_apart(service: RegisteredService) -> None:
    client, headers = service.app.test_client(), {"Authorization": f"Bearer {METRICS_WORD}"}
    before = scrape(client, headers=headers)
    send(service, "listening", puncture())
    added = risen(before, scrape(client, headers=headers))
    ours = 'service="lumbar-puncture-back-pain"'
    assert added[f'cds_hooks_calls_total{{code="200",hook="order-sign",mode="silent",outcome="cards",{ours}}}'] == 1
    assert added['cds_hooks_client_calls_total{client="listening",mode="silent"}'] == 1
    for key in BOTH:
        series = f'cds_hooks_cards_total{{card="{key}",indicator="info",result="silent-client",{ours}}}'
        assert added[series] == 1
    assert not [name for name in added if 'mode="visible"' in name or 'result="shown"' in name]


def test_a_restart_with_another_mode_changes_it_and_both_are_on_record(tmp_path: Path, empty_ledger: Path) -> None:
    answered = []
    for day, mode in enumerate(("silent", "visible")):
        service = start(tmp_path, empty_ledger, client_entry("listening", **KEYS, mode=mode))
        service.advance(day * 86_400)
        answered.append(len(send(service, "listening", puncture()).get_json()["cards"]))
        service.app.extensions["housekeeping"].run_once()
        counted = [(row["day"], row["mode"]) for row in rows(service, SERVICE_CALL_COUNT)]
        service.close()
    assert answered == [0, 2]
    assert counted == [("2026-11-22", "silent"), ("2026-11-23", "visible")]
