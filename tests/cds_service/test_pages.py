"""Pages for people: safe headers, no script, no cookie, nothing of a patient."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.charts import cards_of, condition, hook_call, post, prefetch

PATIENT_PAGE = "/education/lumbar-puncture"
AFTER_PAGE = "/education/back-pain-after-lumbar-puncture"
PATIENT_PAGES = [
    pytest.param(PATIENT_PAGE, id="before and after the puncture"),
    pytest.param(AFTER_PAGE, id="back pain after the puncture"),
]
PAGES = [
    pytest.param("/", 200, id="the landing page"),
    pytest.param(PATIENT_PAGE, 200, id="the patient page"),
    pytest.param(AFTER_PAGE, 200, id="the patient page on back pain"),
    pytest.param(PATIENT_PAGE + "?lang=en", 200, id="the patient page in English"),
    pytest.param(PATIENT_PAGE + "?lang=es", 200, id="a translation that awaits its review, in English"),
    pytest.param(PATIENT_PAGE + "?lang=FR-ca", 200, id="a language there is no page in, in English"),
    pytest.param("/education/unknown", 404, id="a patient page that is not there"),
    pytest.param("/nothing/here", 404, id="an address with nothing"),
]


class Page(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name))]


@pytest.mark.parametrize(("path", "status"), PAGES)
def test_every_page_forbids_whatever_it_does_not_need(client: FlaskClient, path: str, status: int) -> None:
    response = client.get(path)
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert (response.status_code, response.content_type) == (status, "text/html; charset=utf-8")
    assert (policy["default-src"], policy["frame-ancestors"], policy["style-src"]) == ("'none'", "'none'", "'self'")
    assert "script-src" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(("path", "status"), PAGES)
def test_every_page_is_plain_html_with_a_language_and_a_title(client: FlaskClient, path: str, status: int) -> None:
    html = client.get(path).get_data(as_text=True)
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert ("html", {"lang": "en"}) in page.tags
    assert re.search(r"<title>[^<]+</title>", html)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert not page.names() & {"script", "iframe", "object", "embed", "form", "img", "style"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert all(re.match(r"https?://|/", link) for link in page.attributes("href"))


@pytest.mark.parametrize(("path", "status"), PAGES)
def test_every_page_uses_our_stylesheet_and_it_is_served(client: FlaskClient, path: str, status: int) -> None:
    (sheet,) = [a["href"] for tag, a in Page(client.get(path).get_data(as_text=True)).tags if tag == "link"]
    assert sheet is not None
    with client.get(sheet) as response:
        assert (response.status_code, response.mimetype) == (200, "text/css")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "@import" not in response.get_data(as_text=True)


def test_the_landing_page_tells_a_developer_where_to_call(make_app: Callable[..., Flask]) -> None:
    html = make_app(public_url="https://cds.example.org/lp").test_client().get("/").get_data(as_text=True)
    assert "https://cds.example.org/lp/cds-services" in Page(html).attributes("href")
    for path in (PATIENT_PAGE, AFTER_PAGE):
        assert "https://cds.example.org/lp" + path in Page(html).attributes("href")
    assert "POST https://cds.example.org/lp/cds-services/lumbar-puncture-back-pain" in html
    assert "order-sign" in html
    assert "order-select" in html


@pytest.mark.parametrize("path", PATIENT_PAGES)
def test_a_patient_page_says_when_to_get_help_who_wrote_it_and_what_it_rests_on(client: FlaskClient, path: str) -> None:
    page = Page(client.get(path).get_data(as_text=True))
    assert "Get help now" in page.words
    assert "Last review: 2026-11-22" in page.words
    assert "Sources" in page.words
    assert not re.search(r"\[[a-z0-9-]+\]|\{\w+\}|\*\*", page.words)


@pytest.mark.parametrize("path", PATIENT_PAGES)
def test_a_patient_page_in_english_is_the_one_without_a_language(client: FlaskClient, path: str) -> None:
    assert client.get(path).data == client.get(f"{path}?lang=en").data
    assert "nav" not in Page(client.get(path).get_data(as_text=True)).names()  # no other language is served


@pytest.mark.parametrize("path", PATIENT_PAGES)
def test_where_a_site_allows_drafts_a_translation_is_served_and_says_that_it_is_one(
    make_app: Callable[..., Flask], path: str
) -> None:
    client = make_app(draft_translations=True).test_client()
    english, spanish = (Page(client.get(path + query).get_data(as_text=True)) for query in ("", "?lang=es"))
    assert ("html", {"lang": "en"}) in english.tags
    assert ("html", {"lang": "es"}) in spanish.tags
    assert "Busque ayuda de inmediato" in spanish.words
    assert "Borrador" in spanish.words
    assert "Borrador" not in english.words
    assert ("a", {"href": "?lang=es", "hreflang": "es", "lang": "es"}) in english.tags
    assert ("a", {"href": "?lang=en", "hreflang": "en", "lang": "en"}) in spanish.tags
    assert not re.search(r"\[[a-z0-9-]+\]|\{\w+\}|\*\*", spanish.words)


@pytest.mark.parametrize(("drafts", "query"), [(False, ""), (True, "?lang=es")], ids=["by default", "with drafts"])
def test_a_card_links_to_the_page_in_the_language_of_the_patient_where_it_is_served(
    make_app: Callable[..., Flask], drafts: bool, query: str
) -> None:
    client = make_app(draft_translations=drafts).test_client()
    card = cards_of(client, hook_call(prefetch=prefetch(language="es")))["what-to-expect"]
    (ours,) = [link["url"] for link in card["links"] if "medlineplus.gov" not in link["url"]]
    assert ours == f"http://127.0.0.1:8080{PATIENT_PAGE}{query}"
    assert client.get(ours.removeprefix("http://127.0.0.1:8080")).status_code == 200


def test_a_page_is_the_same_before_and_after_a_call_about_a_patient(client: FlaskClient) -> None:
    """Pages are rendered from content only: nothing of a patient can reach them."""
    before = [client.get(path).data for path in ("/", PATIENT_PAGE)]
    assert post(client, hook_call(prefetch=prefetch(condition()))).status_code == 200
    assert [client.get(path).data for path in ("/", PATIENT_PAGE)] == before


def test_a_page_that_is_not_there_repeats_nothing_of_the_address(client: FlaskClient) -> None:
    html = client.get("/education/CANARY<script>alert(1)</script>?q=CANARY").get_data(as_text=True)
    assert "There is no page at this address" in html
    assert "CANARY" not in html


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/", "/static/x"])
def test_only_static_files_are_served(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_wrong_method_on_a_page_says_which_are_taken(client: FlaskClient) -> None:
    """R-4.13."""
    assert "GET" in client.post("/").headers["Allow"]


def test_a_wrong_method_on_a_page_is_answered_with_a_page(client: FlaskClient) -> None:
    response = client.post("/", json={"x": "CANARY"})
    assert (response.status_code, response.mimetype) == (405, "text/html")
    assert "CANARY" not in response.get_data(as_text=True)


def test_links_to_our_pages_begin_with_the_public_url(make_app: Callable[..., Flask]) -> None:
    """R-4.56: behind a proxy, too."""
    client = make_app(public_url="https://cds.example.org/lp").test_client()
    card = cards_of(client, hook_call())["what-to-expect"]
    ours = [link["url"] for link in card["links"] if "medlineplus.gov" not in link["url"]]
    assert ours == ["https://cds.example.org/lp/education/lumbar-puncture"]


def test_a_page_we_link_to_is_there(client: FlaskClient) -> None:
    card = cards_of(client, hook_call())["what-to-expect"]
    assert client.get(urlsplit(card["links"][0]["url"]).path).status_code == 200
