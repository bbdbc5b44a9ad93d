"""Reading content files strictly: every fault names the file and, where YAML is concerned, the line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from cards.content.rules import Step

T = TypeVar("T")
_UNKNOWN = re.compile(r"unknown field `(.+)`")


class ContentError(Exception):
    """A content file that must not be served. The message is `file:line: what is wrong`."""

    def __init__(self, path: Path, what: str, line: int | None = None) -> None:
        self.path = path
        place = f"{path.parent.name}/{path.name}" + (f":{line}" if line else "")
        super().__init__(f"{place}: {what}")


# libyaml's parser where PyYAML was built with it, as its wheels are: a start takes half the time.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Refuses repeated keys, of which PyYAML keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is listed twice", problem_mark=key_node.start_mark)
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def is_content(path: Path) -> bool:
    """Whether this is a content file, and not a backup or lock file of an editor."""
    return path.suffix in (".yaml", ".md", ".json") and not path.name.startswith(".") and path.is_file()


def read_text(path: Path) -> str:
    """The file's text. Raises ContentError where it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ContentError(path, "the file is missing") from None
    except UnicodeDecodeError as cause:
        raise ContentError(path, f"not UTF-8 at byte {cause.start}") from None


def line_of(text: str, words: str) -> int | None:
    """The line, from 1, where these words first stand; None where they do not."""
    before, match, _ = text.partition(words)
    return before.count("\n") + 1 + len(words) - len(words.lstrip("\n")) if match else None


def parse_yaml(path: Path, text: str, shape: type[T], first_line: int = 1) -> T:
    """`text`, which stands in `path` from `first_line` on, as `shape`. Unknown and repeated keys are refused.

    Raises ContentError.
    """
    try:
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader, only stricter
    except yaml.MarkedYAMLError as cause:
        line = first_line + cause.problem_mark.line if cause.problem_mark else None
        raise ContentError(path, cause.problem or "not YAML", line) from None
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as cause:
        what, _, where = str(cause).partition(" - at ")
        unknown = _UNKNOWN.search(what)
        steps = _steps(where.strip("`") + (f".{unknown[1]}" if unknown else ""))
        line = first_line - 1 + line_of_node(compose(text), steps)
        raise ContentError(path, f"{what} (at {where.strip('`') or '$'})", line) from None


@lru_cache(maxsize=8)
def compose(text: str) -> yaml.Node | None:
    """YAML or JSON as nodes, which know their lines. Raises yaml.YAMLError. One file may have many faults."""
    return yaml.compose(text, Loader=_SafeLoader)


def line_of_node(node: yaml.Node | None, steps: Iterable[Step]) -> int:
    """The line, from 1, of the deepest node below this one that these steps lead to."""
    line = 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _steps(where: str) -> Iterable[Step]:
    """The steps of a msgspec path such as `$.evidence[...].url`, without what it does not name."""
    for step in where.removeprefix("$").replace("[...]", "").replace("[", ".[").split("."):
        if step:
            yield int(step[1:-1]) if step.startswith("[") else step
