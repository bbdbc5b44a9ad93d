"""How hard a page is to read: the counts behind the formulas, the formulas, and what of a page is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.checks.reading_grade import fernandez_huerta, find_hard_reading, flesch_kincaid_grade, plain_sentences
from cards.content.texts import load_text
from cards.topic import Topic

ENGLISH = {
    1: "the be pain eyes makes called don't sore spine's leaks blood goes shoes 911 1,000 use care weak numb",
    2: "lumbar puncture needle spinal people headache fluid treated doses eases muscle patient rarely being soreness",
    3: "medicine genitals area serious injury specialist stenosis idea easily examined long-lasting",
    4: "emergency neurologist operation",
}
SPANISH = {
    1: "y muy hay hoy bien que más 911 pues ver",
    2: "punción lumbar día después cuello también oír leer guía nervio lesión",
    3: "espalda aguja área médula líquido ayuda quedarse caída",
    4: "neurólogo cirugía resonancia coágulos",
    5: "especialista articulación adormecida",
}


def words_of(table: dict[int, str]) -> list[object]:
    return [pytest.param(word, count, id=word) for count, words in table.items() for word in words.split()]


@pytest.mark.parametrize(("word", "syllables"), words_of(ENGLISH))
def test_english_syllables(word: str, syllables: int) -> None:
    """One word is one sentence: 0.39 + 11.8 syllables - 15.59."""
    assert flesch_kincaid_grade(word) == pytest.approx(0.39 + 11.8 * syllables - 15.59)


@pytest.mark.parametrize(("word", "syllables"), words_of(SPANISH))
def test_spanish_syllables(word: str, syllables: int) -> None:
    assert fernandez_huerta(word) == pytest.approx(206.84 - 60 * syllables - 1.02)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        pytest.param("The cat sat on the mat.", 0.39 * 6 + 11.8 - 15.59, id="six words of one syllable"),
        pytest.param("Lie down. Call us at once.", 0.39 * 3 + 11.8 - 15.59, id="two sentences"),
        pytest.param("you are numb\nyou are weak", 0.39 * 3 + 11.8 - 15.59, id="lines without a full stop"),
        pytest.param("“Get help.” Read on!", 0.39 * 2 + 11.8 - 15.59, id="a full stop within quotation marks"),
        pytest.param("It took 1,000.5 days.", 0.39 * 4 + 11.8 - 15.59, id="a number is a word, its dot no end"),
        pytest.param(
            "A patient may need a spinal operation.",
            0.39 * 7 + 11.8 * 12 / 7 - 15.59,
            id="twelve syllables, seven words",
        ),
    ],
)
def test_known_english_sentences(text: str, grade: float) -> None:
    """Kincaid et al. 1975: 0.39 words per sentence + 11.8 syllables per word - 15.59."""
    assert flesch_kincaid_grade(text) == pytest.approx(grade)


@pytest.mark.parametrize(
    ("text", "ease"),
    [
        pytest.param("Le duele la espalda.", 206.84 - 60 * 7 / 4 - 1.02 * 4, id="seven syllables, four words"),
        pytest.param("¿Le duele? No espere.", 206.84 - 60 * 7 / 4 - 1.02 * 2, id="two sentences"),
    ],
)
def test_known_spanish_sentences(text: str, ease: float) -> None:
    """Fernández Huerta 1959, corrected: 206.84 - 60 syllables per word - 1.02 words per sentence."""
    assert fernandez_huerta(text) == pytest.approx(ease)


@pytest.mark.parametrize("formula", [flesch_kincaid_grade, fernandez_huerta])
@pytest.mark.parametrize("text", ["", " \n", "… - !"])
def test_what_has_no_words_has_no_grade(formula: object, text: str) -> None:
    with pytest.raises(ValueError, match="no words"):
        formula(text)  # type: ignore[operator]


WORDS = ["we", "cut", "the", "sore", "lumbar", "area", "medicina", "espalda", "punción", "médula"]
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1)


@given(st.lists(SENTENCE, min_size=1), st.integers(min_value=0))
def test_longer_sentences_are_harder(sentences: list[list[str]], place: int) -> None:
    """The same words with one full stop less are never easier, in either language."""
    lines = [" ".join(words) for words in sentences]
    at = place % len(lines)
    joined = [*lines[:at], " ".join(lines[at : at + 2]), *lines[at + 2 :]]
    assert flesch_kincaid_grade(". ".join(joined)) >= flesch_kincaid_grade(". ".join(lines)) - 1e-9
    assert fernandez_huerta(". ".join(joined)) <= fernandez_huerta(". ".join(lines)) + 1e-9


@given(SENTENCE, st.integers(min_value=0))
def test_longer_words_are_harder(words: list[str], place: int) -> None:
    """A word gives way to one of more syllables."""
    at = place % len(words)
    harder = [*words[:at], "incontinencia", *words[at + 1 :]]
    assert flesch_kincaid_grade(" ".join(harder)) > flesch_kincaid_grade(" ".join(words))
    assert fernandez_huerta(" ".join(harder)) < fernandez_huerta(" ".join(words))


def test_only_what_is_said_is_read_each_sentence_by_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.en.md"
    page.write_text(
        "---\ntitle: Do not read this\n---\n## A heading\n\nOne *two* [x]. Three [y-1] [z].\n\n**Get help**\n\n"
        "- you are **numb** [x]\n- see [this page](https://example.org/a.b) [y-1]\n1. first\n",
        encoding="utf-8",
    )
    assert plain_sentences(load_text(page)) == [
        (6, "One two."), (6, "Three."), (10, "you are numb"), (11, "see this page"), (12, "first"),
    ]  # fmt: skip


def test_a_page_that_is_too_hard_is_told_with_its_longest_sentence(tmp_path: Path) -> None:
    page = tmp_path / "page.en.md"
    longest = "Neurological deterioration necessitates hospitalization for investigation"
    page.write_text(f"---\ntitle: x\n---\nGet help.\n\n- {longest} [x]\n", encoding="utf-8")
    (fault,) = find_hard_reading(load_text(page), "en")
    assert fault.startswith(f"{tmp_path.name}/page.en.md:6: reads at school grade ")
    assert fault.endswith(f", above 6; the longest sentence has 6 words: {longest}")
    assert list(find_hard_reading(load_text(page), "fr")) == []


def test_our_pages_are_easy(topic: Topic) -> None:
    for pages in topic.patient_pages.values():
        for language, page in pages.items():
            assert list(find_hard_reading(page, language)) == []
