"""Texts: Markdown files with a head, placeholders and citations.

A text file is YAML between two `---` lines (the card's summary and other single lines), then the Markdown body.
`{name}` is a placeholder. `[key]` before the full stop cites the evidence of that key in service.yaml; a card or page
shows the sentence without it, and its sources once at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cards.content.files import ContentError, parse_yaml, read_text

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_CITATIONS = re.compile(r"(?:\s*\[[a-z0-9-]+\](?!\())+")
_KEY = re.compile(r"\[([a-z0-9-]+)\]")
_HEADING = re.compile(r"\*\*[^*]+\*\*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z¿¡*])")


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with every placeholder filled. No value is text of a chart. Raises KeyError where one is missing."""
    parts = _split(template).copy()
    parts[1::2] = [values[name] for name in parts[1::2]]
    return "".join(parts)


@lru_cache(maxsize=1_024)
def _split(template: str) -> list[str]:
    """What stands between the placeholders of a template and, in every second place, their names."""
    return _PLACEHOLDER.split(template)


@dataclass(frozen=True)
class Statement:
    """One sentence of a text, without its citations, and the keys of the evidence it cites."""

    words: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Text:
    """One text file, read."""

    path: Path
    head: Mapping[str, str]
    blocks: tuple[str, ...]
    first_line: int  # of the body, for messages

    @cached_property
    def body(self) -> str:
        """The body without its citations."""
        return _CITATIONS.sub("", "\n\n".join(self.blocks))

    @cached_property
    def cited(self) -> tuple[str, ...]:
        """The keys of all evidence that the body cites, in its order, each once."""
        runs = _CITATIONS.findall("\n".join(self.blocks))
        return tuple(dict.fromkeys(key for run in runs for key in _KEY.findall(run)))

    def statements(self) -> Iterator[Statement]:
        """Every sentence of the body that cites something, bullets and headings gone."""
        for line in "\n".join(self.blocks).split("\n"):
            for sentence in _SENTENCE_END.split(line.strip().removeprefix("- ")):
                keys = dict.fromkeys(_KEY.findall(" ".join(_CITATIONS.findall(sentence))))
                if keys:
                    yield Statement(_CITATIONS.sub("", sentence), tuple(keys))


def load_text(path: Path) -> Text:
    """Read one text file. Raises ContentError."""
    parts = read_text(path).split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise ContentError(path, "a text begins with a head between two lines of ---", 1)
    head = parse_yaml(path, parts[1], dict[str, str], first_line=2)
    blocks = tuple(block.strip("\n") for block in re.split(r"\n\s*\n", parts[2].strip()) if block.strip())
    return Text(path, head, blocks, 3 + parts[1].count("\n"))


def uncited_lines(text: Text, *, by_sentence: bool) -> list[int]:
    """The lines of the file that say something and cite nothing; with `by_sentence`, every sentence has to cite.

    Headings, lines that lead on to a list and bare placeholders say nothing of their own.
    """
    lines = read_text(text.path).split("\n")
    uncited = []
    for number in range(text.first_line, len(lines) + 1):
        line = lines[number - 1].strip().removeprefix("- ")
        if line.startswith("#") or line.endswith(":") or _HEADING.fullmatch(line) or not _PLACEHOLDER.sub("", line):
            continue
        sentences = _SENTENCE_END.split(line) if by_sentence else [line]
        if not all(_CITATIONS.search(sentence) for sentence in sentences):
            uncited.append(number)
    return uncited
