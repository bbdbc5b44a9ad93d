"""Phrases of the lexicon become the same words as the texts that they are compared with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.words.tokens import LONGEST_TEXT, tokenize, words_of


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        pytest.param("Low  Back pain ", ("low", "back", "pain"), id="letters and blanks"),
        pytest.param("L5 S1", ("l5", "s1"), id="digits"),
        pytest.param("post-LP", ("post", "lp"), id="a hyphen within a word"),
        pytest.param("can't", ("cant",), id="a contraction"),
        pytest.param("snake_case", ("snake", "case"), id="an underscore"),
        pytest.param("Punción lumbar", ("puncion", "lumbar"), id="an accent"),
        pytest.param("a\tb\nc", ("a", "b", "\n", "c"), id="a line break"),
        pytest.param("", (), id="nothing"),
        pytest.param(" ", (), id="blanks"),
    ],
)
def test_the_words_of_a_phrase(phrase: str, words: tuple[str, ...]) -> None:
    assert words_of(phrase) == words == tuple(tokenize(phrase).words)


@given(st.text(st.sampled_from("aZ09 -_'t.\n\té"), max_size=20) | st.text(max_size=20))
def test_a_phrase_and_a_text_have_the_same_words(phrase: str) -> None:
    assert words_of(phrase) == tuple(tokenize(phrase).words)


def test_a_phrase_is_read_as_far_as_a_text_is() -> None:
    assert words_of("a" * (LONGEST_TEXT + 1)) == ("a" * LONGEST_TEXT,)
