"""The shapes of text/phrases.<lang>.yaml, as far as every topic has it, and of patient_pages/words.<lang>.yaml."""

from __future__ import annotations

import msgspec

from cards.content.service import Part

# The placeholders of each phrase; a phrase that is not listed has none.
PLACEHOLDERS_OF_PHRASES = {
    "more": "names count",
    "and": "names last",
    "since": "date",
    "performed": "date",
    "recorded-on": "date",
    "entered": "date",
    "finding": "name facts words provenance",
    "words": "words",
    "by-code": "system code",
    "from": "resource value_set version",
    "further-entries": "resources",
    "without-id": "type",
}


class SectionNotes(Part):
    """What a card says where a section of the chart was not read, not completely, or with entries left over."""

    not_obtained: str
    not_complete: str
    unread: str


class Phrases(Part):
    """The part of text/phrases.<lang>.yaml that every topic has."""

    evidence: str
    more: str
    and_: str = msgspec.field(name="and")
    standings: dict[str, str]
    since: str
    performed: str
    recorded_on: str
    entered: str
    no_date: str
    unconfirmed: str
    finding: str
    words: str
    by_code: str
    by_text: str
    from_: str = msgspec.field(name="from")
    further_entries: str
    without_id: str


class PageWords(Part):
    """The whole of patient_pages/words.<lang>.yaml."""

    language: str
    sources: str
    reviewed: str
    general: str
