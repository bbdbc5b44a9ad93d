"""The shapes of text/phrases.<lang>.yaml, as far as every topic has it, and of patient_pages/words.<lang>.yaml."""

from __future__ import annotations

import msgspec

from cards.content.service import Part

# The placeholders of each phrase; a phrase that is not listed has none.
PLACEHOLDERS_OF_PHRASES = {
    "sources": "names page",
    "not-checked": "what",
    "more": "names count",
    "and": "names last",
    "also": "names",
    "since": "date",
    "performed": "date",
    "entered": "date",
    "possible": "name",
}


class SectionNotes(Part):
    """What a card names as not checked where a section of the chart was not read, or only in part."""

    not_obtained: str
    not_complete: str
    unread: str


class Phrases(Part):
    """The part of text/phrases.<lang>.yaml that every topic has."""

    in_this_chart: str
    not_checked: str
    sources: str
    more: str
    and_: str = msgspec.field(name="and")
    also: str
    standings: dict[str, str]
    since: str
    performed: str
    entered: str
    possible: str


class PageWords(Part):
    """The whole of patient_pages/words.<lang>.yaml."""

    language: str
    sources: str
    reviewed: str
    general: str
