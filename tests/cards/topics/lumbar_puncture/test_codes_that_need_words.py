"""Codes that need words: what the words next to them decide, with one code for every rule."""

from __future__ import annotations

import pytest

from cards.content.topic_files import SHARED_LEXICON
from cards.fhir.resources import CodeableConcept, Coding
from cards.terminology.value_set import load_value_set
from cards.terminology.value_set_index import Terminology
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import load_lexicon
from cards.words.tokens import fold
from tests.content import VALUE_SETS

CM = "http://hl7.org/fhir/sid/icd-10-cm"
WHO = "http://hl7.org/fhir/sid/icd-10"
ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"
SCT = "http://snomed.info/sct"
CPT = "http://www.ama-assn.org/go/cpt"
OPCS = "https://fhir.hl7.org.uk/Id/opcs-4"
CCAM = "https://smt.esante.gouv.fr/terminologie-ccam"


@pytest.fixture(scope="module")
def codes() -> Terminology:
    """Every value set, and of the words only those that codes need."""
    lexicon = Lexicon(load_lexicon([SHARED_LEXICON]), [])
    return Terminology([load_value_set(path) for path in sorted(VALUE_SETS.glob("*.json"))], lexicon)


def certainty(codes: Terminology, system: str, code: str, words: str, name: str) -> bool | None:
    """Whether the code is certainly (True) or possibly (False) of the value set beside these words, or None."""
    matches = codes.match(CodeableConcept([Coding(system, code, None)], words or None))
    return next((match.certain for match in matches if match.value_set == name), None)


