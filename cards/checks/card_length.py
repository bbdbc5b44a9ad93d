"""How long a card is: about four words are read in a second, and a card that interrupts has eleven seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from cards.card import Card
from cards.content.files import ContentError
from cards.content.phrases import SectionNotes
from cards.content.texts import Text, fill
from cards.topic import Topic
from cards.writing.card_parts import write_detail, write_sources

MOST_WORDS_BEFORE_SOURCES = 60
MOST_WORDS = 90

_LINK_TARGET = re.compile(r"\]\([^)]*\)")
_WORD = re.compile(r"\S*\w\S*")


def count_words(markdown: str) -> int:
    """The words that a reader sees; the address of a link is none."""
    return len(_WORD.findall(_LINK_TARGET.sub("]", markdown)))


def count_card_words(card: Card, in_this_chart: str) -> tuple[int, int]:
    """The words of a card's detail before its sources and in all, without its findings and their heading."""
    blocks = [block for block in card.detail.split("\n\n") if not block.startswith(f"**{in_this_chart}**")]
    before = count_words("\n\n".join(blocks))
    return before, before + count_words(card.sources)


def find_length_faults(topic: Topic, texts: Mapping[str, Text]) -> Iterator[str]:
    """Every detail that grows too long with the longest line on what was not checked; findings are not counted."""
    longest = _longest_not_checked(topic)
    for names in topic.rules.details:
        together = [texts[name] for name in names if name in texts]
        cited = {key for text in together for key in text.cited}
        if len(together) < len(names) or not cited <= topic.service.evidence.keys():  # a fault of its own
            continue
        before = count_words(write_detail(together, (), longest, topic))
        in_all = before + count_words(write_sources(together, topic))
        for words, most, where in (
            (before, MOST_WORDS_BEFORE_SOURCES, "before the sources"),
            (in_all, MOST_WORDS, "with the sources"),
        ):
            if words > most:
                what = f"a card of {' and '.join(names)} grows to {words} words {where}, more than {most}"
                yield str(ContentError(together[0].path, what, together[0].first_line))


def _longest_not_checked(topic: Topic) -> str:
    notes = [_longest(note) for note in topic.section_notes.values()]
    return fill(topic.phrases.not_checked, {"what": ", ".join(notes)}) if notes else ""


def _longest(notes: SectionNotes) -> str:
    unread = fill(notes.unread, {"count": "99"})
    choices: Sequence[str] = (notes.not_obtained, notes.not_complete, unread)
    return max(choices, key=count_words)
