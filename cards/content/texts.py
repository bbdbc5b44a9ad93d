"""Texts: Markdown files with a head, placeholders and citations. What comes from a chart is escaped on its way in.

A text file is YAML between two `---` lines (the card's summary and other single lines), then the Markdown body.
`{name}` is a placeholder; a block (text between blank lines) with a placeholder that has nothing to say is left out.
`[key]` before the full stop cites the evidence of that key in service.yaml.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cards.content.files import ContentError, parse_yaml, read_text

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_CITATIONS = re.compile(r"(?:\s*\[[a-z0-9-]+\](?!\())+")
_KEY = re.compile(r"\[([a-z0-9-]+)\]")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~!#:@{}]|(?<=www)\.)", re.IGNORECASE)
_HEADING = re.compile(r"\*\*[^*]+\*\*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z¿¡*])")
_LONGEST_CHART_WORDS = 90  # characters; longer than any display in our value sets
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Markdown(str):
    """Text that is Markdown of ours, or chart text that has been escaped: safe to stand in a card's detail."""

    __slots__ = ()


def escape(text: str) -> Markdown:
    """Chart text as Markdown that shows these very words: no markup, no HTML, no link, one line, bounded length."""
    start = text[: 4 * _LONGEST_CHART_WORDS]  # room for what is not shown
    if not start.isprintable():
        start = "".join(" " if char.isspace() else char for char in start if char.isspace() or char.isprintable())
    words = " ".join(unicodedata.normalize("NFC", start).split())
    if len(words) > _LONGEST_CHART_WORDS:
        words = words[: _LONGEST_CHART_WORDS - 1].rstrip() + "…"
    marked = _MARKDOWN.sub(r"\\\1", words)
    return Markdown(marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def fill(template: str, values: Mapping[str, str]) -> Markdown:
    """`template` with every placeholder filled: Markdown as it is, any other text escaped.

    Raises KeyError for a placeholder without a value.
    """

    def value_of(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value if isinstance(value, Markdown) else escape(value)

    return Markdown(_PLACEHOLDER.sub(value_of, template))


def fill_plain(template: str, values: Mapping[str, str]) -> str:
    """`template` filled for plain text (a summary, a label): values of our own only, none from a chart."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


class Citations:
    """Numbers the evidence in the order in which a card cites it."""

    def __init__(self) -> None:
        self.keys: tuple[str, ...] = ()

    def mark(self, text: str) -> Markdown:
        """`text` with each run of citations as superscript numbers."""
        marked, self.keys = _marked(text, self.keys)
        return marked


@lru_cache(maxsize=4096)  # a few dozen texts of our own, each after a few sets of others
def _marked(text: str, known: tuple[str, ...]) -> tuple[Markdown, tuple[str, ...]]:
    """`text` with its citations numbered, and the keys cited by now; `known` are those that have a number already."""
    keys = list(known)

    def numbers(match: re.Match[str]) -> str:
        cited = _KEY.findall(match[0])
        keys.extend(key for key in dict.fromkeys(cited) if key not in keys)
        return ",".join(str(place).translate(_SUPERSCRIPT) for place in sorted(keys.index(key) + 1 for key in cited))

    return Markdown(_CITATIONS.sub(numbers, text)), tuple(keys)


@dataclass(frozen=True)
class Text:
    """One text file, read."""

    path: Path
    head: Mapping[str, str]
    blocks: tuple[str, ...]
    first_line: int  # of the body, for messages

    def body(self, values: Mapping[str, str], citations: Citations) -> Markdown:
        """The body, citations numbered, blocks with nothing to say left out."""
        said = (block for block, names in self._placeholders if all(values[name] for name in names))
        return Markdown("\n\n".join(fill(citations.mark(block), values) for block in said))

    @cached_property
    def _placeholders(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple((block, tuple(_PLACEHOLDER.findall(block))) for block in self.blocks)

    @cached_property
    def plain_body(self) -> str:
        """The body without citations, for a text that leaves the card (the patient instruction)."""
        return _CITATIONS.sub("", "\n\n".join(self.blocks))

    def cited(self) -> frozenset[str]:
        """The keys of all evidence the body cites."""
        return frozenset(key for run in _CITATIONS.findall("\n".join(self.blocks)) for key in _KEY.findall(run))


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