@pytest.mark.parametrize(
    ("name", "system", "code", "words", "certain"),
    [
        pytest.param("nerve-symptom", CM, "R20.2", "", None, id="paresthesia of skin alone"),
        pytest.param("nerve-symptom", CM, "R20.2", "tingling, both feet", True, id="paresthesia, feet"),
        pytest.param("nerve-symptom", CM, "R20.2", "tingling of right hand", None, id="paresthesia, hand"),
        pytest.param("nerve-symptom", WHO, "R20.2", "Kribbeln im linken Bein", True, id="paresthesia in German"),
        pytest.param("nerve-symptom", ICD_9, "782.0", "engourdissement de la jambe", True, id="numbness in French"),
        pytest.param("nerve-symptom", SCT, "44077006", "saddle area", True, id="numbness of the saddle"),
        pytest.param("radicular-pain", SCT, "82473003", "lumbar", True, id="radiculitis, lumbar"),
        pytest.param("radicular-pain", SCT, "82473003", "cervical", None, id="radiculitis of the neck"),
        pytest.param("nerve-symptom", WHO, "G57.0", "", False, id="sciatic nerve lesion"),
        pytest.param("radicular-pain", WHO, "M54.1", "", None, id="radiculopathy, site not told"),
        pytest.param("radicular-pain", WHO, "M54.16", "", True, id="radiculopathy, lumbar by its site digit"),
        pytest.param("radicular-pain", WHO, "M51.1", "Lumbar and other disc disorders", None, id="a title is no word"),
        pytest.param("leg-pain", ICD_9, "729.5", "left calf", True, id="limb pain, calf"),
        pytest.param("leg-pain", ICD_9, "729.5", "left arm", None, id="limb pain, arm"),
        pytest.param("leg-pain", WHO, "M79.66", "", True, id="limb pain, lower leg by its site digit"),
        pytest.param("leg-weakness", WHO, "M21.3", "Wrist or foot drop (acquired)", None, id="wrist or foot drop"),
        pytest.param("leg-weakness", WHO, "M21.3", "foot drop left", True, id="foot drop in words"),
        pytest.param("leg-weakness", WHO, "M21.37", "", True, id="foot drop by its site digit"),
        pytest.param("leg-weakness", CM, "R29.898", "weakness of both legs", True, id="weak legs coded as other signs"),
        pytest.param("leg-weakness", CM, "R29.898", "", None, id="other signs"),
        pytest.param("leg-weakness", SCT, "713514005", "", False, id="weakness of a limb"),
        pytest.param("leg-weakness", SCT, "713514005", "right arm", None, id="weakness of an arm"),
        pytest.param("bladder-bowel-dysfunction", WHO, "N39.4", "", None, id="other incontinence"),
        pytest.param("bladder-bowel-dysfunction", WHO, "N39.4", "overflow incontinence", True, id="overflow"),
        pytest.param("bladder-bowel-dysfunction", CM, "R32", "", False, id="incontinence, unspecified"),
        pytest.param("bladder-bowel-dysfunction", SCT, "165232002", "", False, id="incontinence, SNOMED CT"),
        pytest.param("early-bladder-signs", CM, "R39.11", "", False, id="hesitancy"),
        pytest.param("spinal-cord-compression", CM, "G82.22", "", False, id="paraplegia"),
        pytest.param("spinal-cord-compression", WHO, "G82.2", "", False, id="paraplegia, WHO"),
        pytest.param("spinal-cord-compression", ICD_9, "336.9", "", None, id="cord disease"),
        pytest.param("spinal-cord-compression", ICD_9, "336.9", "cord compression", True, id="cord compression"),
        pytest.param("spinal-hematoma", CM, "G97.52", "", False, id="a bleed of the nervous system after a procedure"),
        pytest.param("spinal-hematoma", CM, "G97.52", "spinal epidural", True, id="the same, of the spine"),
        pytest.param("spinal-hematoma", WHO, "T81.0", "", None, id="a bleed after any procedure"),
        pytest.param("spinal-hematoma", WHO, "T81.0", "after lumbar puncture", True, id="a bleed after a puncture"),
        pytest.param("spinal-hematoma", CM, "G95.19", "hematomyelia", True, id="hematomyelia"),
        pytest.param("csf-leak-or-postural-headache", ICD_9, "997.09", "CSF leak", True, id="a leak of CSF"),
        pytest.param("procedure-infection", ICD_9, "998.51", "", None, id="an infected seroma"),
        pytest.param("postprocedural-pain", CM, "G89.18", "", False, id="pain after a procedure, site not told"),
        pytest.param("spinal-malignancy", ICD_9, "198.3", "brain and spinal cord", None, id="brain and cord in one"),
        pytest.param("spinal-malignancy", WHO, "C79.5", "", False, id="cancer in any bone"),
        pytest.param("spinal-infection", ICD_9, "730.28", "vertebral", True, id="osteomyelitis of a vertebra"),
        pytest.param("spinal-surgery", WHO, "Z98.1", "lumbar", True, id="arthrodesis, lumbar"),
        pytest.param("spinal-surgery", WHO, "Z98.1", "ankle", None, id="arthrodesis, ankle"),
        pytest.param("spinal-surgery", ICD_9, "80.51", "", True, id="a disc removed, level not told"),
        pytest.param("spinal-surgery", ICD_9, "80.51", "cervical disc", None, id="a disc removed, neck"),
        pytest.param("vertebral-collapse", WHO, "M80.0", "", None, id="osteoporosis with a fracture somewhere"),
        pytest.param("back-muscle-pain", ICD_9, "728.85", "calf", None, id="a cramp in the calf"),
        pytest.param("fibromyalgia", ICD_9, "729.1", "fibromyalgia", True, id="fibromyalgia in words"),
        pytest.param("pregnancy-back-pain", ICD_9, "648.73", "low back pain", True, id="back pain in pregnancy"),
        pytest.param("risk-anticoagulant", WHO, "Z92.2", "clopidogrel", True, id="clopidogrel"),
        pytest.param("risk-immunosuppression", CM, "Z94.0", "", False, id="a transplanted organ"),
        pytest.param("risk-dialysis", CM, "N18.6", "on hemodialysis", True, id="end stage kidney disease on dialysis"),
        pytest.param("risk-injection-drug-use", CM, "F11.20", "", None, id="opioid use"),
        pytest.param("risk-injection-drug-use", CM, "F11.20", "injects heroin", True, id="injected opioids"),
        pytest.param("lp-finds-other", WHO, "A69.2", "Lyme arthritis", None, id="Lyme disease of a joint"),
        pytest.param("lumbar-puncture", OPCS, "A53.5", "", None, id="drainage of CSF"),
        pytest.param("lumbar-puncture", OPCS, "A53.5", "lumbar puncture", True, id="drainage by puncture"),
        pytest.param("intrathecal-chemotherapy", ICD_9, "03.92", "epidural steroid", None, id="a steroid"),
        pytest.param("intrathecal-chemotherapy", ICD_9, "03.92", "intrathecal methotrexate", True, id="methotrexate"),
        pytest.param("nerve-conduction", CPT, "95910", "", True, id="nerve conduction, limb not told"),
        pytest.param("nerve-conduction", CPT, "95910", "carpal tunnel", None, id="nerve conduction of a hand"),
        pytest.param("nerve-conduction", CPT, "95910", "arms and legs", True, id="nerve conduction of arms and legs"),
        pytest.param("spine-imaging", OPCS, "U05.5", "", False, id="MRI of the spine, level not told"),
        pytest.param("spine-imaging", OPCS, "U05.5", "lumbar", True, id="MRI of the lumbar spine"),
        pytest.param("spine-imaging", CCAM, "LHQN001", "rachis cervical", None, id="MRI of the neck"),
        pytest.param("spine-imaging", CPT, "72146", "", False, id="MRI of the thoracic spine"),
        pytest.param("spine-imaging", CPT, "72082", "scoliosis", None, id="films for scoliosis"),
        pytest.param(
            "physical-therapy-evaluation", CPT, "97161", "", False, id="a therapy evaluation without a reason"
        ),
        pytest.param("physical-therapy-evaluation", CPT, "97161", "back pain", True, id="the same for back pain"),
        pytest.param("spine-referral", SCT, "183545006", "", False, id="an orthopedic referral"),
        pytest.param("spine-referral", SCT, "183545006", "lumbar spine", True, id="the same for the spine"),
    ],
)
def test_words_decide_where_a_code_says_too_little(
    codes: Terminology, name: str, system: str, code: str, words: str, certain: bool | None
) -> None:
    assert certainty(codes, system, code, words, name) is certain


def test_the_display_of_a_code_counts_as_words_beside_it(codes: Terminology) -> None:
    concept = CodeableConcept([Coding(CM, "R20.2", "Paresthesia of left foot")])
    assert [match.value_set for match in codes.match(concept)] == ["nerve-symptom"]


def test_words_of_the_lists_are_written_as_they_are_compared() -> None:
    lists = load_lexicon([SHARED_LEXICON]).beside_codes
    assert [word for _, words in lists for word in words if fold(word) != word] == []
