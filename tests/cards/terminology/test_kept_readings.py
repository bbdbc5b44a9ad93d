"""The cache of concepts: the same answers, a bounded size, and no long texts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.content.topic_files import SHARED_LEXICON
from cards.fhir.resources import CodeableConcept, Coding
from cards.terminology import value_set_index
from cards.terminology.value_set import load_value_set
from cards.terminology.value_set_index import Terminology
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import load_lexicon
from tests.charts import ICD_10_CM, SNOMED
from tests.content import VALUE_SETS

NAMES = ("spinal-stenosis", "fever", "leg-pain", "cauda-equina-syndrome")
LEXICON = Lexicon(load_lexicon([SHARED_LEXICON]), NAMES)
SETS = [load_value_set(VALUE_SETS / f"{name}.json") for name in NAMES]
TEXTS = [
    None,
    "",
    "Fever",
    "no fever",
    "FEVER\u00e9 \u2013 \ud83d\ude00",
    "Pain in leg",
    "M79.6",
    "?CES",
    "Fever\nstenosis",
    "x" * 150,
]
CODINGS = [
    [],
    [Coding(SNOMED, "18347007")],
    [Coding(ICD_10_CM, "M79.604", "Pain in right leg")],
    [Coding(ICD_10_CM, "M79.6")],
    [Coding(SNOMED, "1", 'Fever "\\/" \u00fc', user_selected=True)],
    [Coding(None, None, "no fever"), Coding("urn:oid:2.16.840.1.113883.6.96", " 18347007 ")],
    [Coding("http://example.org", "x" * 1_200)],
]  # fmt: skip
CONCEPTS = [CodeableConcept(codings, text) for codings, text in product(CODINGS, TEXTS)]


def terminology() -> Terminology:
    return Terminology(SETS, LEXICON)


def test_a_concept_that_was_read_before_has_the_same_matches() -> None:
    """One by one in a fresh index, all at once, and again from what is kept."""
    anew = [terminology().match(concept) for concept in CONCEPTS]
    index = terminology()
    assert index.match_all(CONCEPTS) == anew
    assert index.match_all(CONCEPTS[::-1]) == anew[::-1]
    readable = [terminology().is_readable(concept) for concept in CONCEPTS]
    assert [index.is_readable(concept) for concept in CONCEPTS] == readable
    assert {len(matches) for matches in anew} >= {0, 1, 2}, "these concepts prove nothing"
    assert set(readable) == {True, False}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.builds(
            CodeableConcept,
            st.lists(st.builds(Coding, st.sampled_from([None, SNOMED]), st.none() | st.text(), st.text()), max_size=2),
            st.none() | st.text() | st.sampled_from([text for text in TEXTS if text]),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_whatever_a_chart_says_is_read_as_it_would_be_alone(concepts: list[CodeableConcept]) -> None:
    index = terminology()
    alone = [terminology().match(concept) for concept in concepts]
    assert index.match_all([*concepts, *concepts]) == [*alone, *alone]
    assert index.match_all(concepts) == alone


@pytest.mark.parametrize("most", [1, 5, 40])
def test_what_is_kept_is_bounded_and_answers_stay_the_same(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    anew = terminology().match_all(CONCEPTS)
    monkeypatch.setattr(value_set_index, "_MOST_KEPT", most)
    index = terminology()
    for _ in range(3):
        assert index.match_all(CONCEPTS) == anew
        assert [index.match(concept) for concept in CONCEPTS] == anew
        assert kept_in(index) <= most


def test_a_long_text_is_not_kept() -> None:
    """What is longer than the name of a problem is a note, which may name the patient."""
    index, note = terminology(), "Fever since Monday. " + "Mrs. Smith " * 12
    assert index.match(CodeableConcept(text=note))
    assert kept_in(index) == 0


def kept_in(index: Terminology) -> int:
    return len(index._kept)
