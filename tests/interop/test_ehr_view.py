"""Every card as the CDS Hooks Sandbox shows it: details open, in a column of 620 pixels (docs/interop.md).

The cards are those that all scenarios of tests/scenarios get; `--screenshots` keeps a picture of the tallest of each
kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from cards.topic import Topic
from cds_service.sandbox.fhir_server.stories import Story, load_stories
from tests.charts import SERVICE
from tests.interop.conftest import PageService
from tests.interop.watched_page import PHONE, WatchedPage
from tests.scenarios.casebook import FOLDER, load, noon
from tests.scenarios.hook_calls import call_of

Look = Callable[..., AbstractContextManager[WatchedPage]]
Json = dict[str, Any]
STORIES = load_stories().patients
WINDOW = (1400, 900)  # as the cards were first looked at in that client
COLUMN_PX = 620
MOST_PX = 560  # of a card, so that it is on one screen
MOST_PX_OF_ACTIONS = 230  # from the top of a card to the end of what to do
MOST_DETAILS = 50  # that the page's own endpoint renders at once
MEASURE = """async cards => {
    await (await import('/sandbox/static/ehr_view.js')).showCards(cards);
    return [...document.querySelectorAll('article')].map((card) => {
        const actions = card.querySelector('.detail > ul, .detail > p');
        return {
            height: card.offsetHeight,
            width: card.offsetWidth,
            overflows: [card, ...card.querySelectorAll('*')].some((one) => one.scrollWidth > one.offsetWidth + 1
                && getComputedStyle(one).display !== 'inline'),
            actions: actions.getBoundingClientRect().bottom - card.getBoundingClientRect().top,
        };
    });
}"""


@pytest.fixture
def every_card(make_app: Callable[..., Flask]) -> list[Json]:
    """Each card that the scenarios get, once, the most urgent first as the page sorts them."""
    cards: dict[str, Json] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        today, scenarios = load(path)
        client = make_app(clock=lambda day=today: noon(day)).test_client()
        for scenario in scenarios:
            answer = client.post(SERVICE, json=call_of(scenario, today)).get_json()
            cards |= {card["summary"] + card["detail"]: card for card in answer.get("cards", [])}
    urgencies = ("critical", "warning", "info")
    return sorted(cards.values(), key=lambda card: urgencies.index(card["indicator"]))


def kind_of(card: Json) -> str:
    """Which card it is, and of which class."""
    (extension,) = card["extension"].values()
    return "-".join(filter(None, (extension["card"], extension.get("class"), card["indicator"])))


def measured(page: Page, cards: list[Json]) -> Iterator[tuple[Json, Json]]:
    for start in range(0, len(cards), MOST_DETAILS):
        batch = cards[start : start + MOST_DETAILS]
        yield from zip(batch, page.evaluate(MEASURE, batch), strict=True)


def open_view(watched: WatchedPage, service: PageService, story: Story) -> Page:
    page = watched.open(f"{service.address}/sandbox/ehr-view/{story.id}")
    expect(page.locator("#status")).to_contain_text("The service answered with", timeout=60_000)
    return page


def test_every_card_of_every_scenario_fits_its_column_and_a_screen(
    every_card: list[Json], topic: Topic, look: Look, page_service: PageService, notes: list[str]
) -> None:
    with look(size=WINDOW) as watched:
        page = watched.open(f"{page_service.address}/sandbox/ehr-view/{STORIES[0].id}")
        expect(page.locator("article").first).to_be_visible()
        tallest: dict[str, tuple[Json, Json]] = {}
        for card, size in measured(page, every_card):
            words = f"{card['summary']}: {size}"
            assert size["width"] == COLUMN_PX, words
            assert not size["overflows"], words
            assert size["height"] <= MOST_PX, words
            assert size["actions"] <= MOST_PX_OF_ACTIONS, words
            if size["height"] > tallest.get(kind_of(card), (None, {"height": 0}))[1]["height"]:
                tallest[kind_of(card)] = card, size
        assert {next(iter(card["extension"].values()))["card"] for card, _ in tallest.values()} == {
            *topic.service.cards
        }
        for kind, (card, size) in tallest.items():
            page.evaluate(MEASURE, [card])
            page.locator("article").screenshot(path=watched.folder / f"ehr-view-{kind}.png")
            notes.append(f"{kind}: at most {size['height']} px high, its actions end by {round(size['actions'])} px")


@pytest.mark.parametrize("story", [pytest.param(one, id=one.id) for one in STORIES])
def test_a_story_is_shown_with_its_cards_open(story: Story, look: Look, page_service: PageService) -> None:
    with look(size=WINDOW) as watched:
        page = open_view(watched, page_service, story)
        shown = page.locator("article")
        assert [one.get_attribute("data-card") for one in shown.all()] == story.expected
        assert page.locator("details").count() == 0
        for one in shown.all():
            assert one.locator(".detail").is_visible()
            assert (
                one.locator(".dismissal option").count() >= 4
            )  # the line that asks for one, and three to five reasons
        watched.picture(f"ehr-view-{story.id}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_view_fits_a_phone_and_is_accessible(dark: bool, look: Look, page_service: PageService) -> None:
    with look(size=PHONE, dark=dark) as watched:
        page = open_view(watched, page_service, STORIES[0])
        assert not watched.is_wider_than_its_window()
        assert watched.scan() == []
        watched.picture(f"ehr-view-phone-{'dark' if dark else 'light'}")
        page.get_by_role("link", name="Back to the sandbox").click()
        expect(page.locator("#cards article.card")).to_have_count(len(STORIES[0].expected))


def test_a_story_that_is_not_there_is_said(look: Look, page_service: PageService) -> None:
    with look(expected=r"status of 404") as watched:
        page = watched.open(f"{page_service.address}/sandbox/ehr-view/lab-stenosi")
        expect(page.get_by_role("alert")).to_contain_text("did you mean lab-stenosis")
        assert page.locator("nav li").count() == len(STORIES)
