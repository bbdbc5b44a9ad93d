"""The sandbox page in Chromium: its journeys, by mouse, by keyboard and on a phone, with a picture of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from cds_service.sandbox.fhir_server.stories import Story, load_stories
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from cds_service.storage.schema import ACCEPTED_SUGGESTION, FEEDBACK
from tests.interop.conftest import PageService
from tests.interop.fhir_client import FhirClient, fixture_entries
from tests.interop.watched_page import PHONE, WatchedPage

Look = Callable[..., AbstractContextManager[WatchedPage]]
STORIES = load_stories().patients
REFUSED = r"status of 412"  # the browser's own line about an answer that is no success
LONGEST_MS = 60_000
COVERED = """() => [...document.querySelectorAll('a, button, select, input, summary')]
    .filter((one) => one.checkVisibility() && !one.closest('.skip'))
    .filter((one) => {
        one.scrollIntoView({block: 'nearest', behavior: 'instant'});
        const {x, y, width, height} = one.getBoundingClientRect();
        const top = document.elementFromPoint(x + width / 2, y + height / 2);
        return !(top && (one === top || one.contains(top) || top.contains(one)));
    })
    .map((one) => one.id || one.textContent)"""  # what cannot be clicked in its middle, once it is scrolled to


def cards(page: Page) -> list[str | None]:
    return [one.get_attribute("data-card") for one in page.locator("#cards article.card").all()]


def fire(page: Page, hook: str = "order-sign") -> None:
    """Fire a hook, and wait until the page has said what came of it and why."""
    page.locator(f"#fire-{hook}").click()
    rest(page)


def rest(page: Page) -> None:
    """Wait until an answer is there, with its explanation."""
    expect(page.locator("#status")).to_have_text(re.compile("card|answered"), timeout=LONGEST_MS)
    expect(page.locator("#cards")).not_to_have_attribute("aria-busy", "true", timeout=LONGEST_MS)
    expect(page.locator("#why-note")).not_to_have_text(re.compile("^Working out"), timeout=LONGEST_MS)


def choose(page: Page, patient_id: str) -> None:
    """Choose a patient by the label, as a mouse does, and wait for the chart."""
    page.locator(f"label:has(#patient-{patient_id})").click()
    expect(page.locator("#banner-facts")).to_contain_text(patient_id)


def feedback_on(service: PageService, page: Page, card: str) -> list[tuple[Any, ...]]:
    """What is stored about a card that the page shows: outcome, reason, and the suggestion that was taken."""
    uuid = page.locator(f"article[data-card={card}]").get_attribute("data-uuid")
    database = Database(parse_database_url(service.database_url), pool_size=1)
    try:
        with database.read() as connection:
            taken = ACCEPTED_SUGGESTION.c.suggestion_uuid
            query = select(FEEDBACK.c.outcome, FEEDBACK.c.reason_code, taken).outerjoin_from(
                FEEDBACK, ACCEPTED_SUGGESTION
            )
            return [tuple(row) for row in connection.execute(query.where(FEEDBACK.c.card_uuid == uuid))]
    finally:
        database.close()


@pytest.mark.parametrize("story", [pytest.param(one, id=one.id) for one in STORIES])
def test_story_is_chosen_fired_and_gets_its_cards(story: Story, look: Look, page_service: PageService) -> None:
    with look() as watched:
        page = watched.open(page_service.address)
        choose(page, story.id)
        expect(page.locator("#timeline")).not_to_be_empty()
        fire(page, story.hook)
        assert cards(page) == story.expected
        watched.picture(f"story-{story.id}")


def test_suggestion_that_is_taken_is_in_the_draft_and_its_feedback_is_stored(
    look: Look, page_service: PageService
) -> None:
    with look() as watched:
        page = watched.open(page_service.address)
        choose(page, "lab-lp5mo")
        before = page.locator("#drafts > li").count()
        fire(page)
        button = page.locator("article[data-card=pain-after-puncture] .suggestions button").first
        suggestion = button.get_attribute("data-suggestion")
        button.click()
        expect(page.locator("#status")).to_contain_text("feedback was stored")
        expect(page.locator("#drafts > li")).to_have_count(before + 1)
        assert feedback_on(page_service, page, "pain-after-puncture") == [("accepted", None, suggestion)]
        page.locator("#tab-feedback").click()
        watched.picture("suggestion-taken")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#drafts > li")).to_have_count(before)
        expect(button).to_be_focused()
        expect(button).to_be_enabled()


def test_card_that_is_dismissed_with_a_reason_is_folded_and_its_feedback_is_stored(
    look: Look, page_service: PageService
) -> None:
    with look() as watched:
        page = watched.open(f"{page_service.address}/?patient=lab-stenosis")
        fire(page)
        card = page.locator("article[data-card=confounders]")
        card.locator("details.dismissal > summary").click()
        card.locator("details.dismissal label").first.click()
        watched.picture("card-about-to-be-dismissed")
        card.locator("button[type=submit]").click()
        expect(page.locator("#status")).to_contain_text("feedback was stored")
        expect(card.locator(".dismissed-words")).to_be_focused()
        ((outcome, reason, _),) = feedback_on(page_service, page, "confounders")
        assert (outcome, bool(reason)) == ("overridden", True)
        watched.picture("card-dismissed")
        card.get_by_role("button", name="Undo").click()
        expect(card.locator("details.detail")).to_be_visible()
        expect(card.locator("details.dismissal > summary")).to_be_focused()


# What the FHIR server does, what is ordered, the cards, and words that stand on the page.
SERVERS = [
    pytest.param("normal", "lp-snomed", ["what-to-expect", "confounders"], "", id="the FHIR server answers"),
    pytest.param("locked", "lp-snomed", ["what-to-expect", "confounders"], "", id="it wants the token that is sent"),
    pytest.param("slow", "lp-snomed", ["what-to-expect"], "Problem list not available", id="it is too slow"),
    pytest.param("failing", "lp-snomed", ["what-to-expect"], "Problem list not available", id="it fails"),
    pytest.param(
        "locked-out",
        "lp-snomed",
        ["what-to-expect"],
        "Problem list not available",
        id="it wants a token that is not sent",
    ),
    pytest.param("none", "lp-snomed", ["what-to-expect"], "Problem list not available", id="there is none"),
    pytest.param("failing", "mri-lumbar", [], "The service answered 412", id="it fails, and a work-up is ordered"),
]


@pytest.mark.parametrize(("server", "ordered", "expected", "words"), SERVERS)
def test_call_without_prefetch(
    server: str, ordered: str, expected: list[str], words: str, look: Look, page_service: PageService
) -> None:
    with look(expected=REFUSED) as watched:
        page = watched.open(page_service.address)
        page.locator("#order").select_option(ordered)
        page.locator("#prefetch").select_option("none")
        page.locator("#server").select_option(server)
        fire(page)
        assert cards(page) == expected
        watched.unfold()
        expect(page.locator("#cards")).to_contain_text(words)
        watched.picture(f"no-prefetch-{server}-{ordered}")


@pytest.mark.parametrize("mode", ["first-page", "no-conditions", "no-procedures"])
def test_partial_prefetch_gives_the_cards_of_complete_prefetch(
    mode: str, look: Look, page_service: PageService
) -> None:
    with look() as watched:
        page = watched.open(f"{page_service.address}/?patient=thousand-conditions&prefetch={mode}&fire=order-sign")
        rest(page)
        partial = page.locator("#cards").inner_text()
        page.locator("#prefetch").select_option("complete")
        fire(page)
        assert page.locator("#cards").inner_text() == partial


def test_address_of_the_page_gives_the_same_state_to_somebody_else(look: Look, page_service: PageService) -> None:
    with look() as watched:
        page = watched.open(page_service.address)
        choose(page, "lab-redflag")
        page.locator("#priority").select_option("urgent")
        page.locator("#reason").select_option(index=1)
        page.locator("#prefetch").select_option("first-page")
        fire(page, "order-select")
        shown, form = page.locator("#cards").inner_text(), form_of(page)
        address = page.url
    with look() as watched:
        page = watched.open(address)
        rest(page)
        assert (page.locator("#cards").inner_text(), form_of(page), page.url) == (shown, form, address)
        watched.picture("from-a-link")


def form_of(page: Page) -> Any:
    """The form as it would be submitted."""
    return page.evaluate("[...new FormData(document.getElementById('compose-form'))]")


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until an element that matches has the focus, which then has to show."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            parent = page.evaluate("getComputedStyle(document.activeElement.parentElement).outlineStyle")
            assert (outline, parent) != ("none", "none"), f"nobody sees that {selector} has the focus"
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_journey_by_keyboard_alone(look: Look, page_service: PageService) -> None:
    """From the top of the page to a dismissed card, without a mouse."""
    with look() as watched:
        page = watched.open(page_service.address)
        tab_to(page, "a.skip", 1)
        tab_to(page, "input[name=patient]")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(page.locator("#banner-facts")).to_contain_text("lab-lp5mo")
        tab_to(page, "#fire-order-sign")
        page.keyboard.press("Enter")
        rest(page)
        tab_to(page, "details.detail > summary")
        page.keyboard.press("Enter")
        expect(page.locator("details.detail").first).to_have_attribute("open", "")
        watched.picture("by-keyboard", full_page=False)
        tab_to(page, "details.dismissal > summary")
        page.keyboard.press("Space")
        tab_to(page, "details.dismissal input[type=radio]")
        page.keyboard.press("Space")
        tab_to(page, "details.dismissal button")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("feedback was stored")
        tab_to(page, "#tab-why")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#tab-request")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#panel-request")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_on_a_phone(dark: bool, look: Look, page_service: PageService) -> None:
    with look(size=PHONE, dark=dark) as watched:
        page = watched.open(page_service.address)
        assert not watched.is_wider_than_its_window()
        expect(page.locator("#cards article.card h4").first).to_be_in_viewport()  # answered, without a touch
        page.locator("#choose-patient > summary").click()
        choose(page, "lab-lp5mo")
        fire(page)
        expect(page.locator("#cards article.card").first).to_be_in_viewport()
        watched.picture(f"phone-cards-{'dark' if dark else 'light'}", full_page=False)
        watched.unfold()
        assert not watched.is_wider_than_its_window()
        watched.picture(f"phone-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 900, 400])
def test_the_page_opens_answered_and_covers_nothing(
    width: int, dark: bool, look: Look, page_service: PageService
) -> None:
    with look(size=(width, 900), dark=dark) as watched:
        page = watched.open(page_service.address)
        rest(page)
        assert cards(page) == STORIES[0].expected
        expect(page.locator("#cards article.card h4").first).to_be_in_viewport()
        assert not watched.is_wider_than_its_window()
        watched.picture(f"opens-answered-{width}-{'dark' if dark else 'light'}", full_page=False)
        assert page.evaluate(COVERED) == []


def test_a_patient_who_is_not_there_is_said_and_can_be_left(look: Look, page_service: PageService) -> None:
    with look() as watched:
        page = watched.open(f"{page_service.address}/?patient=lab-stenosi&fire=order-sign")
        expect(page.get_by_role("alert")).to_contain_text("There is no patient “lab-stenosi” here")
        page.locator("#fire-order-sign").click()
        expect(page.locator("#status")).to_have_text("Choose a patient first.")
        watched.picture("unknown-patient")
        choose(page, "lab-stenosis")
        fire(page)
        assert cards(page) == STORIES[0].expected


def test_the_link_to_the_reference_client_shows_the_order_of_the_page(look: Look, page_service: PageService) -> None:
    with look() as watched:
        page = watched.open(f"{page_service.address}/?patient=lab-redflag&order=lp-cpt&fire=order-sign")
        rest(page)
        shown = cards(page)
        page.get_by_role("link", name="See it as the EHR shows it").click()
        expect(page.locator("#cards > article")).to_have_count(len(shown))
        assert [one.get_attribute("data-card") for one in page.locator("#cards > article").all()] == shown


def test_another_fhir_server_can_be_entered(look: Look, page_service: PageService, medplum: str) -> None:
    """A server that was not written here, with a patient of the fixtures on it."""
    FhirClient(medplum).put_each(fixture_entries("lab-stenosis"))
    with look() as watched:
        page = watched.open(page_service.address)
        page.locator("#other-server > summary").click()
        page.locator("#base").fill(medplum)
        page.locator("#list-patients").click()
        expect(page.locator("#server-patients")).to_be_visible()
        page.locator("#server-patients").select_option("lab-stenosis")
        expect(page.locator("#banner-facts")).to_contain_text("lab-stenosis")
        page.locator("#prefetch").select_option("none")
        fire(page)
        assert cards(page) == ["what-to-expect", "confounders"]
        watched.picture("another-fhir-server")
