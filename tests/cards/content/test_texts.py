"""Texts: what comes from a chart is escaped, placeholders are filled, citations numbered."""

from __future__ import annotations

import html
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cards.content.files import ContentError
from cards.content.texts import Citations, Markdown, Text, escape, fill, fill_plain, load_text, uncited_lines

few = settings(max_examples=100, deadline=None)
GITHUB = MarkdownIt("gfm-like", {"linkify": False})
TAG = re.compile(r"<[^>]*>")


def cleaned(text: str) -> str:
    """The words a reader should see: printable, one line, composed, at most 90 characters."""
    printable = "".join(" " if char.isspace() else char for char in text if char.isspace() or char.isprintable())
    words = " ".join(unicodedata.normalize("NFC", printable).split())
    return words if len(words) <= 90 else words[:89].rstrip() + "…"


def shown(markdown: str) -> str:
    """What the Markdown shows, as a card has it: amid a sentence. Fails on anything but one plain paragraph."""
    rendered = GITHUB.render(f"Chart: {markdown}").strip()
    assert TAG.findall(rendered) == ["<p>", "</p>"], rendered
    return html.unescape(TAG.sub("", rendered)).removeprefix("Chart:").removeprefix(" ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Spinal stenosis, lumbar (L4-L5)", id="plain words"),
        pytest.param("<script>alert(1)</script>", id="a script"),
        pytest.param("<img src=x onerror=alert(1)>", id="an image with a handler"),
        pytest.param("a < b > c & d &amp; &lt; &#60;", id="comparison signs and entities"),
        pytest.param("[click](javascript:alert(1))", id="a link"),
        pytest.param("![x](http://evil.example/x.png)", id="an image"),
        pytest.param("[x][y] [y]: http://evil.example", id="a reference link"),
        pytest.param("<http://evil.example>", id="an autolink"),
        pytest.param("http://evil.example", id="a bare address"),
        pytest.param("www.evil.example", id="a bare address without scheme"),
        pytest.param("WWW.evil.example and jane@evil.example", id="capital letters and an e-mail address"),
        pytest.param("**bold** _italic_ ~~struck~~ `code` ``x``", id="emphasis"),
        pytest.param("a | b | c", id="a table"),
        pytest.param("# heading", id="a heading"),
        pytest.param("back\\slash \\* \\< trailing \\", id="backslashes"),
        pytest.param("{not_read} {evidence}", id="our own placeholders"),
        pytest.param("[spineinfo]", id="our own citations"),
        pytest.param("```html", id="a fence"),
        pytest.param("footnote[^1] :smile: #12 @someone", id="GitHub's own references"),
        pytest.param("$x^2$ <!-- comment -->", id="formulas and comments"),
        pytest.param("Estenosis — “ñ” 脊柱管狭窄症 😀", id="other scripts"),
    ],
)
def test_chart_words_are_shown_as_they_are(text: str) -> None:
    escaped = escape(text)
    assert shown(escaped) == text
    assert "<" not in escaped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\n\n# b", "a # b", id="line breaks are blanks"),
        pytest.param("a\u2028b\u2029c\u0085d\vf", "a b c d f", id="so are all other separators"),
        pytest.param("  a \t  b ", "a b", id="blanks are one blank"),
        pytest.param("a\u202egnp.exe", "agnp.exe", id="a reversal of direction is gone"),
        pytest.param("a\u200bb\u0000c\u001b[31md", "abc[31md", id="what cannot be seen is gone"),
        pytest.param("Puncio\u0301n", "Punción", id="accents are composed"),
        pytest.param("", "", id="nothing stays nothing"),
        pytest.param("\u200b \n", "", id="nothing to see is nothing"),
        pytest.param("x" * 90, "x" * 90, id="ninety characters stay"),
        pytest.param("x" * 91, "x" * 89 + "…", id="more are cut"),
        pytest.param("x" * 88 + " " + "y" * 9, "x" * 88 + "…", id="and never end in a blank"),
        pytest.param("*" * 91, "*" * 89 + "…", id="the cut counts what is seen"),
    ],
)
def test_chart_words_are_cleaned(text: str, expected: str) -> None:
    assert shown(escape(text)) == expected


@few
@given(st.text(max_size=120) | st.text(st.sampled_from("<>&[]()!*_~`#|\\:@{}w. \nax1"), max_size=60))
@example("\\<script>")
@example("<\u0338b>")
@example("&\u200blt;script>")
@example("w\u200bww.evil.example")
def test_whatever_a_chart_holds_is_shown_and_nothing_else(text: str) -> None:
    escaped = escape(text)
    assert shown(escaped) == cleaned(text)
    assert "<" not in escaped
    assert "\n" not in escaped


def test_chart_text_is_escaped_in_a_template_and_our_own_markdown_is_not() -> None:
    filled = fill("**{name}**: {words}", {"name": Markdown("*ours*"), "words": "*theirs* {name}"})
    assert filled == r"***ours***: \*theirs\* \{name\}"
    assert fill_plain("{a} and {a}", {"a": "x*"}) == "x* and x*"


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("{name}", {})


def test_evidence_is_numbered_in_the_order_of_its_first_citation() -> None:
    citations = Citations()
    marked = citations.mark("One [b]. Two [a] [b]. Three [c].")
    assert re.fullmatch("One¹. Two¹.². Three³.", marked.replace("\\", "")), marked
    assert citations.mark("Again [a], a link [c](http://x).") == "Again², a link [c](http://x)."
    assert citations.keys == ("b", "a", "c")


def text_file(folder: Path, content: str) -> Text:
    path = folder / "card.en.md"
    path.write_text(content, encoding="utf-8")
    return load_text(path)


def test_a_block_with_nothing_to_say_is_left_out(tmp_path: Path) -> None:
    text = text_file(tmp_path, "---\nsummary: Short.\n---\nFirst [a].\n\n**Head**\n{list}\n\nLast [b].\n")
    assert text.head == {"summary": "Short."}
    assert text.body({"list": Markdown("- x")}, Citations()) == "First¹.\n\n**Head**\n- x\n\nLast²."
    assert text.body({"list": ""}, Citations()) == "First¹.\n\nLast²."
    assert text.plain_body == "First.\n\n**Head**\n{list}\n\nLast."
    assert text.cited() == {"a", "b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("No head.\n", "en.md:1", id="no head"),
        pytest.param("---\nsummary: x\nText.\n", "en.md:1", id="a head that does not end"),
        pytest.param("Before\n---\nsummary: x\n---\nText.\n", "en.md:1", id="words before the head"),
        pytest.param("---\nsummary: x\nsummary: y\n---\nText.\n", "en.md:3.*twice", id="a key that stands twice"),
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
