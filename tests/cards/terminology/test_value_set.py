"""Value sets: which files are refused at load, and which concepts belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cards.content.files import ContentError
from cards.fhir.resources import CodeableConcept, Coding
from cards.terminology.code_systems import SNOMED_CT
from cards.terminology.icd_10 import ICD_10_CM
from cards.terminology.match import Match
from cards.terminology.value_set import WORDS, load_value_set
from cards.terminology.value_set_index import Terminology
from cards.topic import Topic
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import ConceptEntry, LexiconContent
from cards.words.word_rules import WordRule
from tests.charts import ICD_10_CM as ICD_10_CM_URI
from tests.charts import SNOMED

NO_WORDS = Lexicon(LexiconContent())
LISTED = {"system": SNOMED, "concept": [{"code": "18347007"}]}
FAMILY = {"system": ICD_10_CM_URI, "filter": [{"property": "concept", "op": "is-a", "value": "M48.0"}]}


def write(folder: Path, *includes: Any, name: str = "some", **elements: Any) -> Path:
    path = folder / f"{name}.json"
    file = {"resourceType": "ValueSet", "id": name, "version": "1", "title": "Some", "date": "2026-11-22"}
    path.write_text(json.dumps(file | {"compose": {"include": includes}} | elements), encoding="utf-8")
    return path


def concept(*codings: tuple[str | None, str | None, str | None], text: str | None = None) -> CodeableConcept:
    return CodeableConcept([Coding(system, code, display) for system, code, display in codings], text)


def names(matches: tuple[Match, ...]) -> set[str]:
    return {match.value_set for match in matches}


def test_listed_codes_and_families_are_read_normalized(tmp_path: Path) -> None:
    value_set = load_value_set(write(tmp_path, LISTED, FAMILY))
    assert value_set.codes == {SNOMED_CT: frozenset({"18347007"})}
    assert value_set.families == {ICD_10_CM: frozenset({"M480"})}
    assert (value_set.id, value_set.version, value_set.title) == ("some", "1", "Some")


@pytest.mark.parametrize(
    ("include", "message"),
    [
        pytest.param({"system": "http://example.org/x", "concept": [{"code": "1"}]}, "known code system", id="system"),
        pytest.param({"system": SNOMED}, "known code system and codes", id="an include without codes"),
        pytest.param({"system": SNOMED, "concept": [{"code": "18347008"}]}, "check digit", id="a wrong check digit"),
        pytest.param({"system": ICD_10_CM_URI, "concept": [{"code": "M480"}]}, "not written", id="a code without dot"),
        pytest.param(FAMILY | {"system": SNOMED}, "only one filter", id="a family in SNOMED CT"),
        pytest.param(
            FAMILY | {"filter": [{"property": "concept", "op": "=", "value": "M48.0"}]}, "only one", id="another op"
        ),
        pytest.param(
            FAMILY | {"filter": [{"property": "parent", "op": "is-a", "value": "M48.0"}]}, "only one", id="a property"
        ),
        pytest.param(FAMILY | {"filter": FAMILY["filter"] * 2}, "only one filter", id="two filters narrow each other"),  # type: ignore[operator]
        pytest.param(
            FAMILY | {"filter": [{"property": "concept", "op": "is-a", "value": "M480"}]}, "not written", id="a family"
        ),
        pytest.param({"concept": [{"code": "1"}]}, "system", id="an include without a system"),
    ],
)
def test_an_include_we_cannot_honor_is_refused_with_the_files_name(tmp_path: Path, include: Any, message: str) -> None:
    with pytest.raises(ContentError, match=message) as refused:
        load_value_set(write(tmp_path, LISTED, include))
    assert "some.json" in str(refused.value)


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"resourceType": "CodeSystem"}, id="another resource"),
        pytest.param({"id": "other"}, id="an id that is not the name of the file"),
        pytest.param({"title": None}, id="no title"),
        pytest.param({"compose": {"include": SNOMED}}, id="an include that is no list"),
    ],
)
def test_a_file_that_is_no_value_set_of_ours_is_refused(tmp_path: Path, elements: dict[str, Any]) -> None:
    with pytest.raises(ContentError, match=r"some\.json"):
        load_value_set(write(tmp_path, LISTED, **elements))


def test_a_file_without_codes_lives_by_its_words_alone(tmp_path: Path) -> None:
    path = write(tmp_path)
    file = {name: value for name, value in json.loads(path.read_text("utf-8")).items() if name != "compose"}
    for without in (file, file | {"compose": {}}, file | {"compose": {"include": []}}):
        path.write_text(json.dumps(without), encoding="utf-8")
        value_set = load_value_set(path)
        lexicon = Lexicon(LexiconContent((ConceptEntry("some", "en", ["red apple"]),)))
        terminology = Terminology([value_set], lexicon)
        assert (value_set.codes, value_set.families) == ({}, {})
        (match,) = terminology.match(concept((SNOMED, "18347007", None), text="a red apple"))
        assert (match.value_set, match.code_system, match.code, match.certain) == ("some", None, None, True)
        assert match.mention is not None


@pytest.mark.parametrize(
    "content", [pytest.param(b"{", id="cut off"), pytest.param(b"\xff", id="not UTF-8"), pytest.param(b"", id="empty")]
)
def test_a_file_that_is_not_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(content)
    with pytest.raises(ContentError, match=r"some\.json"):
        load_value_set(path)


def test_an_icd_10_cm_code_that_is_listed_by_itself_belongs_to_the_value_set(tmp_path: Path) -> None:
    listed = {"system": ICD_10_CM_URI, "concept": [{"code": "M48.061"}]}
    terminology = Terminology([load_value_set(write(tmp_path, listed))], NO_WORDS)
    assert names(terminology.match(concept((ICD_10_CM_URI, "M48.061", None)))) == {"some"}


@pytest.mark.parametrize(
    ("code", "belongs"),
    [
        pytest.param("M48.0", True, id="the family itself"),
        pytest.param("M48.061", True, id="a descendant"),
        pytest.param("M48061", True, id="a descendant without its dot"),
        pytest.param("m48.061 ", True, id="lower case, trailing blank"),
        pytest.param("M48.061A", True, id="a seventh character"),
        pytest.param("M48", False, id="the parent of the family"),
        pytest.param("M48.1", False, id="a sister"),
        pytest.param("", False, id="no code"),
    ],
)
def test_a_family_holds_itself_and_its_descendants(tmp_path: Path, code: str, belongs: bool) -> None:
    """clinical.md 2, rules 1 and 3."""
    terminology = Terminology([load_value_set(write(tmp_path, FAMILY))], NO_WORDS)
    found = terminology.match(concept((ICD_10_CM_URI, code, None)))
    assert found == ((Match("some", ICD_10_CM.name, code.strip()),) if belongs else ())


def needing(**parts: str) -> dict[str, Any]:
    """The family M48.0, which counts only by these parts of the extension."""
    rule = {"url": WORDS, "extension": [{"url": name, "valueCode": value} for name, value in parts.items()]}
    return FAMILY | {"filter": [FAMILY["filter"][0] | {"extension": [rule]}]}  # type: ignore[operator]


def test_a_family_that_is_excluded_within_a_larger_one_is_out(tmp_path: Path) -> None:
    narrower = {"system": ICD_10_CM_URI, "filter": [{"property": "concept", "op": "is-a", "value": "M48.02"}]}
    path = write(tmp_path, compose={"include": [FAMILY], "exclude": [narrower]})
    terminology = Terminology([load_value_set(path)], NO_WORDS)
    found = [names(terminology.match(concept((ICD_10_CM_URI, code, None)))) for code in ("M48.0", "M48.02", "M48.03")]
    assert found == [{"some"}, set(), {"some"}]


def test_a_code_that_needs_words_says_which(tmp_path: Path) -> None:
    value_set = load_value_set(write(tmp_path, needing(needs="leg-words", unless="arm-words", otherwise="possible")))
    assert value_set.needs_words == {(ICD_10_CM, "M480"): WordRule(("leg-words",), ("arm-words",), "possible")}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param({"need": "leg-words"}, "is none of needs, unless, otherwise", id="an unknown part"),
        pytest.param({"otherwise": "perhaps"}, "Invalid enum value 'perhaps'", id="an unknown worth"),
    ],
)
def test_an_extension_that_we_cannot_read_is_refused(tmp_path: Path, parts: dict[str, str], message: str) -> None:
    with pytest.raises(ContentError, match=rf"some\.json.*M48\.0: .*{message}"):
        load_value_set(write(tmp_path, needing(**parts)))


@pytest.mark.parametrize(
    ("words", "certain"),
    [
        pytest.param("left leg", [True], id="a word that it needs"),
        pytest.param("left arm", [], id="a word that rules it out"),
        pytest.param("arm and leg", [True], id="both"),
        pytest.param("left", [False], id="neither"),
    ],
)
def test_words_beside_a_code_decide_what_it_is_worth(tmp_path: Path, words: str, certain: list[bool]) -> None:
    path = write(tmp_path, needing(needs="leg-words", unless="arm-words", otherwise="possible"))
    lists = (("leg-words", ("leg",)), ("arm-words", ("arm*",)))
    terminology = Terminology([load_value_set(path)], Lexicon(LexiconContent(beside_codes=lists)))
    by_text = terminology.match(concept((ICD_10_CM_URI, "M48.06", None), text=words))
    by_display = terminology.match(concept((ICD_10_CM_URI, "M48.06", words)))
    assert [match.certain for match in by_text] == [match.certain for match in by_display] == certain


def test_words_alone_do_not_bring_back_a_value_set_that_a_code_lacks_words_for(tmp_path: Path) -> None:
    """Else a code for numbness of any place would count by its text "numbness"."""
    path = write(tmp_path, needing(needs="leg-words"))
    entry = ConceptEntry(concept="some", language="en", phrases=["numbness"])
    content = LexiconContent(concepts=(entry,), beside_codes=(("leg-words", ("leg",)),))
    terminology = Terminology([load_value_set(path)], Lexicon(content))
    assert names(terminology.match(concept((ICD_10_CM_URI, "M48.06", None), text="numbness"))) == set()
    assert names(terminology.match(concept(text="numbness"))) == {"some"}


def test_a_code_that_two_value_sets_list_belongs_to_both(tmp_path: Path) -> None:
    sets = [load_value_set(write(tmp_path, LISTED, FAMILY, name=name)) for name in ("one", "two")]
    terminology = Terminology(sets, NO_WORDS)
    assert names(terminology.match(concept((SNOMED, "18347007", None)))) == {"one", "two"}
    assert names(terminology.match(concept((ICD_10_CM_URI, "M48.06", None)))) == {"one", "two"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(
            concept((SNOMED, "195967001", None), (ICD_10_CM_URI, "M48.061", None)),
            {"spinal-stenosis"},
            id="second coding",
        ),
        pytest.param(
            concept((SNOMED, "18347007", None), text="Scoliosis"),
            {"spinal-stenosis", "spinal-deformity"},
            id="a code and the text beside it",
        ),
        pytest.param(
            concept((SNOMED, "195967001", None), text="Scoliosis"),
            {"spinal-deformity"},
            id="the text counts where no code does",
        ),
        pytest.param(
            concept(("http://example.org/local", "1", "Scoliosis")), {"spinal-deformity"}, id="a local code's display"
        ),
        pytest.param(
            concept((None, "1", "Scoliosis")), {"spinal-deformity"}, id="the display of a code without system"
        ),
        pytest.param(
            concept((SNOMED, "195967001", "Scoliosis")),
            {"spinal-deformity"},
            id="the display of a code that we do not hold",
        ),
        pytest.param(concept((None, "18347007", None)), set(), id="a bare number is no code"),
        pytest.param(
            concept(("urn:local", "1", "no pain"), text="Scoliosis"), {"spinal-deformity"}, id="text and display apart"
        ),
        pytest.param(concept((SNOMED, None, None)), set(), id="a system without a code"),
        pytest.param(concept(), set(), id="nothing"),
    ],
)
def test_all_codings_count_and_all_words(topic: Topic, asked: CodeableConcept, found: set[str]) -> None:
    """clinical.md 6, rules 6 and 7."""
    assert names(topic.chart.match(asked)) == found


def test_many_concepts_are_matched_each_for_itself(topic: Topic) -> None:
    asked = [
        concept(text="Scoliosis"),
        concept(text="Asthma"),
        concept((SNOMED, "18347007", None)),
        concept(text="Lumbago"),
    ]
    assert topic.chart.match_all(asked) == [topic.chart.match(one) for one in asked]
    assert [bool(found) for found in topic.chart.match_all(asked)] == [True, False, True, True]
