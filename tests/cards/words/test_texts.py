"""The words of the lexicon, by short texts of many kinds: orders, reasons, denial lists, traps, in seven languages."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from cards.content.files import parse_yaml, read_text
from cards.content.topic_files import SHARED_LEXICON
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import load_lexicon
from cards.words.mention import Mention

_FILE = Path(__file__).with_name("texts.yaml")
TEXTS = parse_yaml(_FILE, read_text(_FILE), list[dict[str, Any]])
COMPARED = frozenset(concept for text in TEXTS for concept in text["means"])


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(load_lexicon([SHARED_LEXICON]))


def by_concept(mentions: tuple[Mention, ...]) -> dict[str, list[Mention]]:
    grouped = defaultdict(list)
    for mention in mentions:
        if mention.concept in COMPARED:
            grouped[mention.concept].append(mention)
    return grouped


@pytest.mark.parametrize("expected", [pytest.param(text, id=text["text"]) for text in TEXTS])
def test_a_text_means_what_a_clinician_means_by_it(lexicon: Lexicon, expected: dict[str, Any]) -> None:
    mentions = by_concept(lexicon.read(expected["text"]))
    said = {concept: sorted({str(one.assertion) for one in each}) for concept, each in mentions.items()}
    means = expected["means"].items()
    assert said == {concept: sorted(one) if isinstance(one, list) else [one] for concept, one in means}
    for concept, kinds in expected.get("modifiers", {}).items():
        assert set(kinds) <= frozenset().union(*(one.modifiers for one in mentions[concept])), concept
    for concept, days in expected.get("days", {}).items():
        assert days in [
            [one.began_days_ago.least, one.began_days_ago.most] for one in mentions[concept] if one.began_days_ago
        ]
    for concept, since in expected.get("since", {}).items():
        assert since in {one.since for one in mentions[concept]}, concept


def test_there_are_enough_texts_and_half_of_them_are_traps() -> None:
    """A trap names nothing that is there: denied, of the past, of the family, feared, or of another place or task."""
    traps = [
        text
        for text in TEXTS
        if "present" not in text["means"].values()
        or any("about" in kinds for kinds in text.get("modifiers", {}).values())
    ]
    assert len(TEXTS) >= 390
    assert len(traps) >= 170


def test_every_decision_names_the_words_that_made_it(lexicon: Lexicon) -> None:
    fever, numbness, puncture, *_ = lexicon.read("No fever, saddle numbness since LP")
    assert fever.because == ("No",)
    assert numbness.because == ("since LP",)
    assert puncture.because == ("since",)
