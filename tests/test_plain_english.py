"""Everything that a person reads is plain American English: no phrase of plain_english.yaml, no British spelling."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
import yaml
from flask.testing import FlaskClient

from cards.checks.us_english import load_us_english
from cds_service.cli.main import main
from tests.places import INSTALLED, ROOT


class PlainEnglish(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    """The whole of plain_english.yaml."""

    spelling: dict[str, str]
    phrases: dict[str, str]
    in_messages: dict[str, str]
    cards_only: list[str]


LISTS = msgspec.convert(
    yaml.safe_load((ROOT / "tests" / "plain_english.yaml").read_text(encoding="utf-8")), PlainEnglish
)
US_ENGLISH = load_us_english()
SPELLING = US_ENGLISH.spelling | LISTS.spelling
INSTEAD = {
    phrase.lower(): instead
    for phrase, instead in (SPELLING | US_ENGLISH.phrases | LISTS.phrases).items()
    if phrase not in LISTS.cards_only
}
_ANY = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in INSTEAD)
PHRASES = re.compile(rf"(?<!\w)(?:{_ANY})(?!\w)", re.IGNORECASE)  # a line may end within a phrase
PATTERNS = {re.compile(pattern): instead for pattern, instead in LISTS.in_messages.items()}

DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
MODULES = [path for package in ("cards", "cds_service", "deploy") for path in sorted((ROOT / package).rglob("*.py"))]
PAGES = [path for kind in ("*.html", "*.js") for path in sorted((ROOT / "cds_service").rglob(kind))]
OTHERS = [ROOT / "Makefile", *sorted((ROOT / "deploy").rglob("*.yaml")), *sorted((ROOT / "deploy").rglob("*.toml"))]


def phrase_faults(text: str) -> Iterator[str]:
    """Every phrase that should not be there, with its line in `text` and what to write instead."""
    for found in PHRASES.finditer(text):
        phrase = re.sub(r"\s+", " ", found[0])
        yield _fault(text, found.start(), phrase, INSTEAD[phrase.lower()])


def message_faults(text: str) -> Iterator[str]:
    """As `phrase_faults`, and what only a message must not have."""
    yield from phrase_faults(text)
    for pattern, instead in PATTERNS.items():
        for found in pattern.finditer(text):
            yield _fault(text, found.start(), found[0], instead)


def _fault(text: str, at: int, phrase: str, instead: str) -> str:
    return f"line {text.count(chr(10), 0, at) + 1}: “{phrase}”: write “{instead}”" if instead else f"“{phrase}”"


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string in a Python source, docstrings left out. Values in an f-string are "…"."""
    tree = ast.parse(source)
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.lineno, node.value


def commands(command: click.Command, path: str = "cds-service") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}")


COMMANDS = dict(commands(main))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_document(document: Path) -> None:
    text = re.sub(
        r"(?<!`)`[^`\n]+`(?!`)", "`…`", document.read_text(encoding="utf-8")
    )  # names, and messages, which have their test
    assert list(phrase_faults(text)) == []


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_the_messages_of_a_module(module: Path) -> None:
    said = messages(module.read_text(encoding="utf-8"))
    assert [f"line {line}: {fault}" for line, text in said for fault in message_faults(text)] == []


def test_comments_and_docstrings_are_spelled_as_in_the_us() -> None:
    british = re.compile(rf"(?<!\w)(?:{'|'.join(SPELLING)})(?!\w)", re.IGNORECASE)
    bench = (path for path in (ROOT / "bench").rglob("*.py") if INSTALLED not in path.parents)
    modules = [*MODULES, *sorted(bench)]
    found = {named(path): british.findall(path.read_text(encoding="utf-8")) for path in modules}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_and_its_script(page: Path) -> None:
    assert list(message_faults(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("file", OTHERS, ids=named)
def test_what_an_operator_reads(file: Path) -> None:
    assert list(message_faults(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command(name: str) -> None:
    command = COMMANDS[name]
    shown = command.get_help(click.Context(command, info_name=name, max_content_width=10_000))
    assert list(message_faults(shown)) == []


def test_the_api_document(client: FlaskClient) -> None:
    texts = json.dumps(client.get("/openapi.json").get_json(), ensure_ascii=False, indent=0)
    assert "cds-services" in texts
    assert list(message_faults(texts)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("the body is\n  no JSON", "line 1: “is no JSON”: write “is not JSON”"),
        ("one\nthe database Is Away", "line 2: “Is Away”: write “is unavailable”"),
        ("the behaviour", "line 1: “behaviour”: write “behavior”"),
        ("2 fault(s)", "line 1: “fault(s)”: write “faults”"),
        ("every ValueSet is a value set", None),
        ("this is awayward", None),
    ],
)
def test_phrases_are_found_as_whole_words_across_lines(text: str, fault: str | None) -> None:
    assert list(phrase_faults(text)) == ([fault] if fault else [])


def test_messages_are_the_strings_of_a_module_without_its_docstrings() -> None:
    source = '"""Docstring."""\nraise Problem(f"there are {n} things")\nTEXT = "said (R-6.4)"\n'
    assert sorted(messages(source)) == [(2, "there are … things"), (3, "said (R-6.4)")]
    assert list(message_faults("said (R-6.4)")) == ["line 1: “(R-6.4)”: write “no rule number; say the rule”"]
