"""US spelling and idiom, word for word as us_english.yaml has it, in all English that a clinician or patient reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
import yaml

from cards.content.files import ContentError, compose, parse_yaml, read_text
from cards.topic import Topic

_WORDS = Path(__file__).parent / "us_english.yaml"
_LANGUAGE = "en"
# In service.yaml: titles, journals and authors are quoted, working notes are never shown, the rest is for machines.
_READ_KEYS = frozenset(
    {"title", "description", "usage-requirements", "label", "suspect", "display", "type", "strength", "limits"}
    | {"supports"}
)


class UsEnglish(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """The whole of us_english.yaml: what not to write, and what to write instead."""

    spelling: dict[str, str]
    phrases: dict[str, str]
    for_patients: dict[str, str]


@cache
def load_us_english() -> UsEnglish:
    """The word lists. Raises ContentError."""
    return parse_yaml(_WORDS, read_text(_WORDS), UsEnglish)


def find_word_faults(topic: Topic) -> Iterator[str]:
    """Every word or phrase of the lists, with its line and what to write instead."""
    lists, files = load_us_english(), topic.files
    everywhere = lists.spelling | lists.phrases
    for name in topic.service.text_names():
        yield from _in_file(files.text(name, _LANGUAGE), everywhere)
    yield from _in_file(files.phrases(_LANGUAGE), everywhere)
    for page in topic.service.page_names():
        yield from _in_file(files.patient_page(page, _LANGUAGE), everywhere | lists.for_patients)
    yield from _in_settings(files.service, everywhere)


def _in_file(path: Path, words: Mapping[str, str]) -> Iterator[str]:
    try:
        lines = read_text(path).split("\n")
    except ContentError:  # a fault of its own
        return
    for number, line in enumerate(lines, start=1):
        yield from _in_line(path, number, line, words)


def _in_settings(path: Path, words: Mapping[str, str]) -> Iterator[str]:
    """The lines of service.yaml that somebody reads: those of the values of these keys."""
    root = compose(read_text(path))
    for line, value in _read_values(root, None, is_evidence=False):
        yield from _in_line(path, line, value, words)


def _read_values(node: yaml.Node | None, key: str | None, *, is_evidence: bool) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            inside = is_evidence or name.value == "evidence"
            is_title = inside and name.value == "title"
            yield from _read_values(child, None if is_title else name.value, is_evidence=inside)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _read_values(child, key, is_evidence=is_evidence)
    elif isinstance(node, yaml.ScalarNode) and key and (key in _READ_KEYS or key.endswith("-label")):
        yield node.start_mark.line + 1, node.value


def _in_line(path: Path, number: int, line: str, words: Mapping[str, str]) -> Iterator[str]:
    for found in _pattern(tuple(words)).finditer(line):
        instead = words[found[0].lower()]
        what = f"“{found[0]}”: write “{instead}”" if instead else f"“{found[0]}” is not said here"
        yield str(ContentError(path, what, number))


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
