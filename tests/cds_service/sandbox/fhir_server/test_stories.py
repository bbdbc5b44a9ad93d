"""Every story gets the cards that a person has read, by every way the chart can reach the service, on every day."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from cds_service.sandbox.fhir_server.endpoints import ACCESS_TOKEN
from cds_service.sandbox.fhir_server.stories import PATIENTS, Story
from tests.cds_service.sandbox.conftest import TOLD_ON, Embedded
from tests.cds_service.sandbox.own_server import STORIES, base_of, call_of, draft
from tests.charts import Json, cards_of, post
from tests.golden_answers import Golden

EVERY_STORY = [pytest.param(story, id=story.id) for story in STORIES]
AFTER_MRI = next(one for one in STORIES if one.id == "lab-lp5mo")
LEAP_DAY = 464  # days after the stories: 2028-02-29
DAYS = (-200, 1, 10, 16, 39, 100, 183, 365, LEAP_DAY, LEAP_DAY + 1, 1461, 3333)


@pytest.mark.parametrize("story", EVERY_STORY)
def test_a_story_gets_the_cards_a_person_has_read(reader: FlaskClient, story: Story, golden: Golden) -> None:
    call = call_of(reader, story)
    golden.check(f"sandbox-{story.id}", post(reader, call))
    assert list(cards_of(reader, call)) == story.expected


def told(cards: dict[str, Json]) -> dict[str, Json]:
    """Cards without their ids, which are the call's."""
    return {key: {name: value for name, value in card.items() if name != "uuid"} for key, card in cards.items()}


@pytest.mark.parametrize("mode", ["none", "no-conditions", "no-procedures", "first-page"])
@pytest.mark.parametrize("story", EVERY_STORY)
def test_a_story_gets_the_same_cards_however_its_chart_is_sent(embedded: Embedded, story: Story, mode: str) -> None:
    """R-2.83, R-2.85: what prefetch lacks is read from the embedded server, page by page."""
    client = embedded.client
    whole, partial = call_of(client, story), call_of(client, story, mode)
    assert whole["prefetch"] != partial.get("prefetch")
    expected = told(cards_of(client, whole))
    assert not embedded.server.requests  # a complete prefetch leaves nothing to read
    assert told(cards_of(client, partial)) == expected
    assert embedded.server.requests


@pytest.mark.slow  # nine stories, each on many days: 2 s each
@pytest.mark.parametrize("story", EVERY_STORY)
def test_a_story_is_as_true_on_any_other_day(embedded: Embedded, story: Story) -> None:
    """The same cards with the same urgency: months and years move in steps, and must not carry a story over a limit."""
    client = embedded.client
    first = {key: outline(card) for key, card in cards_of(client, call_of(client, story)).items()}
    for days in DAYS:
        embedded.now = TOLD_ON + timedelta(days=days)
        cards = cards_of(client, call_of(client, story))
        assert {key: outline(card) for key, card in cards.items()} == first, f"{days} days later"


def outline(card: Json) -> tuple[str, str | None, list[str]]:
    """Urgency, class, and which entries of the chart a card rests on."""
    extension = card["extension"]["lumbar-puncture-back-pain"]
    return card["indicator"], extension.get("class"), sorted(one["resource"] for one in extension.get("provenance", []))


@pytest.mark.parametrize("behavior", ["failing", "locked"])
def test_a_work_up_whose_procedures_nobody_gives_is_412(reader: FlaskClient, behavior: str) -> None:
    call = call_of(reader, AFTER_MRI, "none", f"{base_of(AFTER_MRI)}-{behavior}")
    assert post(reader, call).status_code == 412


def test_the_token_that_the_call_brings_opens_the_locked_server(reader: FlaskClient) -> None:
    call = call_of(reader, AFTER_MRI, "none", f"{base_of(AFTER_MRI)}-locked")
    authorization = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 300}
    assert list(cards_of(reader, call | {"fhirAuthorization": authorization})) == AFTER_MRI.expected


def test_errors_in_place_of_data_are_not_asked_for_again(embedded: Embedded) -> None:
    """R-2.84."""
    call = call_of(embedded.client, AFTER_MRI, "failed")
    assert post(embedded.client, call).status_code == 412
    assert not embedded.server.requests


def test_a_suggestion_in_stu3_is_in_stu3(reader: FlaskClient) -> None:
    story = next(one for one in STORIES if one.fhir_version == "STU3")
    (card,) = cards_of(reader, call_of(reader, story)).values()
    created = [action["resource"] for one in card["suggestions"] for action in one["actions"]]
    assert {resource["resourceType"] for resource in created} == {draft(story)["resourceType"]} == {"ReferralRequest"}


def test_every_file_has_its_story() -> None:
    files = {path.stem for path in PATIENTS.glob("*.json")}
    assert files == {story.id for story in STORIES if story.long_chart is None}
