"""ICD-10 of the WHO and its national modifications: which lists apply to which code."""

from __future__ import annotations

import pytest

from cards.content.topic_files import SHARED_LEXICON
from cards.fhir.resources import CodeableConcept, Coding
from cards.terminology.value_set import load_value_set
from cards.terminology.value_set_index import Terminology
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import load_lexicon
from tests.content import VALUE_SETS

CM = "http://hl7.org/fhir/sid/icd-10-cm"
WHO = "http://hl7.org/fhir/sid/icd-10"
GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
AM = "http://hl7.org/fhir/sid/icd-10-am"
CA = "http://hl7.org/fhir/sid/icd-10-ca"
NL = "http://hl7.org/fhir/sid/icd-10-nl"
FR = "https://smt.esante.gouv.fr/terminologie-cim-10"
NATIONAL = (GM, AM, CA, NL, FR)


@pytest.fixture(scope="module")
def terminology() -> Terminology:
    """Every value set, without words: codes that need words belong to none here."""
    lexicon = Lexicon(load_lexicon([SHARED_LEXICON]), [])
    return Terminology([load_value_set(path) for path in sorted(VALUE_SETS.glob("*.json"))], lexicon)


def sets_of(terminology: Terminology, system: str, code: str) -> set[str]:
    return {match.value_set for match in terminology.match(CodeableConcept([Coding(system, code, None)]))}


@pytest.mark.parametrize("system", [WHO, *NATIONAL])
@pytest.mark.parametrize(
    ("code", "name"),
    [
        pytest.param("G83.4", "cauda-equina-syndrome", id="cauda equina syndrome"),
        pytest.param("g834 ", "cauda-equina-syndrome", id="cauda equina syndrome without dot, in lower case"),
        pytest.param("R33", "bladder-bowel-dysfunction", id="retention, which ICD-10-CM parts"),
        pytest.param("R15", "bladder-bowel-dysfunction", id="fecal incontinence, which ICD-10-CM parts"),
        pytest.param("M54.5", "back-pain", id="low back pain"),
        pytest.param("M54.8", "back-pain", id="other dorsalgia, which ICD-10-CM numbers otherwise"),
        pytest.param("M48.06", "spinal-stenosis", id="stenosis with a site digit"),
        pytest.param("M48.06", "level-lumbar", id="the level by its site digit"),
        pytest.param("M47.82", "level-cervical", id="a site digit that ICD-10-CM moves to the sixth place"),
        pytest.param("S12.0", "level-cervical", id="a fracture of the neck"),
        pytest.param("G97.1", "csf-leak-or-postural-headache", id="reaction to a puncture"),
        pytest.param("A41.9", "sepsis", id="sepsis"),
        pytest.param("R57.2", "sepsis", id="septic shock, which ICD-10-CM does not number so"),
        pytest.param("G61.0", "lp-finds-guillain-barre", id="Guillain-Barre syndrome"),
        pytest.param("D69.6", "risk-bleeding-disorder", id="thrombocytopenia"),
        pytest.param("Z92.1", "risk-anticoagulant", id="long-term use of anticoagulants"),
        pytest.param("I64", "stroke-or-palsy", id="stroke, not specified"),
    ],
)
def test_a_number_that_all_share_belongs_in_every_country(
    terminology: Terminology, system: str, code: str, name: str
) -> None:
    assert name in sets_of(terminology, system, code)


@pytest.mark.parametrize(
    ("system", "code", "name", "in_cm"),
    [
        pytest.param(GM, "N39.42", None, "bladder-bowel-dysfunction", id="urge incontinence in Germany"),
        pytest.param(GM, "G95.81", "bladder-bowel-dysfunction", "cauda-equina-syndrome", id="bladder paralysis there"),
        pytest.param(GM, "G97.82", "spinal-hematoma", None, id="epidural spinal bleeding in Germany"),
        pytest.param(GM, "G97.83", "spinal-hematoma", None, id="subdural spinal bleeding in Germany"),
        pytest.param(
            GM, "G97.84", "spinal-hematoma", "csf-leak-or-postural-headache", id="subarachnoid bleeding there"
        ),
        pytest.param(GM, "F45.41", "chronic-pain", None, id="chronic pain disorder in Germany"),
        pytest.param(GM, "D68.31", "risk-bleeding-disorder", "risk-bleeding-disorder", id="antibodies to factor VIII"),
        pytest.param(GM, "R65.2", None, "sepsis", id="SIRS without infection in Germany"),
        pytest.param(WHO, "R65.2", None, "sepsis", id="SIRS without infection, WHO"),
        pytest.param(GM, "R65.1", "sepsis", None, id="SIRS of infection in Germany"),
        pytest.param(WHO, "R65.1", "sepsis", None, id="SIRS of infection, WHO"),
        pytest.param(AM, "R65.1", "sepsis", None, id="severe sepsis in Australia"),
        pytest.param(WHO, "N39.4", None, None, id="urge, overflow and reflex incontinence in one"),
        pytest.param(WHO, "M21.3", None, None, id="wrist or foot drop"),
        pytest.param(AM, "T81.41", "procedure-infection", "procedure-infection", id="wound infection in Australia"),
    ],
)
def test_a_number_that_means_something_else_is_read_by_its_own_country(
    terminology: Terminology, system: str, code: str, name: str | None, in_cm: str | None
) -> None:
    assert sets_of(terminology, system, code) == ({name} if name else set())
    assert sets_of(terminology, CM, code) == ({in_cm} if in_cm else set())


@pytest.mark.parametrize("system", [WHO, *NATIONAL])
@pytest.mark.parametrize("code", ["M54.81", "M54.82", "M54.92", "M54.93"])
def test_back_pain_whose_site_digit_says_neck_is_out(terminology: Terminology, system: str, code: str) -> None:
    assert sets_of(terminology, system, code) <= {"level-cervical"}


@pytest.mark.parametrize(
    "code", ["R15", "R33", "R20", "S20.2", "R53.1", "R33.0", "R50.2", "R15.0", "O26.8", "O99.8", "T81.0"]
)
def test_what_was_removed_from_the_lists_of_icd_10_cm_stays_out(terminology: Terminology, code: str) -> None:
    assert sets_of(terminology, CM, code) == set()


@pytest.mark.parametrize("code", ["S20.2", "O99.8", "O26.8"])
def test_what_says_too_little_in_the_number_of_the_who_is_out(terminology: Terminology, code: str) -> None:
    assert sets_of(terminology, WHO, code) == set()


@pytest.mark.parametrize(("code", "name"), [("R15.9", "bladder-bowel-dysfunction"), ("S20.22", "back-contusion")])
def test_what_replaces_it_is_in(terminology: Terminology, code: str, name: str) -> None:
    assert name in sets_of(terminology, CM, code)
