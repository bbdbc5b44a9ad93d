"""Texts and phrases: faults of evidence, heads, placeholders, and summaries that are too long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from cards.checks.card_length import find_length_faults
from cards.checks.faults import body_lines, citations, fault_at, load_words
from cards.content.files import ContentError
from cards.content.phrases import PLACEHOLDERS_OF_PHRASES, Phrases
from cards.content.placeholders import BARE, PLACEHOLDER, Filled, needs
from cards.content.rules import ContentRules, Step
from cards.content.service import Service
from cards.content.texts import Text, uncited_lines
from cards.record.chart_entry import Standing
from cards.topic import Topic
from cards.writing.wording import LONGEST_SUMMARY

_NOT_ORDINARY = frozenset(standing.value for standing in (Standing.RESOLVED, Standing.UNFINISHED, Standing.NOT_DONE))


def find_card_faults(topic: Topic, texts: Mapping[str, Text], path: Path) -> list[str]:
    """Every fault of the phrases at `path` and of the texts in the same language, as far as they could be loaded."""
    faults: list[str] = []
    rules = topic.rules
    phrases = load_words(faults, path, type(topic.phrases))
    misfilled = (
        [*find_placeholder_faults(path, phrases, {**PLACEHOLDERS_OF_PHRASES, **rules.phrases})] if phrases else []
    )
    faults += [*misfilled, *(_missing_words(path, phrases, rules) if phrases else ())]
    for name, text in texts.items():
        body, heads = rules.texts.get(name, (BARE, {}))
        faults += [*find_text_faults(text, body, topic.service, by_sentence=True), *_head_faults(text, heads)]
        if phrases and not misfilled:
            faults += _summary_faults(name, text, heads, phrases, rules)
    if phrases and not misfilled:
        faults += find_length_faults(topic, texts)
    return faults


def find_text_faults(text: Text, filled: Filled, service: Service, *, by_sentence: bool) -> Iterator[str]:
    """`by_sentence`: in a card every sentence cites; a patient should not stumble over a number at every full stop."""
    path = text.path
    for line in uncited_lines(text, by_sentence=by_sentence):
        yield str(ContentError(path, "no evidence; end it with [key]", line))
    for line, key in citations(text):
        if key not in service.evidence:
            yield str(ContentError(path, f"cites {key!r}, which service.yaml does not have", line))
    placeholders = [(line, name) for line, words in body_lines(text) for name in PLACEHOLDER.findall(words)]
    for line, name in placeholders:
        if name not in filled.needed | filled.offered:
            yield str(ContentError(path, f"nothing fills {{{name}}}", line))
    for name in sorted(filled.needed - {name for _, name in placeholders}):
        yield str(ContentError(path, f"the card needs {{{name}}}, which is missing", text.first_line))


def find_missing_heads(text: Text, keys: Iterable[str]) -> Iterator[str]:
    """The lines that the head of a text has to have and has not."""
    for key in keys:
        if not text.head.get(key):
            yield fault_at(text.path, f"the head has no {key}", key)


def find_placeholder_faults(path: Path, words: msgspec.Struct, table: Mapping[str, str]) -> Iterator[str]:
    """Lines of a file of words whose placeholders are not exactly those that the code fills."""
    for key, value in msgspec.to_builtins(words).items():
        lines = {(key, inner): line for inner, line in value.items()} if isinstance(value, dict) else {(key,): value}
        for way, line in lines.items():
            yield from _misfilled(path, ".".join(way), line, needs(table.get(".".join(way), "")), way)


def _head_faults(text: Text, heads: Mapping[str, Filled]) -> Iterator[str]:
    yield from find_missing_heads(text, heads)
    for key, line in text.head.items():
        if key not in heads:
            yield fault_at(text.path, f"the card does not use {key}", key)
        else:
            yield from _misfilled(text.path, key, line, heads[key], (key,))


def _misfilled(path: Path, name: str, words: str, filled: Filled, way: tuple[Step, ...]) -> Iterator[str]:
    placeholders = set(PLACEHOLDER.findall(words))
    for placeholder in sorted(placeholders - filled.needed - filled.offered):
        yield fault_at(path, f"{name}: nothing fills {{{placeholder}}}", *way)
    if words:
        for placeholder in sorted(filled.needed - placeholders):
            yield fault_at(path, f"{name} needs {{{placeholder}}}, which is missing", *way)


def _missing_words(path: Path, phrases: Phrases, rules: ContentRules) -> Iterator[str]:
    """Words that the code looks up by a value have to be there, and no others."""
    groups = {"standings": _NOT_ORDINARY, **rules.phrase_keys}
    words = msgspec.to_builtins(phrases)
    for key, values in groups.items():
        for value in sorted(values - words[key].keys()):
            yield fault_at(path, f"{key}: no words for {value!r}", key)
        for value in sorted(words[key].keys() - values):
            yield fault_at(path, f"{key}: the cards do not use {value!r}", key, value)


def _summary_faults(
    name: str, text: Text, heads: Mapping[str, Filled], phrases: Phrases, rules: ContentRules
) -> Iterator[str]:
    """Every summary stays under 140 characters (R-4.21), whatever a chart may hold; words that are added only where
    they fit are not counted.
    """
    for key, summary in text.head.items():
        filled = heads.get(key, BARE)
        known = set(PLACEHOLDER.findall(summary)) <= filled.needed | filled.offered
        if key.startswith("summary") and known:
            longest = rules.longest_summary(name, key, summary, phrases)
            if len(longest) > LONGEST_SUMMARY:
                what = f"{key} grows to {len(longest)} characters, more than {LONGEST_SUMMARY}: {longest}"
                yield fault_at(text.path, what, key)
