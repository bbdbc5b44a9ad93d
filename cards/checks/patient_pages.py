"""Patient pages: faults of heads and words, translations that differ from the original, pages too hard to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import zip_longest
from pathlib import Path

from cards.checks.faults import body_lines, citations, fault_at, load_words
from cards.checks.reading_grade import find_hard_reading
from cards.checks.texts import find_missing_heads, find_placeholder_faults, find_text_faults
from cards.content.files import ContentError
from cards.content.phrases import PageWords
from cards.content.placeholders import BARE
from cards.content.service import Service
from cards.content.texts import Text

_HEAD = ("title", "summary", "reviewed-on", "language", "status")
_PAGE_WORDS = {"reviewed": "owner date"}


def find_page_word_faults(path: Path) -> list[str]:
    """Every fault of the words around the pages in one language."""
    faults: list[str] = []
    words = load_words(faults, path, PageWords)
    return [*faults, *(find_placeholder_faults(path, words, _PAGE_WORDS) if words else ())]


def find_page_faults(page: Text, original: Text, service: Service, language: str) -> Iterator[str]:
    """Every fault of one page; `original`: the same page in the first language that has it."""
    yield from find_text_faults(page, BARE, service, by_sentence=False)
    yield from _head_faults(page, language)
    yield from _unlike(page, original)
    yield from find_hard_reading(page, language)


def review_day(page: Text) -> date | None:
    """The day of the last review of the page; None where its head does not say."""
    try:
        return date.fromisoformat(page.head["reviewed-on"])
    except (KeyError, ValueError):
        return None


def _head_faults(page: Text, language: str) -> Iterator[str]:
    head, path = page.head, page.path
    draft = head.get("status") == "draft"
    yield from find_missing_heads(page, (*_HEAD, "draft-note") if draft else _HEAD)
    for key in head:
        if key not in (*_HEAD, "draft-note"):
            yield fault_at(path, f"the page does not use {key}", key)
    if head.get("status", "draft") not in ("approved", "draft"):
        yield fault_at(path, "status is approved or draft", "status")
    elif "draft-note" in head and not draft:
        yield fault_at(path, "an approved page is shown as a draft", "draft-note")
    if head.get("language", language) != language:
        yield fault_at(path, f"the name of the file says {language!r}", "language")
    if head.get("reviewed-on") and review_day(page) is None:
        yield fault_at(path, "reviewed-on is not a date such as 2026-11-22", "reviewed-on")


def _unlike(page: Text, original: Text) -> Iterator[str]:
    """Where a translation differs from the page in the first language: its headings, its evidence."""
    headings, expected = (
        [line for line, words in body_lines(text) if words.startswith("#")] for text in (page, original)
    )
    if len(headings) != len(expected):
        what = f"{len(headings)} headings; {original.path.name} has {len(expected)}"
        yield str(ContentError(page.path, what, headings[-1] if headings else page.first_line))
    nothing = (page.first_line, "nothing")
    for (line, key), (other_line, other) in zip_longest(citations(page), citations(original), fillvalue=nothing):
        if key != other:
            what = f"cites {key} where {original.path.name}:{other_line} cites {other}"
            yield str(ContentError(page.path, what, line))
            return
