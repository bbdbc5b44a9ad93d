"""The evidence of a card: every sentence with its sources, the source attributes, and no working notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cards.topic import Topic
from tests.charts import cards_of, condition, hook_call, prefetch

SERVICE_ID = "lumbar-puncture-back-pain"
CARDS = ("what-to-expect", "confounders", "pain-after-puncture", "nerve-symptoms", "red-flags")
JSON = {"Accept": "application/json"}


def address(card: str) -> str:
    return f"/evidence/{SERVICE_ID}/{card}"


def data(client: FlaskClient, card: str) -> dict[str, Any]:
    response = client.get(address(card), headers=JSON)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    return response.get_json()


def test_these_are_all_cards(topic: Topic) -> None:
    assert set(CARDS) == set(topic.service.cards)


@pytest.mark.parametrize("card", CARDS)
def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(client: FlaskClient, card: str) -> None:
    response = client.get(address(card))
    html = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert "Set-Cookie" not in response.headers
    assert "<script" not in html
    assert "{" not in html


@pytest.mark.parametrize("card", CARDS)
def test_every_sentence_of_a_card_stands_with_its_full_citations(client: FlaskClient, topic: Topic, card: str) -> None:
    page = data(client, card)
    html = client.get(address(card)).get_data(as_text=True)
    citations = {entry["key"]: entry["citation"] for entry in page["evidence"]}
    assert page["statements"]
    cited = {key for name in topic.service.texts_of(card) for key in topic.texts[name].cited}
    assert cited <= set(citations)
    for statement in page["statements"]:
        assert statement["evidence"]
        assert set(statement["evidence"]) <= set(citations)
    for key, citation in citations.items():
        assert citation == topic.service.evidence[key].citation
        assert citation.split(".")[0].replace("'", "&#39;") in html


def test_every_sentence_of_a_real_card_is_on_its_page(client: FlaskClient) -> None:
    cards = cards_of(client, hook_call(prefetch=prefetch(condition())))
    for key, card in cards.items():
        statements = " ".join(statement["text"] for statement in data(client, key)["statements"])
        actions = card["detail"].split("\n\n")[0].replace("\n- ", " ").removeprefix("- ")
        for sentence in actions.split(". "):
            assert sentence.rstrip(".") in statements


@pytest.mark.parametrize("card", CARDS)
def test_the_thirteen_source_attributes_in_the_order_of_the_regulation(client: FlaskClient, card: str) -> None:
    """45 CFR 170.315(b)(11)(iv)(A)(1) to (13)."""
    page = data(client, card)
    attributes = page["sourceAttributes"]
    assert [attribute["id"] for attribute in attributes] == [
        *("bibliographic-citation", "developer", "funding", "dates", "race", "ethnicity", "language"),
        *("sexual-orientation", "gender-identity", "sex", "date-of-birth", "social-determinants-of-health"),
        "health-status-assessments",
    ]
    assert all(set(attribute) == {"id", "name", "value"} and attribute["value"] for attribute in attributes)
    values = {attribute["id"]: attribute["value"] for attribute in attributes}
    assert all(entry["citation"] in values["bibliographic-citation"] for entry in page["evidence"])
    assert "under 18 years" in values["date-of-birth"]
    assert all(values[name] == "Not used." for name in ("race", "ethnicity", "sex", "gender-identity"))


@pytest.mark.parametrize("card", CARDS)
def test_the_decision_is_told_with_the_numbers_of_the_content(client: FlaskClient, topic: Topic, card: str) -> None:
    decision = data(client, card)["decision"]
    assert "{" not in decision
    if card == "pain-after-puncture":
        assert f"Up to {topic.service.after_puncture.expected_days} days" in decision  # type: ignore[attr-defined]


@pytest.mark.parametrize("card", CARDS)
def test_working_notes_are_shown_nowhere(client: FlaskClient, topic: Topic, card: str) -> None:
    notes = [source.working_notes for source in topic.service.evidence.values()]
    answers = [client.get(address(card)), client.get(address(card), headers=JSON), client.get("/openapi.json")]
    answers += [client.get(f"/education/{page}") for page in topic.patient_pages]
    answers += [client.get("/cds-services"), client.get(f"/fhir/CodeSystem/{SERVICE_ID}.override-reasons")]
    for answer in answers:
        text = answer.get_data(as_text=True)
        assert answer.status_code == 200
        assert [note for note in notes if note in text] == []
        assert "workingnotes" not in text.lower().replace("-", "").replace("_", "").replace(" ", "")


def test_every_card_links_to_its_evidence_last(client: FlaskClient) -> None:
    cards = cards_of(client, hook_call(prefetch=prefetch(condition())))
    assert len(cards) == 2
    for key, card in cards.items():
        link = card["links"][-1]
        assert link["url"].endswith(address(key))
        assert link["type"] == "absolute"
        assert client.get(link["url"]).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"/evidence/{SERVICE_ID}/unheard-of", id="a card that is not there"),
        pytest.param("/evidence/unheard-of/red-flags", id="a service that is not there"),
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        pytest.param(None, "text/html", id="a client that does not say"),
        pytest.param("*/*", "text/html", id="a client that takes anything"),
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", "text/html", id="a browser"),
        pytest.param("application/json", "application/json", id="a program"),
        pytest.param("text/html;q=0.5,application/json", "application/json", id="a program that prefers JSON"),
    ],
)
def test_html_or_json_by_what_is_accepted(client: FlaskClient, accept: str | None, mimetype: str) -> None:
    response = client.get(address("red-flags"), headers={"Accept": accept} if accept else {})
    assert response.mimetype == mimetype
    assert "Accept" in response.headers["Vary"]


def test_a_page_is_not_sent_again_to_who_has_it(client: FlaskClient) -> None:
    etag = client.get(address("red-flags")).headers["ETag"]
    assert client.get(address("red-flags"), headers={"If-None-Match": etag}).status_code == 304
    assert client.get(address("red-flags"), headers={"If-None-Match": etag} | JSON).status_code == 200


def test_the_page_of_a_card_that_is_turned_off_says_so(make_app: Callable[..., Flask]) -> None:
    client = make_app(cards_off=("confounders",)).test_client()
    assert "turned off at this site" in client.get(address("confounders")).get_data(as_text=True)
    assert "turned off at this site" not in client.get(address("red-flags")).get_data(as_text=True)
    assert data(client, "confounders")["switchedOff"] is True
