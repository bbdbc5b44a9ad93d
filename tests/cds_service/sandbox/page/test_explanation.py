"""Why / why not, on the page: the same as `cds-service explain` says, as HTML in which nothing of the chart can act."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.sandbox.fhir_server.stories import Story
from tests.cds_service.sandbox.own_server import STORIES, call_of
from tests.charts import CARDS, cards_of, condition, hook_call, prefetch
from tests.html_page import Page


def explained(reader: FlaskClient, call: Any) -> Any:
    response = reader.post("/sandbox/explanation", json=call)
    assert response.status_code == 200
    return response.get_json()


@pytest.mark.parametrize("story", [pytest.param(story, id=story.id) for story in STORIES])
def test_every_card_is_accounted_for(reader: FlaskClient, story: Story) -> None:
    call = call_of(reader, story)
    answer = explained(reader, call)
    cards = cards_of(reader, call)
    verdicts = {one["card"]: one for one in answer["verdicts"]}
    assert set(verdicts) == set(CARDS)
    assert {key for key, one in verdicts.items() if one["fires"]} == set(cards)
    for key, one in verdicts.items():
        assert one["words"] == cards[key]["summary"] if key in cards else "does not fire" not in one["words"]
    for heading in ("Hook", "Orders", "Chart", "Decision", "Strict reading"):
        assert f"<summary>{heading}" in answer["html"]


def test_nothing_of_a_chart_is_markup(reader: FlaskClient) -> None:
    text = "Spinal stenosis <img src=x onerror=alert(1)>"
    page = Page(explained(reader, hook_call(prefetch=prefetch(condition({"text": text}))))["html"])
    assert page.names() <= {"details", "summary", "p", "dl", "dt", "dd", "span"}
    assert text in page.words


def test_what_the_service_would_refuse_is_refused(reader: FlaskClient) -> None:
    response = reader.post("/sandbox/explanation", json=hook_call(hook="patient-view"))
    assert (response.status_code, response.get_json()["resourceType"]) == (400, "OperationOutcome")
