"""Words that name a finding, and the guards against what words may also mean."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.content.topic_files import SHARED_LEXICON
from cards.fhir.resources import CodeableConcept
from cards.topic import Topic
from cards.words.lexicon import MOST_CANDIDATES, Lexicon
from cards.words.lexicon_files import ConceptEntry, LexiconContent, load_lexicon
from cards.words.tokens import LONGEST_TEXT, fold

few = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(load_lexicon([SHARED_LEXICON]))


def found_in(topic: Topic, text: str) -> dict[str, bool]:
    """Value set -> certain, for what `text` names."""
    return {match.value_set: match.certain for match in topic.chart.match(CodeableConcept(text=text))}


@pytest.mark.parametrize(
    ("text", "value_set"),
    [
        pytest.param("Spinal stenosis", "spinal-stenosis", id="the phrase itself"),
        pytest.param("SPINAL STENOSIS, LUMBAR REGION", "spinal-stenosis", id="upper case"),
        pytest.param("spinal-stenosis", "spinal-stenosis", id="a hyphen for the blank"),
        pytest.param("spinal   stenosis", "spinal-stenosis", id="several blanks"),
        pytest.param("(spinal stenosis)", "spinal-stenosis", id="in brackets"),
        pytest.param("spinal\u00a0stenosis", "spinal-stenosis", id="a no-break space for the blank"),
        pytest.param("Estenosis de canal lumbar", "spinal-stenosis", id="Spanish"),
        pytest.param("Degeneración discal", "disc-degeneration", id="Spanish with its accent"),
        pytest.param("degeneracion discal", "disc-degeneration", id="Spanish without its accent"),
        pytest.param("Degeneracio\u0301n discal", "disc-degeneration", id="Spanish with a combining accent"),
        pytest.param("Bechterew's disease", "axial-spondyloarthritis", id="an apostrophe"),
        pytest.param("Hernia de disco L4-L5", "disc-displacement", id="a level beside it"),
        pytest.param("“Spinal stenosis”", "spinal-stenosis", id="typographic quotes"),
        pytest.param("Lumbago—chronic", "back-pain", id="a dash without blanks"),
        pytest.param("¿Escoliosis?", "spinal-deformity", id="a Spanish question"),
    ],
)  # fmt: skip
def test_words_are_recognized_however_they_are_written(topic: Topic, text: str, value_set: str) -> None:
    assert value_set in found_in(topic, text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("No spinal stenosis", id="no"),
        pytest.param("Denies back pain", id="denies"),
        pytest.param("Without scoliosis", id="without"),
        pytest.param("No evidence of spinal stenosis", id="no evidence of"),
        pytest.param("Negative for disc herniation", id="negative for"),
        pytest.param("Spinal stenosis ruled out", id="ruled out, after"),
        pytest.param("Scoliosis: excluded", id="excluded, after"),
        pytest.param("Disc herniation unlikely", id="unlikely, after"),
        pytest.param("Spinal stenosis not found", id="not found, after"),
        pytest.param("Niega dolor de espalda", id="niega"),
        pytest.param("Sin estenosis espinal", id="sin"),
        pytest.param("Estenosis espinal descartada", id="descartada, after"),
        pytest.param("Escoliosis ausente", id="ausente, after"),
    ],
)
def test_a_denied_finding_is_none(topic: Topic, text: str) -> None:
    """clinical.md 6, rule 6."""
    assert found_in(topic, text) == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Family history of spinal stenosis", id="family history, before"),
        pytest.param("FHx: scoliosis", id="FHx"),
        pytest.param("Scoliosis in family", id="in family, after"),
        pytest.param("Scoliosis, family history", id="family history after a comma"),
        pytest.param("Mother has scoliosis", id="mother"),
        pytest.param("Father with ankylosing spondylitis", id="father"),
        pytest.param("At risk for vertebral fracture", id="at risk for"),
        pytest.param("Antecedentes familiares de escoliosis", id="antecedentes familiares, before"),
        pytest.param("Escoliosis (antecedentes familiares)", id="antecedentes familiares, after"),
        pytest.param("Historia familiar de hernia discal", id="historia familiar"),
        pytest.param("Riesgo de fractura vertebral", id="riesgo de"),
        pytest.param("Madre con escoliosis", id="madre"),
        pytest.param("Hermano con escoliosis", id="hermano"),
    ],
)  # fmt: skip
def test_a_relatives_disease_or_a_risk_is_no_finding(topic: Topic, text: str) -> None:
    """clinical.md 6, rule 6."""
    assert found_in(topic, text) == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Possible spinal stenosis", id="possible"),
        pytest.param("Suspected spinal stenosis", id="suspected"),
        pytest.param("Probably spinal stenosis", id="probably"),
        pytest.param("? spinal stenosis", id="a question mark before"),
        pytest.param("Rule out spinal stenosis", id="rule out"),
        pytest.param("r/o spinal stenosis", id="r/o"),
        pytest.param("Descartar estenosis espinal", id="descartar"),
        pytest.param("?spinal stenosis", id="a question mark right before"),
        pytest.param("Spinal stenosis?", id="a question mark after"),
        pytest.param("Spinal stenosis, suspected", id="suspected after a comma"),
        pytest.param("Spinal stenosis suspected", id="suspected after"),
        pytest.param("Posible estenosis espinal", id="posible"),
        pytest.param("Sospecha de estenosis espinal", id="sospecha"),
        pytest.param("Estenosis espinal a descartar", id="a descartar"),
    ],
)  # fmt: skip
def test_a_suspected_finding_is_one_that_is_not_confirmed(topic: Topic, text: str) -> None:
    assert found_in(topic, text) == {"spinal-stenosis": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("No fracture; spinal stenosis", {"spinal-stenosis": True}, id="a semicolon ends a denial"),
        pytest.param("No known allergies. Scoliosis", {"spinal-deformity": True}, id="a full stop ends a denial"),
        pytest.param("Scoliosis, no pain", {"spinal-deformity": True}, id="a denial after a comma is another's"),
        pytest.param("No scoliosis. Scoliosis of mild degree", {"spinal-deformity": True}, id="the one that is meant"),
        pytest.param("Low back pain without sciatica", {"back-pain": True}, id="without, after"),
        pytest.param("Nonunion; notable scoliosis", {"spinal-deformity": True}, id="words that begin like a guard"),
        pytest.param("h/o laminectomy", {"spinal-surgery": False}, id="a history of surgery is surgery of the past"),
    ],
)
def test_a_guard_reaches_no_further_than_its_clause(topic: Topic, text: str, expected: dict[str, bool]) -> None:
    assert found_in(topic, text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "   ", "Asthma", "disc of the eye", "aortic stenosis", "spine of scapula", "spinal stenosises", "aspondylosis",
     "back"],
)  # fmt: skip
def test_other_words_name_nothing(topic: Topic, text: str) -> None:
    assert found_in(topic, text) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Punción", "puncion"),
        ("PUNCIÓN", "Puncion"),
        ("pun\u0063io\u0301n", "punción"),
        ("Straße", "STRASSE"),
        ("ñ", "N"),
    ],
)
def test_case_and_accents_are_folded(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_only_the_value_sets_asked_for_are_looked_for() -> None:
    entries = tuple(ConceptEntry(name, "en", ["red apple"]) for name in ("wanted", "other"))
    lexicon = Lexicon(LexiconContent(entries), ["wanted", "without phrases"])
    assert [mention.concept for mention in lexicon.read("a red apple")] == ["wanted"]


@few
@given(st.lists(st.text() | st.sampled_from(["Scoliosis", "Lumbago", "no scoliosis"]), max_size=6))
def test_any_texts_together_give_what_each_gives_alone(topic: Topic, texts: list[str]) -> None:
    asked = [CodeableConcept(text=text) for text in texts]
    assert topic.chart.match_all(asked) == [topic.chart.match(one) for one in asked]


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        pytest.param("no spinal stenosis " * 20 + "; spinal stenosis", True, id="behind many denials"),
        pytest.param("x" * (LONGEST_TEXT - 17) + " spinal stenosis", True, id="at the end of what is read"),
        pytest.param("x" * LONGEST_TEXT + " spinal stenosis", False, id="behind it: a letter"),
    ],
)
def test_a_text_is_cut_at_a_stated_length(topic: Topic, text: str, is_read: bool) -> None:
    assert ("spinal-stenosis" in found_in(topic, text)) is is_read


@pytest.mark.parametrize(
    "unit",
    ["weak legs ", "no fever, ", "lp csf ", "since lp ", "? ", "a", "- ", "3/7 ", "x 5 wks ", "numb ",
     "mri spine of the ", "\u0131 ", "left foot drop ", "ble 4/5 ", "fever? no. ", "(-) fever (+) ",
     "epidural hematoma l2 ", "power 4/5 leg ", "denies or ", "lumbar puncture headache worse standing ", "n't "],
)  # fmt: skip
def test_a_long_text_is_read_like_the_part_that_is_read_of_it(lexicon: Lexicon, unit: str) -> None:
    """A megabyte costs what its first LONGEST_TEXT characters cost, and no repetition makes a rule run away."""
    mentions = lexicon.read(unit * (1_000_000 // len(unit)))
    assert len(mentions) <= MOST_CANDIDATES
    assert mentions == lexicon.read((unit * (LONGEST_TEXT // len(unit) + 1))[:LONGEST_TEXT])


@few
@given(st.text(max_size=200))
def test_any_text_can_be_read_and_its_mentions_stand_in_it(lexicon: Lexicon, text: str) -> None:
    for mention in lexicon.read(f"no fever {text} saddle numbness"):
        assert 0 <= mention.start < mention.end <= len(text) + 25


def test_a_misspelling_stands_for_its_word_alone(lexicon: Lexicon) -> None:
    assert {mention.concept for mention in lexicon.read("sadle anesthsia")} == {"saddle-numbness"}
    assert not lexicon.read("sadleback anesthsiology")


def test_of_too_many_phrases_each_kind_of_finding_is_read_and_the_text_counts_as_not_read(topic: Topic) -> None:
    few = CodeableConcept(text="low back pain, " * 40 + "cauda equina syndrome")
    many = CodeableConcept(text="low back pain, " * 90 + "cauda equina syndrome")
    assert topic.chart.is_readable(few)
    assert not topic.chart.is_readable(many)
    assert {match.value_set for match in topic.chart.match(many)} >= {"back-pain", "cauda-equina-syndrome"}
