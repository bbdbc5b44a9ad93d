"""The tables of what the code fills in, against the code; their faults are tested with those of all content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from cards.content.phrases import PLACEHOLDERS_OF_PHRASES
from cards.topic import Topic
from cards.topics.lumbar_puncture.card_writing import after_cards, before_cards, complaint_words, finding_words
from cards.writing import card_parts, wording
from tests.content import casebook


class Watched(dict[str, str]):
    """The head of a text, which notes what is asked for."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        super().__init__(lines)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)


def test_the_tables_say_what_the_code_fills(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every vignette is run and watched: which values each phrase gets, what is asked for of each head."""
    filled: dict[str, set[frozenset[str]]] = {}

    def watch(function: Callable[..., Any], seen: dict[str, set[frozenset[str]]], name: Callable[[Any], str]) -> Any:
        def watched(what: Any, values: Mapping[str, str], *rest: Any) -> Any:
            seen.setdefault(name(what), set()).add(frozenset(values))
            return function(what, values, *rest)

        return watched

    for module in (wording, card_parts, before_cards, after_cards, complaint_words, finding_words):
        monkeypatch.setattr(module, "fill", watch(module.fill, filled, str))
    heads = {name: Watched(text.head) for name, text in topic.texts.items()}
    watched = replace(topic, texts={name: replace(text, head=heads[name]) for name, text in topic.texts.items()})
    for vignette in casebook().vignettes:
        casebook().run(vignette, watched)

    table, placeholders = topic.rules.texts, {**PLACEHOLDERS_OF_PHRASES, **topic.rules.phrases}
    asked = {name: head.asked for name, head in heads.items() if head.asked}
    assert asked == {name: set(lines) for name, (_, lines) in table.items() if lines}
    phrases = {
        (key if inner is None else f"{key}.{inner}"): words
        for key, value in msgspec.to_builtins(topic.phrases).items()
        for inner, words in (value.items() if isinstance(value, dict) else [(None, value)])
    }
    told = {key: filled[words] for key, words in phrases.items() if words in filled}
    assert told == {key: {frozenset(placeholders.get(key, "").split())} for key in told}
    assert len(told) > 12
