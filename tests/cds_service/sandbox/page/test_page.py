"""The sandbox page: every state its address can ask for, and what it may load."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from cds_service.sandbox.fhir_server.stories import Story
from cds_service.sandbox.page.order_choices import PRIORITIES
from cds_service.sandbox.page.page_state import SERVERS
from tests.cds_service.sandbox.own_server import CHOICES, CODES, STORIES
from tests.html_page import Page
from tests.places import ROOT

STATIC = ROOT / "cds_service" / "sandbox" / "page" / "static"
HOOKS = ("order-sign", "order-select")
MODES = ("complete", "first-page", "no-conditions", "no-procedures", "failed", "none")
SERVICE = "lumbar-puncture-back-pain"
QUERIES = [
    "",
    *(f"patient={story.id}" for story in STORIES),
    *(f"patient={story.id}&fire={hook}" for story in STORIES for hook in HOOKS),
    *(f"order={key}" for key in CHOICES.order_keys),
    *(f"reason={key}" for key in CHOICES.reason_keys),
    *(f"priority={key}" for key in PRIORITIES),
    *(f"prefetch={mode}&server={server}" for mode in MODES for server in SERVERS),
    "sign=yes",
    "order=other&order-text=Spinal+tap&order-code=1&order-system=urn:x&reason=other&reason-text=Pain",
    "base=http://127.0.0.1:9/fhir&patient=somebody",
]
ODD = [
    pytest.param(
        "patient=nobody&order=nothing&priority=now&reason=why&prefetch=x&server=x&fire=x&sign=x", id="nothing known"
    ),
    pytest.param("patient=&order=&base=", id="nothing said"),
    pytest.param("patient=lab-es&patient=lab-plain", id="two patients"),
    pytest.param("order-text=%00%1b[31m%3Cscript%3EMARK%3C/script%3E", id="a script in a text"),
    pytest.param('order-text="onfocus="MARK&order=other', id="the end of an attribute"),
    pytest.param("base=javascript:MARK", id="a script for a base"),
    pytest.param("order-text=" + "M" * 5000, id="words without end"),
    pytest.param("%ff=%fe&patient=%ff", id="no UTF-8"),
]


def page_of(reader: FlaskClient, query: str) -> Page:
    response = reader.get(f"/?{query}")
    assert response.status_code == 200
    return Page(response.get_data(as_text=True))


def chosen(page: Page, select: str) -> str | None:
    """The value that a select shows."""
    inside, values = False, []
    for tag, attributes in page.tags:
        if tag == "select":
            inside = attributes.get("id") == select
        elif tag == "option" and inside and "selected" in attributes:
            values.append(attributes["value"])
    assert len(values) <= 1
    return values[0] if values else None


@pytest.mark.parametrize("query", [pytest.param(query, id=query or "nothing") for query in QUERIES])
def test_the_page_shows_the_state_of_its_address(reader: FlaskClient, query: str) -> None:
    page = page_of(reader, query)
    asked = MultiDict(pair.split("=", 1) for pair in query.split("&") if pair)
    for name in ("order", "reason", "priority", "prefetch", "server"):
        assert name not in asked or chosen(page, name) == asked[name]
    checked = [a["value"] for tag, a in page.tags if tag == "input" and a.get("type") == "radio" and "checked" in a]
    assert checked == ([] if "base" in asked else [asked.get("patient", STORIES[0].id)])
    body = next(attributes for tag, attributes in page.tags if tag == "body")
    assert body["data-fire"] == ("yes" if "fire" in asked or not query else "no")
    assert "which this page does not have" not in page.words
    suggested = [a["value"] for tag, a in page.tags if tag == "button" and "suggested" in (a.get("class") or "")]
    assert len(suggested) == 1
    assert "fire" not in asked or suggested == [asked["fire"]]
    assert ("sign" in asked) == any("checked" in a for tag, a in page.tags if a.get("id") == "sign")


def alerts(html: str) -> str:
    """What the page says at once."""
    return " ".join(
        re.sub("<[^>]+>", "", alert) for alert in re.findall(r'role="alert">(.*?)</(?:div|p)>', html, re.DOTALL)
    )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("patient=lab-stenosi", "no patient “lab-stenosi” here; did you mean lab-stenosis", id="a patient"),
        pytest.param(
            "order=lp-snomde", "order “lp-snomde”, which this page does not have; did you mean lp-snomed", id="an order"
        ),
        pytest.param("priority=now", "priority “now”, which this page does not have", id="a priority"),
        pytest.param(
            "server=failin", "server “failin”, which this page does not have; did you mean failing", id="a server"
        ),
        pytest.param(
            "fire=order-sing", "fire “order-sing”, which this page does not have; did you mean order-sign", id="a hook"
        ),
        pytest.param("service=another", "service “another”, which this page does not have", id="a service"),
    ],
)
def test_what_the_address_says_wrongly_is_said_and_nothing_is_sent(reader: FlaskClient, query: str, words: str) -> None:
    response = reader.get(f"/?{query}&patient=lab-plain" if "patient" not in query else f"/?{query}&fire=order-sign")
    html = unescape(response.get_data(as_text=True))
    assert words in alerts(html).replace("\n", " ")
    assert 'data-fire="no"' in html


def test_an_unknown_patient_is_never_another_one(reader: FlaskClient) -> None:
    page = page_of(reader, "patient=nobody&fire=order-sign")
    assert [a for tag, a in page.tags if tag == "input" and a.get("type") == "radio" and "checked" in a] == []
    assert "No patient" in page.words
    assert "Testcase" not in page.words
    offered = [link for link in page.attributes("href") if link.startswith("/?patient=")]
    assert len(offered) == len(STORIES)


VIEW = "/sandbox/ehr-view"


@pytest.mark.parametrize("story", [pytest.param(story, id=story.id) for story in STORIES])
def test_the_view_of_the_reference_client_knows_what_the_page_would_send(reader: FlaskClient, story: Story) -> None:
    response = reader.get(f"{VIEW}/{story.id}")
    page = Page(response.get_data(as_text=True))
    body = next(attributes for tag, attributes in page.tags if tag == "body")
    form = json.loads(unescape(body["data-form"] or ""))
    assert response.status_code == 200
    assert (form["patient"], form["order"], form["fhirVersion"]) == (story.id, story.order, story.fhir_version)
    assert (form["orderCode"], body["data-hook"], body["data-fire"]) == (CODES[story.order], story.hook, "yes")
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_the_view_takes_the_order_of_the_address(reader: FlaskClient) -> None:
    page = Page(reader.get(f"{VIEW}/lab-plain?order=mri-lumbar&priority=stat&hook=order-select").get_data(as_text=True))
    body = next(attributes for tag, attributes in page.tags if tag == "body")
    form = json.loads(unescape(body["data-form"] or ""))
    assert (form["order"], form["priority"], body["data-hook"]) == ("mri-lumbar", "stat", "order-select")
    (back,) = [link for link in page.attributes("href") if link.startswith("/?")]
    assert {"patient=lab-plain", "order=mri-lumbar", "priority=stat", "fire=order-select"} <= {*back[2:].split("&")}


def test_odd_parameters_of_the_view_lead_nowhere_else(reader: FlaskClient) -> None:
    odd = "_scheme=javascript&_external=1&endpoint=x&order=%22%3E%3Cscript%3E"
    response = reader.get(f"{VIEW}/lab-plain?{odd}")
    page = Page(response.get_data(as_text=True))
    assert response.status_code == 200
    assert all(link.startswith("/") for link in page.attributes("href"))
    assert [attributes.get("src") for tag, attributes in page.tags if tag == "script"] == [
        "/sandbox/static/ehr_view.js"
    ]


def test_the_view_of_an_unknown_story_says_so_with_the_list(reader: FlaskClient) -> None:
    response = reader.get(f"{VIEW}/lab-stenosi")
    html = unescape(response.get_data(as_text=True))
    assert response.status_code == 404
    assert "did you mean lab-stenosis" in alerts(html)
    assert html.count(f'href="{VIEW}/') == len(STORIES)
    assert "<script" not in html


@pytest.mark.parametrize("query", ODD)
def test_a_state_that_is_none_is_the_usual_one(reader: FlaskClient, query: str) -> None:
    page = page_of(reader, query)
    assert chosen(page, "order") in CHOICES.order_keys
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert all("MARK" not in link for link in page.attributes("href"))
    assert [attributes.get("src") for tag, attributes in page.tags if tag == "script"] == ["/sandbox/static/sandbox.js"]


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(reader: FlaskClient) -> None:
    response = reader.get("/")
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in response.headers
    page = Page(response.get_data(as_text=True))
    assert not page.names() & {"style", "iframe", "object", "embed", "img"}
    loaded = [a.get("href") for tag, a in page.tags if tag == "link"] + page.attributes("src")
    assert loaded == ["/static/icon.svg", "/sandbox/static/sandbox.css", "/sandbox/static/sandbox.js"]


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_what_it_loads_is_served_small_and_plain(reader: FlaskClient, path: Path) -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    with reader.get(f"/sandbox/static/{path.name}") as response:
        assert (response.status_code, response.mimetype) == (200, types[path.suffix])
        text = response.get_data(as_text=True)
    assert text.count("\n") <= 300
    assert not re.search(r"\beval\b|new Function|document\.write|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    for module in re.findall(r'from "\./([^"]+)"', text):
        assert (STATIC / module).is_file()


def test_the_page_is_one_that_a_screen_reader_can_walk_through(reader: FlaskClient) -> None:
    html = reader.get("/").get_data(as_text=True)
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert ("html", {"lang": "en"}) in page.tags
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert {"header", "main", "nav", "footer", "noscript"} <= page.names()
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    named = {*page.attributes("for"), *(attributes.get("id") for tag, attributes in page.tags if tag == "label")}
    controls = [a for tag, a in page.tags if tag in ("select", "input") and a.get("type") != "radio"]
    assert [a["id"] for a in controls if a["id"] not in named] == []
    for attribute in ("aria-labelledby", "aria-controls", "aria-describedby"):
        assert {name for value in page.attributes(attribute) for name in value.split()} <= set(ids)
    assert "aria-live" in next(a for _, a in page.tags if a.get("id") == "status")
    assert all(re.match(r"https?://|/|#", link) for link in page.attributes("href"))


def test_the_page_carries_each_order_as_the_tests_send_it(reader: FlaskClient) -> None:
    page = page_of(reader, "")
    codes = {a["value"]: a["data-code"] for tag, a in page.tags if tag == "option" and a.get("value") in CODES}
    assert {key: json.loads(unescape(code or "")) for key, code in codes.items()} == CODES


def test_without_javascript_the_page_shows_the_chart_and_says_what_it_needs(reader: FlaskClient) -> None:
    html = reader.get("/?patient=lab-lp5mo").get_data(as_text=True)
    assert "needs JavaScript" in html
    assert "Timeline of the chart" in html
    assert "Testcase, Martin Q." in html


def test_the_page_tells_a_developer_where_to_call(make_app: Callable[..., Flask]) -> None:
    html = make_app(public_url="https://cds.example.org/lp").test_client().get("/").get_data(as_text=True)
    links = Page(html).attributes("href")
    assert "https://cds.example.org/lp/cds-services" in links
    assert "https://cds.example.org/lp/openapi.json" in links
    for page in ("lumbar-puncture", "back-pain-after-lumbar-puncture"):
        assert f"https://cds.example.org/lp/education/{page}" in links
    assert "POST https://cds.example.org/lp/cds-services/lumbar-puncture-back-pain" in html
    assert "order-sign" in html
    assert "order-select" in html


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"threads": 1}, "handles one call at a time", id="one thread"),
        pytest.param({"workers": 2}, "Not available with several server processes", id="several processes"),
        pytest.param({"require_tokens": True}, "refuses calls without one", id="tokens required"),
    ],
)
def test_the_page_says_what_this_process_cannot_do(
    make_app: Callable[..., Flask], settings: dict[str, object], words: str
) -> None:
    assert words in make_app(**settings).test_client().get("/").get_data(as_text=True)
