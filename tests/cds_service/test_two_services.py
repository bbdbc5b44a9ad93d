"""Two topics, two services, one application: the second one is a plug-in that lives in tests/second_topic alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs

from cds_service.cds_hooks.explain import explain
from cds_service.errors import NotReady
from cds_service.served_content import served_topics
from cds_service.settings.settings import Settings, read_settings
from cds_service.storage.schema import FEEDBACK, ISSUED_CARD
from tests.charts import HOOK_INSTANCE, PATIENT, SERVICE, SNOMED, hook_call, order, patient, searchset
from tests.conftest import NOW
from tests.exposition import scrape
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.golden_answers import Golden
from tests.test_recorded_calls import CALLS, replay, serve_lab_patients

FIRST, SECOND = "lumbar-puncture-back-pain", "colonoscopy-preparation"
ADDRESS = f"/cds-services/{SECOND}"
COLONOSCOPY = {"coding": [{"system": SNOMED, "code": "73761001", "display": "Colonoscopy"}]}
ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "id": "allergy-1",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]
    },
    "code": {
        "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z91.040", "display": "Latex allergy"}]
    },
    "patient": {"reference": f"Patient/{PATIENT}"},
}
CALL = hook_call(order(COLONOSCOPY), prefetch={"patient": patient(), "allergies": searchset(ALLERGY)})


@pytest.fixture
def both(second_topic_installed: Path, make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def caller(both: Flask) -> FlaskClient:
    return both.test_client()


def keys(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [card["extension"][FIRST]["card"] for card in answer.get_json()["cards"]]


def test_discovery_lists_both_services_once_for_each_hook(caller: FlaskClient) -> None:
    entries = caller.get("/cds-services").get_json()["services"]
    assert [(one["id"], one["hook"]) for one in entries] == [
        (FIRST, "order-sign"),
        (FIRST, "order-select"),
        (SECOND, "order-sign"),
    ]
    assert set(entries[2]["prefetch"]) == {"patient", "allergies"}
    assert entries[0]["extension"] != entries[2]["extension"]  # each has the version of its own content


def test_each_service_speaks_of_its_own_orders(caller: FlaskClient) -> None:
    punctured = hook_call()
    assert keys(caller.post(SERVICE, json=punctured)) == ["what-to-expect"]
    assert keys(caller.post(ADDRESS, json=punctured)) == []
    assert keys(caller.post(ADDRESS, json=CALL)) == ["latex-allergy", "preparation"]
    assert keys(caller.post(SERVICE, json=CALL)) == []


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CALLS if "order-" in path.stem])
def test_the_first_service_answers_as_if_it_were_alone(
    path: Path, caller: FlaskClient, fhir_server: FakeFhirServer, golden: Golden
) -> None:
    serve_lab_patients(fhir_server)
    golden.check(path.stem, replay(caller, json.loads(path.read_text("utf-8"))))


def test_a_section_that_was_not_sent_is_fetched_with_the_template_of_the_service(
    caller: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    search = f"AllergyIntolerance?patient={PATIENT}&_count=500"
    fhir_server.answers[search] = searchset(ALLERGY)
    call = hook_call(order(COLONOSCOPY), fhirServer=BASE, prefetch={"patient": patient()})
    assert keys(caller.post(ADDRESS, json=call)) == ["latex-allergy", "preparation"]
    assert fhir_server.asked == [search]


def test_a_hook_that_only_the_other_service_has_is_refused(caller: FlaskClient) -> None:
    context = CALL["context"] | {"selections": ["ServiceRequest/order-1"]}
    answer = caller.post(ADDRESS, json=CALL | {"hook": "order-select", "context": context})
    (issue,) = answer.get_json()["issue"]
    assert (answer.status_code, issue["diagnostics"]) == (400, "hook: this service has order-sign")


def test_an_unknown_id_is_told_which_services_there_are(caller: FlaskClient) -> None:
    (issue,) = caller.post("/cds-services/unknown", json=CALL).get_json()["issue"]
    assert issue["diagnostics"] == f"no service has this id; this server has {FIRST}, {SECOND}"


def test_feedback_is_stored_for_the_service_whose_card_it_is_about(both: Flask) -> None:
    caller = both.test_client()
    cards = caller.post(ADDRESS, json=CALL).get_json()["cards"]
    entry = {
        "card": cards[0]["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T10:00:00Z",
        "overrideReason": {"reason": cards[0]["overrideReasons"][0]},
    }
    told = caller.post(f"{ADDRESS}/feedback", json={"feedback": [entry]}).get_json()
    assert told == {"stored": 1, "repeated": 0, "unknownCards": 0}
    elsewhere = caller.post(f"{SERVICE}/feedback", json={"feedback": [entry | {"outcome": "overridden"}]}).get_json()
    assert elsewhere["unknownCards"] == 1
    both.extensions["writer"].flush()
    with both.extensions["database"].read() as connection:
        rows = connection.execute(select(ISSUED_CARD.c.service, ISSUED_CARD.c.card_key)).all()
        foreign = connection.execute(select(FEEDBACK.c.foreign_reason)).scalars().all()
    assert sorted(map(tuple, rows)) == [(SECOND, "latex-allergy"), (SECOND, "preparation")]
    assert foreign == [False]


def test_ids_of_cards_differ_between_services(caller: FlaskClient) -> None:
    first = caller.post(SERVICE, json=hook_call()).get_json()["cards"]
    second = caller.post(ADDRESS, json=CALL).get_json()["cards"]
    assert CALL["hookInstance"] == HOOK_INSTANCE
    assert not {card["uuid"] for card in first} & {card["uuid"] for card in second}


def test_each_call_is_logged_with_its_service_and_counted_for_it(caller: FlaskClient) -> None:
    before = scrape(caller)
    with capture_logs() as events:
        caller.post(ADDRESS, json=CALL)
        caller.post(SERVICE, json=hook_call())
    assert [event["cds_hooks.service"] for event in events] == [SECOND, FIRST]
    assert [event["cds_hooks.resources.read.AllergyIntolerance"] for event in events[:1]] == [1]
    after = scrape(caller)
    for series in (
        f'cds_hooks_calls_total{{code="200",hook="order-sign",mode="visible",outcome="cards",service="{SECOND}"}}',
        f'cds_hooks_calls_total{{code="200",hook="order-sign",mode="visible",outcome="cards",service="{FIRST}"}}',
        f'cds_hooks_cards_total{{card="latex-allergy",indicator="warning",result="shown",service="{SECOND}"}}',
        'cds_hooks_resources_read_total{type="AllergyIntolerance"}',
    ):
        assert after[series] - before[series] == 1, series
    versions = [series for series in after if series.startswith("cds_hooks_content_info")]
    assert [SECOND in series for series in sorted(versions)] == [True, False]


def test_its_patient_page_is_served_beside_the_others(caller: FlaskClient) -> None:
    cards = caller.post(ADDRESS, json=CALL).get_json()["cards"]
    link, _ = cards[1]["links"]
    page = caller.get(link["url"].removeprefix("http://127.0.0.1:8080"))
    assert (page.status_code, "olonoscopy" in page.get_data(as_text=True)) == (200, True)
    assert caller.get("/education/lumbar-puncture").status_code == 200


def test_the_openapi_document_describes_both(caller: FlaskClient) -> None:
    document = caller.get("/openapi.json").get_json()
    assert document["components"]["parameters"]["ServiceId"]["schema"]["enum"] == [FIRST, SECOND]
    text = json.dumps(document)
    for word in (SECOND, "latex-allergy", "AllergyIntolerance?patient=", "Colonoscopy"):
        assert word in text
    assert "«" not in text


def test_a_call_is_explained_by_the_topic_of_its_service(second_topic_installed: Path) -> None:
    topics = served_topics(Settings())
    body = json.dumps(CALL).encode()
    today = NOW.date()
    assert "latex-allergy" in explain(body, topics[SECOND], today)
    assert "no order is ours" in explain(body, topics[FIRST], today)


@pytest.mark.parametrize(
    ("names", "services"),
    [
        pytest.param("colonoscopy", [SECOND], id="the second alone"),
        pytest.param("colonoscopy, lumbar_puncture", [SECOND, FIRST], id="both, in this order"),
    ],
)
def test_the_setting_says_which_topics_are_served(
    names: str, services: list[str], second_topic_installed: Path, make_app: Callable[..., Flask]
) -> None:
    topics = read_settings({"CDS_TOPICS": names}).topics
    caller = make_app(topics=topics).test_client()
    entries = caller.get("/cds-services").get_json()["services"]
    assert list(dict.fromkeys(one["id"] for one in entries)) == services
    assert caller.post(ADDRESS, json=CALL).status_code == 200
    assert caller.get("/").status_code == 200


def test_a_topic_that_is_not_installed_refuses_the_start_with_those_that_are(second_topic_installed: Path) -> None:
    with pytest.raises(NotReady) as refused:
        read_settings({"CDS_TOPICS": "lumbar_puncture,appendix"})
    (reason,) = refused.value.reasons
    assert reason.startswith("CDS_TOPICS must be names of installed topics, separated by commas: ")
    assert "lumbar_puncture, colonoscopy" in reason
