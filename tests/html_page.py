"""An HTML page of ours, read strictly, and the rules for every report that is one file."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import defaultdict
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise

_VOID = {"meta", "br", "link", "img", "input", "hr", "path"}


class Page(HTMLParser):
    """A page read strictly: every tag is closed in its turn.

    `by_language`: its text by its marked language. `cells`: the texts of the rows of each captioned table.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.by_language: dict[str | None, str] = defaultdict(str)
        self.cells: dict[str, list[list[str]]] = defaultdict(list)
        self._open: list[str] = []
        self._languages: list[str | None] = [None]
        self._text: list[str] = []
        self._caption = ""
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)
            self._languages.append(dict(attrs).get("lang") or self._languages[-1])
        if tag == "tr":
            self.cells[self._caption].append([])
        if tag in ("td", "th", "caption"):
            self._text = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:  # as in <path></path>
            return
        assert self._open.pop() == tag
        self._languages.pop()
        text = "".join(self._text).replace("\N{NO-BREAK SPACE}", " ")
        if tag == "caption":
            self._caption = text
            self.cells[text] = []
        if tag in ("td", "th"):
            self.cells[self._caption][-1].append(text)

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        self.words += data
        self.by_language[self._languages[-1]] += data

    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name))]


def assert_fetches_nothing(html: str) -> None:
    """It fetches and runs nothing: no script, no address elsewhere, one style sheet that its policy allows by hash."""
    page = Page(html)
    assert not page.names() & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "image",
        "audio",
        "video",
    }
    for _, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on")} | ({"style", "src"} & attributes.keys())
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\((?!#)|@import", html)
    policy = {attributes.get("http-equiv"): attributes.get("content") for tag, attributes in page.tags if tag == "meta"}
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def assert_accessible(html: str) -> None:
    """One h1, headings without a gap, a caption and named columns in each table, words for each chart, ids once."""
    page = Page(html)
    assert html.lstrip().startswith("<!doctype html>")
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") == len(page.cells)
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawings = [attributes for tag, attributes in page.tags if tag == "svg" and attributes.get("aria-hidden") != "true"]
    assert all(one["role"] == "img" and set((one["aria-labelledby"] or "").split()) <= set(ids) for one in drawings)
    assert tags.count("title") == 1 + len(drawings)
    references = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", html))
    assert references <= set(ids)
