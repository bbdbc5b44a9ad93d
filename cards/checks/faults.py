"""Faults of the content as lines of text, `file:line: what is wrong`, and how to find that line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import yaml

from cards.content.files import ContentError, compose, line_of_node, parse_yaml, read_text
from cards.content.rules import Step
from cards.content.texts import Text

T = TypeVar("T")

_CITATION = re.compile(r"\[([a-z0-9-]+)\](?!\()")


def fault_at(path: Path, what: str, *steps: Step) -> str:
    """`file:line: what`, the line that of the deepest node of YAML, JSON or a text's head which these steps lead to."""
    try:
        source = read_text(path)
        head = source.split("\n---\n", 1)[0] if path.suffix == ".md" else source
        node = compose(head)
    except (ContentError, yaml.YAMLError):
        node = None
    return str(ContentError(path, what, line_of_node(node, steps)))


def with_line(fault: ContentError, path: Path) -> str:
    """The fault of loading `path` with its line: as it says, else of the byte that it names, else the first."""
    place, _, what = str(fault).partition(": ")
    if re.search(r":\d+$", place):
        return str(fault)
    byte = re.search(r"byte (\d+)", what)
    line = path.read_bytes()[: int(byte[1])].count(b"\n") + 1 if byte else 1
    return str(ContentError(path, what, line))


def load_or_report(faults: list[str], path: Path, load: Callable[[Path], T]) -> T | None:
    """What `load` makes of the file; None where it cannot be loaded, which is one more of `faults`."""
    try:
        return load(path)
    except ContentError as fault:
        faults.append(with_line(fault, path))
        return None


def load_words(faults: list[str], path: Path, shape: type[T]) -> T | None:
    """A file of words in YAML; None where it cannot be loaded, which is one more of `faults`."""
    return load_or_report(faults, path, lambda path: parse_yaml(path, read_text(path), shape))


def body_lines(text: Text) -> list[tuple[int, str]]:
    """Every line of a text's body, with its number in the file."""
    lines = read_text(text.path).split("\n")
    return list(enumerate(lines, start=1))[text.first_line - 1 :]


def citations(text: Text) -> list[tuple[int, str]]:
    """Every citation with its line, in the order of the text."""
    return [(line, key) for line, words in body_lines(text) for key in _CITATION.findall(words)]
