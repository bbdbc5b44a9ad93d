"""Error pages for people, and the files that pages load."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.html_page import Page


@pytest.mark.parametrize("path", ["/nothing/here", "/education/unknown", "/sandbox", "/static/nothing"])
def test_a_page_that_is_not_there_forbids_whatever_it_does_not_need(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert (response.status_code, response.content_type) == (404, "text/html; charset=utf-8")
    assert (policy["default-src"], policy["frame-ancestors"], policy["style-src"]) == ("'none'", "'none'", "'self'")
    assert "script-src" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in response.headers


def test_a_page_that_is_not_there_is_plain_html_with_a_language_and_a_title(client: FlaskClient) -> None:
    html = client.get("/nothing/here").get_data(as_text=True)
    page = Page(html)
    assert ("html", {"lang": "en"}) in page.tags
    assert re.search(r"<title>[^<]+</title>", html)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert not page.names() & {"script", "iframe", "object", "embed", "form", "style"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]


def test_a_page_that_is_not_there_repeats_nothing_of_the_address(client: FlaskClient) -> None:
    html = client.get("/nothing/CANARY<script>alert(1)</script>?q=CANARY").get_data(as_text=True)
    assert "There is no page at this address" in html
    assert "CANARY" not in html


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/", "/static/x"])
def test_only_static_files_are_served(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_wrong_method_on_a_page_says_which_are_taken_and_is_answered_with_a_page(client: FlaskClient) -> None:
    """R-4.13."""
    response = client.post("/", json={"x": "CANARY"})
    assert (response.status_code, response.mimetype) == (405, "text/html")
    assert "GET" in response.headers["Allow"]
    assert "CANARY" not in response.get_data(as_text=True)


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 70])
def test_a_host_that_is_none_is_the_clients_fault(client: FlaskClient, host: str) -> None:
    assert client.get("/nothing", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("path", ["/", "/education/lumbar-puncture", "/cds-services"])
def test_a_query_of_other_bytes_than_utf8_is_the_clients_fault(client: FlaskClient, path: str) -> None:
    assert client.get(path, environ_overrides={"QUERY_STRING": "lang=\xff"}).status_code == 400


def test_pages_find_their_style_behind_a_proxy_that_adds_a_path(make_app: Callable[..., Flask]) -> None:
    html = make_app(public_url="https://cds.example.org/lp").test_client().get("/nothing").get_data(as_text=True)
    assert '"/lp/static/page.css"' in html
