"""One broken copy of the lexicon for each fault that the check finds, by file and line."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cards.checks.lexicon import load_words_or_report
from cards.content.files import ContentError
from cards.content.topic_files import SHARED_LEXICON
from cards.topic import Topic
from cards.words.lexicon_files import load_lexicon


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(SHARED_LEXICON, tmp_path / "lexicon")
    return tmp_path / "lexicon"


def check(topic: Topic, copy: Path) -> list[str]:
    faults: list[str] = []
    load_words_or_report(faults, [replace(topic, files=replace(topic.files, shared_lexicon=copy))])
    return faults


def test_the_lexicon_as_it_is_has_no_fault(topic: Topic, copy: Path) -> None:
    assert check(topic, copy) == []


ENTRY = "concepts:\n- concept: fever\n  language: en\n  phrases: [hot to touch]\n"


@pytest.mark.parametrize(
    ("file", "line", "what"),
    [
        pytest.param(ENTRY.replace("phrases", "phrase"), 4, "unknown field `phrase`", id="an unknown key"),
        pytest.param(ENTRY.replace("en", "xx"), 3, "Invalid enum value 'xx'", id="an unknown language"),
        pytest.param(ENTRY + "  needs: [legwords]\n", 2, "no list has this name", id="a list that is not there"),
        pytest.param(ENTRY + "  hides: [knee]\n", 2, "no concept has this name", id="a concept that is not there"),
        pytest.param(ENTRY + "  pattern: '(hot'\n  pattern-words: [hot]\n", 2, "does not compile", id="a pattern"),
        pytest.param(
            ENTRY + "  pattern: '(?:\\w+ )+hot'\n  pattern-words: [hot]\n", 2, "take forever", id="a repeat of a repeat"
        ),
        pytest.param(ENTRY + "  pattern: 'hot'\n", 2, "needs pattern-words", id="a pattern without words"),
        pytest.param(
            ENTRY.replace("[hot to touch]", "[hot to touch, Hot-to-touch]"), 2, "is listed twice", id="a phrase twice"
        ),
        pytest.param(ENTRY.replace("[hot to touch]", "[febrile]"), 2, "is listed twice", id="a phrase of another file"),
        pytest.param(
            ENTRY.replace("[hot to touch]", "['...', ' ']"), 2, "without a word", id="a phrase without a word"
        ),
        pytest.param(ENTRY.replace("fever", "fevr"), 2, "there is no value set 'fevr'", id="words of no value set"),
        pytest.param(ENTRY + "  not-words: [to touch]\n", 2, "can never count", id="a phrase that its entry refuses"),
        pytest.param("small-words:\n  ands: [and]\n", 2, "is none of and", id="an unknown kind of small words"),
    ],
)
def test_a_fault_names_file_and_line(topic: Topic, copy: Path, file: str, line: int, what: str) -> None:
    (copy / "site.yaml").write_text(file, encoding="utf-8")
    faults = [fault for fault in check(topic, copy) if fault.startswith("lexicon/site.yaml")]
    assert any(re.match(rf"lexicon/site\.yaml:{line}: .*{re.escape(what)}", fault) for fault in faults), check(
        topic, copy
    )


def test_a_file_that_is_not_utf_8_is_refused_by_name(copy: Path) -> None:
    (copy / "red-flags.yaml").write_bytes(b"\xff")
    with pytest.raises(ContentError, match=r"red-flags\.yaml.*UTF-8"):
        load_lexicon([copy])


def test_a_file_that_is_missing_is_noticed_by_the_concepts_that_others_name(copy: Path) -> None:
    """A lexicon is whatever files its folders hold, so no name of a file is known."""
    (copy / "red-flags.yaml").unlink()
    with pytest.raises(ContentError, match="hides 'meningitis', and no concept has this name"):
        load_lexicon([copy])
