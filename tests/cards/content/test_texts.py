"""Texts: placeholders are filled, and citations are separate from what a card shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from cards.content.files import ContentError
from cards.content.texts import Statement, Text, fill, load_text, uncited_lines


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{name}", {})


def text_file(folder: Path, content: str) -> Text:
    path = folder / "card.en.md"
    path.write_text(content, encoding="utf-8")
    return load_text(path)


def test_a_card_shows_a_text_without_its_citations(tmp_path: Path) -> None:
    text = text_file(tmp_path, "---\nsummary: Short.\n---\nFirst [b]. A [link](http://x).\n\n- Last [a] [b], too.\n")
    assert text.head == {"summary": "Short."}
    assert text.body == "First. A [link](http://x).\n\n- Last, too."
    assert text.cited == ("b", "a")


def test_every_sentence_is_known_with_its_evidence(tmp_path: Path) -> None:
    text = text_file(tmp_path, "---\n{}\n---\n**Head**\n- One [a]. Two [b], three [a].\n- Nothing.\n")
    assert [*text.statements()] == [Statement("One.", ("a",)), Statement("Two, three.", ("b", "a"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("No head.\n", "en.md:1", id="no head"),
        pytest.param("---\nsummary: x\nText.\n", "en.md:1", id="a head that does not end"),
        pytest.param("Before\n---\nsummary: x\n---\nText.\n", "en.md:1", id="words before the head"),
        pytest.param("---\nsummary: x\nsummary: y\n---\nText.\n", "en.md:3.*twice", id="a key that is listed twice"),
        pytest.param("---\nsummary: [x]\n---\nText.\n", "en.md:2", id="a list in the head"),
        pytest.param("---\na: 'x\n---\nText.\n", "en.md", id="a head that is not YAML"),
    ],
)
def test_a_text_without_a_sound_head_is_refused_by_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        text_file(tmp_path, content)


def test_lines_that_say_something_and_cite_nothing_are_found(tmp_path: Path) -> None:
    body = "# Heading\n\n**Bold heading**\n\n- Cited [a].\n- Not cited.\n\n{list}\n\nOne [a]. Two.\n"
    text = text_file(tmp_path, f"---\nsummary: x\n---\n{body}")
    assert uncited_lines(text, by_sentence=True) == [9, 13]
    assert uncited_lines(text, by_sentence=False) == [9]
