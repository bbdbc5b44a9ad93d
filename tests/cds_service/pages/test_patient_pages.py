"""What a patient takes home: the clinicians' words, set plainly, in the right language, and how to find them again."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from urllib.parse import urlsplit

import pytest
import segno
from flask import Flask
from flask.testing import FlaskClient

from cards.topic import Topic
from cds_service.errors import NotReady
from cds_service.pages.patient_pages import _LABELS, URGENT_HEADING, patient_pages_blueprint
from tests.charts import cards_of, condition, hook_call, post, prefetch
from tests.html_page import Page

BEFORE, AFTER = "/education/lumbar-puncture", "/education/back-pain-after-lumbar-puncture"
PATHS = [pytest.param(BEFORE, id="before and after the puncture"), pytest.param(AFTER, id="back pain after it")]
ADDRESSES = [
    pytest.param(path + query, id=f"{name}, {how}")
    for path, name in ((BEFORE, "the puncture"), (AFTER, "back pain after it"))
    for query, how in (
        ("", "no language asked for"),
        ("?lang=en", "in English"),
        ("?lang=es", "in Spanish"),
        ("?lang=FR-ca", "in a language there is no page in"),
    )
]


def links(page: Page, rel: str) -> dict[str | None, str | None]:
    """The `<link>`s of this kind: where they lead, by language."""
    found = (attributes for tag, attributes in page.tags if tag == "link" and attributes.get("rel") == rel)
    return {attributes.get("hreflang"): attributes.get("href") for attributes in found}


def read(client: FlaskClient, path: str) -> Page:
    response = client.get(path)
    assert response.status_code == 200
    return Page(response.get_data(as_text=True))


@pytest.fixture
def with_drafts(make_app: Callable[..., Flask]) -> FlaskClient:
    """A site that allows translations before their review, behind an address of its own."""
    return make_app(draft_translations=True, public_url="https://cds.example.org/lp").test_client()


@pytest.mark.parametrize("drafts", [False, True], ids=["reviewed pages only", "with drafts"])
@pytest.mark.parametrize("path", ADDRESSES)
def test_a_page_needs_nothing_from_elsewhere_runs_nothing_and_keeps_nothing(
    make_app: Callable[..., Flask], path: str, drafts: bool
) -> None:
    client = make_app(draft_translations=drafts).test_client()
    response = client.get(path)
    page = Page(response.get_data(as_text=True))
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert (policy["default-src"], policy["style-src"], policy["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert "script-src" not in policy
    assert "Set-Cookie" not in response.headers
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "form", "img", "style", "use"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert not page.attributes("src") + page.attributes("xlink:href")
    with client.get(str(links(page, "stylesheet")[None])) as sheet:
        assert (sheet.status_code, sheet.mimetype) == (200, "text/css")
        assert not re.search(r"url\(|@import|@font-face", sheet.get_data(as_text=True))


@pytest.mark.parametrize("path", ADDRESSES)
def test_headings_are_in_order_and_the_title_is_that_of_the_page(with_drafts: FlaskClient, path: str) -> None:
    html = with_drafts.get(path).get_data(as_text=True)
    headings = re.findall(r"<h([1-6])", html)
    assert headings[0] == "1"
    assert set(headings[1:]) == {"2"}
    titles = [re.search(f"<{tag}>([^<]+)</{tag}>", html) for tag in ("title", "h1")]
    assert len({title and title[1] for title in titles}) == 1
    assert html.startswith("<!doctype html>")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_says_when_to_get_help_who_wrote_it_and_what_it_rests_on(client: FlaskClient, path: str) -> None:
    page = read(client, path)
    assert "Written and reviewed by: Clinical content maintainers of this project." in page.words
    assert "Last review: November 30, 2026." in page.words
    assert "Sources" in page.words
    assert "https://www.nhs.uk/conditions/lumbar-puncture/" in page.attributes("href")
    assert not re.search(r"\[[a-z0-9-]+\]|\{\w+\}|\*\*", page.words)


@pytest.mark.parametrize("path", PATHS)
def test_what_nobody_may_overlook_is_set_apart_and_a_link_at_the_top_leads_there(
    with_drafts: FlaskClient, path: str
) -> None:
    for language, heading in (("en", URGENT_HEADING), ("es", "Busque ayuda de inmediato")):
        html = with_drafts.get(f"{path}?lang={language}").get_data(as_text=True)
        assert f'<section class="urgent" id="help">\n<h2>{heading}</h2>' in html
        assert html.count('class="urgent"') == 1
        assert html.index(f'<a href="#help">{heading}</a>') < html.index("<section")


def test_the_pages_in_the_first_language_have_the_heading_that_is_set_apart(topic: Topic) -> None:
    """It is found by its words: who changes them has to change it here, too."""
    for pages in topic.patient_pages.values():
        assert f"## {URGENT_HEADING}" in pages["en"].blocks


@pytest.mark.parametrize("path", PATHS)
def test_every_word_of_the_clinicians_is_on_the_page(with_drafts: FlaskClient, topic: Topic, path: str) -> None:
    text = topic.patient_pages[path.rpartition("/")[2]]["en"]
    shown = " ".join(read(with_drafts, path).words.split())
    for block in text.body.split("\n"):
        assert " ".join(block.replace("**", "").lstrip("#- ").split()) in shown


@pytest.mark.parametrize("path", PATHS)
def test_english_is_the_language_of_an_address_that_names_none(client: FlaskClient, path: str) -> None:
    bare = client.get(path)
    assert bare.data == client.get(f"{path}?lang=en").data == client.get(f"{path}?lang=en-GB").data
    assert bare.headers["Content-Language"] == "en"
    page = Page(bare.get_data(as_text=True))
    assert "nav" not in {tag for tag, _ in page.tags}  # no other language is served
    assert links(page, "alternate") == {}
    assert links(page, "canonical") == {None: f"http://127.0.0.1:8080{path}"}


@pytest.mark.parametrize(
    ("drafts", "query", "language", "words"),
    [
        pytest.param(False, "", None, None, id="none, where none was asked for"),
        pytest.param(False, "lang=", None, None, id="none, where the language is empty"),
        pytest.param(False, "lang=en-US", None, None, id="none, where English was asked for"),
        pytest.param(True, "lang=es_MX", None, None, id="none, where the page is there"),
        pytest.param(False, "lang=es", "es", "Aquí está en inglés.", id="in Spanish, where its page awaits review"),
        pytest.param(False, "lang=ES-mx", "es", "Aquí está en inglés.", id="in Spanish, however it was asked for"),
        pytest.param(True, "lang=fr", "en", "Here it is in English.", id="in English, where we know no better"),
        pytest.param(False, "lang=<b>CANARY", "en", "Here it is in English.", id="and what was asked is not repeated"),
    ],
)
def test_where_a_page_is_not_in_a_language_it_comes_in_english_and_says_so(
    make_app: Callable[..., Flask], drafts: bool, query: str, language: str | None, words: str | None
) -> None:
    response = make_app(draft_translations=drafts).test_client().get(f"{BEFORE}?{query}")
    page = Page(response.get_data(as_text=True))
    assert "CANARY" not in response.get_data(as_text=True)
    notes = [attributes.get("lang") for _, attributes in page.tags if attributes.get("class") == "note"]
    assert notes == ([language] if language else [])
    if words:
        assert words in page.by_language[language]
        assert ("html", {"lang": "en"}) in page.tags


@pytest.mark.parametrize("path", PATHS)
def test_a_translation_is_marked_with_its_language_and_as_a_draft(with_drafts: FlaskClient, path: str) -> None:
    english, spanish = read(with_drafts, path), read(with_drafts, f"{path}?lang=es")
    assert with_drafts.get(f"{path}?lang=es").headers["Content-Language"] == "es"
    assert ("html", {"lang": "en"}) in english.tags
    assert ("html", {"lang": "es"}) in spanish.tags
    assert "Busque ayuda de inmediato" in spanish.by_language["es"]
    assert "Última revisión del texto en inglés: 30 de noviembre de 2026." in spanish.by_language["es"]
    assert "SpineInfo" in spanish.by_language["en"]  # the sources are in English, and marked so
    assert spanish.words.count("Borrador") == 2  # at the top, and beside who wrote it
    assert "Borrador" not in english.words
    assert not re.search(r"\[[a-z0-9-]+\]|\{\w+\}|\*\*", spanish.words)


@pytest.mark.parametrize("path", PATHS)
def test_each_language_links_to_the_others_for_people_and_for_machines(with_drafts: FlaskClient, path: str) -> None:
    public = f"https://cds.example.org/lp{path}"
    for language, other in (("en", "es"), ("es", "en")):
        page = read(with_drafts, f"{path}?lang={language}")
        assert ("a", {"href": f"?lang={other}", "hreflang": other, "lang": other}) in page.tags
        assert links(page, "alternate") == {"en": public, "es": f"{public}?lang=es", "x-default": public}
        assert links(page, "canonical") == {None: public if language == "en" else f"{public}?lang=es"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("language", "query"), [("en", ""), ("es", "?lang=es")], ids=["in English", "in Spanish"])
def test_the_qr_code_and_the_words_beside_it_hold_the_public_address_in_this_language(
    with_drafts: FlaskClient, path: str, language: str, query: str
) -> None:
    html = with_drafts.get(f"{path}?lang={language}").get_data(as_text=True)
    address = f"https://cds.example.org/lp{path}{query}"
    assert f'<span class="address">{address}</span>' in html
    drawn = re.search(r'<svg viewBox="0 0 (\d+) \1">.*<path fill="#000" d="([^"]+)"/></svg>', html)
    assert drawn
    dark = {
        (int(x) + step, int(y))
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", drawn[2])
        for step in range(int(width))
    }
    modules = segno.make(address, error="m", micro=False).matrix_iter(border=4)
    assert dark == {(x, y) for y, row in enumerate(modules) for x, is_dark in enumerate(row) if is_dark}


def test_a_page_is_kept_for_a_while_and_not_sent_again_where_it_is_the_same(client: FlaskClient) -> None:
    first = client.get(BEFORE)
    assert first.headers["Cache-Control"] == "public, max-age=600"
    again = client.get(BEFORE, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(AFTER, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_every_language_a_page_may_come_in_has_the_words_around_it(topic: Topic) -> None:
    assert set(topic.page_words) <= set(_LABELS)
    assert all(len(labels.months.split()) == 12 for labels in _LABELS.values())


@pytest.mark.parametrize(("drafts", "query"), [(False, ""), (True, "?lang=es")], ids=["by default", "with drafts"])
def test_a_card_links_to_the_page_in_the_language_of_the_patient_where_it_is_served(
    make_app: Callable[..., Flask], drafts: bool, query: str
) -> None:
    client = make_app(draft_translations=drafts).test_client()
    card = cards_of(client, hook_call(prefetch=prefetch(language="es")))["what-to-expect"]
    (ours,) = [link["url"] for link in card["links"] if "/education/" in link["url"]]
    assert ours == f"http://127.0.0.1:8080{BEFORE}{query}"
    assert links(read(client, ours.removeprefix("http://127.0.0.1:8080")), "canonical") == {None: ours}


def test_links_of_cards_begin_with_the_public_url(make_app: Callable[..., Flask]) -> None:
    """R-4.56: behind a proxy, too."""
    client = make_app(public_url="https://cds.example.org/lp").test_client()
    card = cards_of(client, hook_call())["what-to-expect"]
    (ours,) = [link["url"] for link in card["links"] if "/education/" in link["url"]]
    assert ours == "https://cds.example.org/lp/education/lumbar-puncture"
    assert client.get(urlsplit(ours).path.removeprefix("/lp")).status_code == 200


def test_a_page_is_the_same_before_and_after_a_call_about_a_patient(client: FlaskClient) -> None:
    """Pages are rendered from content only: nothing of a patient can reach them."""
    before = [client.get(path).data for path in (BEFORE, AFTER)]
    assert post(client, hook_call(prefetch=prefetch(condition()))).status_code == 200
    assert [client.get(path).data for path in (BEFORE, AFTER)] == before


def test_a_page_that_is_not_there_is_said_not_to_be_and_repeats_nothing(client: FlaskClient) -> None:
    response = client.get("/education/CANARY?lang=CANARY")
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "CANARY" not in response.get_data(as_text=True)


def test_two_topics_cannot_have_a_page_of_the_same_name(topic: Topic) -> None:
    """Its address names the page alone."""
    other = copy(topic)
    with pytest.raises(NotReady, match="both have a patient page lumbar-puncture: serve one of them"):
        patient_pages_blueprint([topic, other], "https://cds.example.org")
