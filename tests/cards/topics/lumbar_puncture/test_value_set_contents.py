"""Complaints, red flags and orders that work up back pain: which codes and words belong to them, and near misses."""

from __future__ import annotations

import pytest

from cards.content.topic_files import SHARED_LEXICON
from cards.fhir.resources import CodeableConcept, Coding
from cards.terminology.value_set import load_value_set
from cards.terminology.value_set_index import Terminology
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import load_lexicon
from cards.words.mention import Assertion
from tests.content import VALUE_SETS

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SCT = "http://snomed.info/sct"
CPT = "http://www.ama-assn.org/go/cpt"
LOINC = "http://loinc.org"

COMPLAINTS = ("back-pain", "nerve-symptom")
RED_FLAGS = (
    "cauda-equina-syndrome", "spinal-cord-compression", "spinal-hematoma", "epidural-abscess", "meningitis",
    "bladder-bowel-dysfunction", "saddle-numbness", "intracranial-hemorrhage", "fever", "procedure-infection",
    "csf-leak-or-postural-headache", "leg-weakness",
)  # fmt: skip
ORDERS = (
    "spine-imaging", "nerve-conduction", "neurology-referral", "spine-referral", "pain-referral",
    "physical-therapy-evaluation",
)  # fmt: skip
ALL = COMPLAINTS + RED_FLAGS + ORDERS


@pytest.fixture(scope="module")
def terminology() -> Terminology:
    """These value sets and no others, whatever service.yaml uses."""
    lexicon = Lexicon(load_lexicon([SHARED_LEXICON]), ALL)
    return Terminology([load_value_set(VALUE_SETS / f"{name}.json") for name in ALL], lexicon)


def sets_of(terminology: Terminology, system: str, code: str) -> set[str]:
    return {match.value_set for match in terminology.match(CodeableConcept([Coding(system, code, None)]))}


def found_in(terminology: Terminology, text: str) -> dict[str, bool]:
    """Value set -> certain, for what `text` names."""
    return {match.value_set: match.certain for match in terminology.match(CodeableConcept(text=text))}


@pytest.mark.parametrize("name", ALL)
def test_every_set_has_words(terminology: Terminology, name: str) -> None:
    assert name in load_lexicon([SHARED_LEXICON]).concept_names
    assert name in terminology.value_sets


@pytest.mark.parametrize(
    ("name", "system", "codes"),
    [
        pytest.param("back-pain", ICD, "M54.5 M54.50 M54.59 M54.41 M54.6 M54.89 M54.9 M54.31", id="back pain"),
        pytest.param("back-pain", ICD, "M51.360 M51.362 M51.370 M51.372", id="disc degeneration with back pain"),
        pytest.param("back-pain", SCT, "279039007 161891005 23056005 267981009 399194009", id="back pain, SNOMED CT"),
        pytest.param("nerve-symptom", ICD, "G97.48 S34.21XA", id="nerves"),
        pytest.param("nerve-symptom", SCT, "309537005 860614004", id="nerves, SNOMED CT"),
        pytest.param("cauda-equina-syndrome", ICD, "G83.4 G834 G95.81 S34.3XXA", id="cauda equina, conus"),
        pytest.param("cauda-equina-syndrome", SCT, "192970008 16846261000119106 782390002", id="cauda, SNOMED CT"),
        pytest.param("spinal-cord-compression", ICD, "G95.20 G95.29 G82.20 G82.22", id="cord compression, paraplegia"),
        pytest.param("spinal-cord-compression", SCT, "71286001 60389000 23042008 312444006", id="cord, SNOMED CT"),
        pytest.param("spinal-hematoma", ICD, "G97.31 G97.51 G97.52 G97.61 G97.62 G95.19", id="bleeding"),
        pytest.param("spinal-hematoma", SCT, "450379002", id="epidural bleeding of the spine, SNOMED CT"),
        pytest.param("epidural-abscess", ICD, "G06.1 G06.2 G07", id="abscess"),
        pytest.param("epidural-abscess", SCT, "447332005 292941000119103 1427008", id="abscess, SNOMED CT"),
        pytest.param("meningitis", ICD, "G00.9 G01 G02 G03.0 G03.1 A87.9 A39.0", id="meningitis"),
        pytest.param("meningitis", SCT, "7180009 95883001 21664006", id="meningitis, SNOMED CT"),
        pytest.param(
            "bladder-bowel-dysfunction", ICD, "R33.9 R33.8 R32 N31.9 K59.2 R15.9 N39.42 N39.45 N39.490",
            id="bladder and bowel",
        ),
        pytest.param(
            "bladder-bowel-dysfunction", SCT, "267064002 165232002 397878005 72042002 398064005 12245681000119103",
            id="bladder and bowel, SNOMED CT",
        ),
        pytest.param("saddle-numbness", SCT, "449813001", id="saddle numbness, SNOMED CT"),
        pytest.param("intracranial-hemorrhage", ICD, "I62.00 I62.03 I62.1", id="subdural, extradural"),
        pytest.param("intracranial-hemorrhage", SCT, "95453001 35486000", id="subdural, SNOMED CT"),
        pytest.param("fever", ICD, "R50.81 R50.82 R50.9", id="fever"),
        pytest.param("fever", SCT, "386661006 426000000 130091000119103", id="fever, SNOMED CT"),
        pytest.param("procedure-infection", ICD, "T81.4XXA T81.40XA T81.42XA T81.44XA", id="infection, then and now"),
        pytest.param("csf-leak-or-postural-headache", ICD, "G97.0 G97.1 G97.84 G96.00 G96.09 G96.811", id="leak"),
        pytest.param("csf-leak-or-postural-headache", ICD, "G96.0", id="leak as it was coded before 2020"),
        pytest.param("csf-leak-or-postural-headache", ICD, "R51.0", id="headache on standing"),
        pytest.param("csf-leak-or-postural-headache", SCT, "398987004 445511002", id="headache, SNOMED CT"),
        pytest.param("leg-weakness", ICD, "M21.371 M21.379 G83.11 R26.1", id="foot drop, a paralysed leg"),
        pytest.param("leg-weakness", SCT, "6077001 249945007 713514005", id="leg weakness, SNOMED CT"),
        pytest.param("spine-imaging", CPT, "72100 72110 72114 72120 72131 72132 72133 72148 72149 72158", id="imaging"),
        pytest.param("spine-imaging", LOINC, "24968-0 30679-5 24972-2 24963-1 36067-7 37340-7", id="imaging, LOINC"),
        pytest.param("nerve-conduction", CPT, "95907 95913 95860 95864 95885 95886", id="nerve conduction"),
        pytest.param("neurology-referral", SCT, "308474002 183521007", id="neurology"),
        pytest.param("spine-referral", SCT, "308482002 308481009 183545006", id="surgeons"),
        pytest.param("pain-referral", SCT, "306265007", id="pain service"),
        pytest.param("physical-therapy-evaluation", SCT, "308447003 410158009 33849009", id="physical therapy"),
        pytest.param("physical-therapy-evaluation", CPT, "97161 97162 97163", id="physical therapy, CPT"),
    ],
)  # fmt: skip
def test_these_codes_belong(terminology: Terminology, name: str, system: str, codes: str) -> None:
    assert [sets_of(terminology, system, code) for code in codes.split()] == [{name}] * len(codes.split())


@pytest.mark.parametrize(
    ("system", "codes"),
    [
        pytest.param(ICD, "M54.81 M54.2 M54.8 M54.01", id="neck pain, occipital neuralgia, panniculitis"),
        pytest.param(ICD, "M51.36 M51.361 M51.369 M51.371 M51.379", id="disc degeneration without back pain"),
        pytest.param(ICD, "G89.18 G89.28 M79.2", id="pain that names no place"),
        pytest.param(ICD, "M54.11 M54.12 M54.13 M54.14 M54.15", id="roots of neck, chest and thoracolumbar level"),
        pytest.param(ICD, "G97.41 G97.49 G97.81 G97.82 S24.2XXA", id="complications that are no hurt nerve root"),
        pytest.param(SCT, "48522003 86256001", id="a cord disorder, a hematoma of the umbilical cord"),
        pytest.param(ICD, "G04.1 G95.11 G97.63 G97.64 G95.0", id="tropical paraplegia, infarction, seroma"),
        pytest.param(ICD, "G06.0 R29.1", id="abscess in the head, meningism"),
        pytest.param(SCT, "230156002 437986008 444434004", id="cancer, meningism, exposure"),
        pytest.param(ICD, "N39.3 N39.41 N39.43 N39.44 N39.46 N39.491 N39.492 N39.498 N39.4", id="other incontinence"),
        pytest.param(SCT, "87557004 60241006 413343005 236650000", id="urge, stress, mixed, chronic retention"),
        pytest.param(ICD, "S06.5X0A I61.9 I62.9", id="other bleeding in the head"),
        pytest.param(ICD, "R50.2 R50.83 R50.84 R68.83 R56.00", id="fever with another cause, chills, febrile seizure"),
        pytest.param(ICD, "T80.29XA O86.00 T88.0XXA", id="infection after something else"),
        pytest.param(ICD, "G96.01 G96.08 G97.2 G97.83 R51 R51.9 O74.5 O89.4 G96.89 G96.11", id="other leak, headache"),
        pytest.param(SCT, "25064002 57182009", id="plain headache, a code that is none"),
        pytest.param(
            ICD, "G83.20 G83.30 R29.5 R26.89 R26.9 R29.898 M62.81 I69.341", id="weakness that says too little"
        ),
        pytest.param(SCT, "22325002 26544005", id="abnormal gait, muscle weakness"),
        pytest.param(CPT, "72141 72040 72265 62270 77003 72295", id="neck, chest, myelogram, guidance"),
        pytest.param(LOINC, "24935-9 24974-8 24973-0 24966-4 37502-2 36031-3", id="the same, and bone density"),
        pytest.param(CPT, "95905 95887 95925 97164 97110", id="other tests, re-evaluation, treatment"),
        pytest.param(SCT, "91251008 183541002 306276006 34431008", id="treatment, any surgeon, neurophysiologist"),
    ],
)
def test_near_misses_belong_to_no_set(terminology: Terminology, system: str, codes: str) -> None:
    assert {code for code in codes.split() if sets_of(terminology, system, code)} == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("back-pain", "Low back pain"),
        ("back-pain", "Dolor de espalda"),
        ("nerve-symptom", "Numbness"),
        ("nerve-symptom", "Numbness and tingling in both legs"),
        ("nerve-symptom", "Tingling of left foot"),
        ("nerve-symptom", "Pins and needles in the toes"),
        ("nerve-symptom", "Right leg numbness"),
        ("nerve-symptom", "Lumbar radiculopathy"),
        ("nerve-symptom", "Hormigueo en las piernas"),
        ("nerve-symptom", "Adormecimiento de la pierna izquierda"),
        ("cauda-equina-syndrome", "Cauda equina syndrome"),
        ("cauda-equina-syndrome", "Síndrome de cola de caballo"),
        ("spinal-cord-compression", "Spinal cord compression"),
        ("spinal-cord-compression", "Compresión medular"),
        ("spinal-hematoma", "Spinal epidural hematoma"),
        ("spinal-hematoma", "Spinal subdural haematoma"),
        ("spinal-hematoma", "Epidural hematoma of lumbar spine"),
        ("spinal-hematoma", "Hematoma epidural espinal"),
        ("epidural-abscess", "Epidural abscess, lumbar"),
        ("epidural-abscess", "Absceso epidural"),
        ("meningitis", "Bacterial meningitis"),
        ("bladder-bowel-dysfunction", "Acute urinary retention"),
        ("bladder-bowel-dysfunction", "Not able to urinate"),
        ("bladder-bowel-dysfunction", "Can't urinate"),
        ("bladder-bowel-dysfunction", "Bowel and bladder incontinence"),
        ("bladder-bowel-dysfunction", "No puede orinar"),
        ("saddle-numbness", "Saddle anesthesia"),
        ("saddle-numbness", "Saddle anaesthesia"),
        ("saddle-numbness", "Perineal numbness"),
        ("saddle-numbness", "Anestesia en silla de montar"),
        ("intracranial-hemorrhage", "Subdural hematoma"),
        ("intracranial-hemorrhage", "Nontraumatic subdural haemorrhage"),
        ("fever", "Fever"),
        ("fever", "Postprocedural fever"),
        ("fever", "Fever and chills"),
        ("fever", "Fiebre"),
        ("procedure-infection", "Surgical site infection"),
        ("csf-leak-or-postural-headache", "Post-dural puncture headache"),
        ("csf-leak-or-postural-headache", "PDPH"),
        ("csf-leak-or-postural-headache", "Headache due to lumbar puncture"),
        ("csf-leak-or-postural-headache", "CSF leak"),
        ("csf-leak-or-postural-headache", "Cefalea pospunción"),
        ("leg-weakness", "Foot drop, right"),
        ("leg-weakness", "Foot-drop"),
        ("leg-weakness", "Weakness of both legs"),
        ("leg-weakness", "Bilateral lower extremity weakness"),
        ("leg-weakness", "Debilidad en las piernas"),
        ("spine-imaging", "MRI lumbar spine"),
        ("spine-imaging", "MR of the lumbar spine without contrast"),
        ("spine-imaging", "Lumbar MRI"),
        ("spine-imaging", "MRI L-spine"),
        ("spine-imaging", "MRI cervical, thoracic and lumbar spine"),
        ("spine-imaging", "MRI spine"),
        ("spine-imaging", "Lumbosacral x-ray"),
        ("spine-imaging", "X-ray lumbar spine 2 views"),
        ("spine-imaging", "CT lumbar spine"),
        ("spine-imaging", "Resonancia magnética de columna lumbar"),
        ("spine-imaging", "Radiografía de la columna lumbosacra"),
        ("nerve-conduction", "Nerve conduction study"),
        ("nerve-conduction", "NCS/EMG lower extremities"),
        ("nerve-conduction", "Electromiografía"),
        ("neurology-referral", "Ambulatory referral to Neurology"),
        ("neurology-referral", "Neurology consult"),
        ("neurology-referral", "Interconsulta a neurología"),
        ("spine-referral", "Referral to neurosurgery"),
        ("spine-referral", "Referral to a spine surgeon"),
        ("spine-referral", "Referral to orthopaedic surgery"),
        ("spine-referral", "Derivación a neurocirugía"),
        ("pain-referral", "Pain clinic referral"),
        ("pain-referral", "Derivación a la clínica del dolor"),
        ("physical-therapy-evaluation", "Physical therapy evaluation"),
        ("physical-therapy-evaluation", "PT eval and treat"),
        ("physical-therapy-evaluation", "Valoración de fisioterapia"),
    ],
)
def test_these_words_say_the_same_as_a_code(terminology: Terminology, name: str, text: str) -> None:
    assert found_in(terminology, text) == {name: True}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("No fever", id="a denial"),
        pytest.param("No bowel or bladder incontinence", id="a denial of two"),
        pytest.param("Denies saddle anesthesia", id="denies"),
        pytest.param("Sin fiebre", id="sin"),
        pytest.param("Family history of meningitis", id="a relative's"),
        pytest.param("Cord compression ruled out", id="ruled out"),
        pytest.param("Meningitis vaccination", id="meningitis, a vaccination"),
        pytest.param("Exposure to meningitis", id="meningitis, an exposure"),
        pytest.param("Stress incontinence", id="incontinence under stress"),
        pytest.param("Urinary incontinence, stress", id="incontinence, its kind behind it"),
        pytest.param("Mixed urinary incontinence", id="mixed incontinence"),
        pytest.param("Hay fever", id="hay fever"),
        pytest.param("Scarlet fever", id="scarlet fever"),
        pytest.param("Fever blisters", id="fever blisters"),
        pytest.param("Febrile seizure", id="febrile seizure"),
        pytest.param("Afebrile", id="afebrile"),
        pytest.param("Dengue fever", id="dengue"),
        pytest.param("Umbilical cord compression", id="another cord"),
        pytest.param("Hereditary spastic paraplegia", id="inherited paraplegia"),
        pytest.param("Cauda equina ependymoma", id="a tumor of the cauda equina"),
        pytest.param("Lumbar hematoma", id="a bruise"),
        pytest.param("Brain epidural abscess", id="an abscess in the head"),
        pytest.param("Saddle block anesthesia", id="an anesthetic"),
        pytest.param("Cranial CSF leak", id="a leak from the skull"),
        pytest.param("Headache", id="plain headache"),
        pytest.param("Numbness of hand", id="numbness of a hand"),
        pytest.param("Facial numbness", id="numbness of the face"),
        pytest.param("Cervical radiculopathy", id="a root of the neck"),
        pytest.param("Generalized weakness", id="weakness all over"),
        pytest.param("Restless legs", id="restless legs"),
        pytest.param("MRI cervical spine", id="MRI of the neck"),
        pytest.param("MRI brain and lumbar puncture", id="MRI and a puncture"),
        pytest.param("CT guided lumbar spine biopsy", id="CT for a needle"),
        pytest.param("Resonancia de columna cervical", id="MRI of the neck, Spanish"),
        pytest.param("DXA lumbar spine bone density", id="bone density"),
        pytest.param("EMG upper extremities", id="EMG of the arms"),
        pytest.param("Referral to orthopedic hand surgery", id="a hand surgeon"),
        pytest.param("Chest pain clinic referral", id="a clinic for chest pain"),
        pytest.param("Chest physiotherapy", id="physiotherapy of the chest"),
        pytest.param("Referral to cardiology", id="another referral"),
    ],
)
def test_these_words_name_nothing(terminology: Terminology, text: str) -> None:
    assert found_in(terminology, text) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cauda-equina-syndrome", "?Cauda equina"),
        ("meningitis", "Possible meningitis"),
        ("epidural-abscess", "Suspected epidural abscess"),
        ("spinal-hematoma", "Sospecha de hematoma epidural espinal"),
        ("fever", "Fever?"),
    ],
)
def test_a_suspicion_is_not_certain(terminology: Terminology, name: str, text: str) -> None:
    assert found_in(terminology, text) == {name: False}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("Back pain and fever", {"back-pain", "fever"}, id="two in one"),
        pytest.param(
            "Low back pain with numbness of both legs", {"back-pain", "nerve-symptom"}, id="a complaint, a sign"
        ),
        pytest.param("NCS/EMG; neurology referral", {"nerve-conduction", "neurology-referral"}, id="two orders in one"),
        pytest.param("Saddle numbness. No fever", {"saddle-numbness"}, id="one there, one denied"),
    ],
)
def test_a_text_may_name_more_than_one(terminology: Terminology, text: str, names: set[str]) -> None:
    assert set(found_in(terminology, text)) == names


def test_a_headache_from_a_puncture_orders_no_puncture() -> None:
    lexicon = Lexicon(load_lexicon([SHARED_LEXICON]), ["lumbar-puncture"])
    texts = ("Headache due to lumbar puncture", "Headache after lumbar puncture", "Cefalea por punción lumbar")
    mentions = [mention for text in texts for mention in lexicon.read(text)]
    assert all("about" in mention.modifiers or mention.assertion is Assertion.PAST for mention in mentions)


@pytest.mark.parametrize(
    "text", ["Rule out cauda equina", "r/o epidural abscess", "Descartar meningitis", "cannot rule out meningitis"]
)
def test_what_is_grave_and_to_be_ruled_out_is_suspected(terminology: Terminology, text: str) -> None:
    """A suspicion is enough to reassure nobody."""
    assert list(found_in(terminology, text).values()) == [False]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cauda-equina-syndrome", "Cauda equina syndrome due to metastasis"),
        ("fever", "Fever and seizures"),
        ("saddle-numbness", "Saddle numbness after delivery"),
        ("bladder-bowel-dysfunction", "Urinary retention, known overactive bladder"),
        ("epidural-abscess", "Epidural abscess, brain MRI clear"),
        ("leg-weakness", "Leg weakness, stroke ruled out"),
        ("csf-leak-or-postural-headache", "CSF leak at lumbar site with nasal congestion"),
    ],
)
def test_what_is_grave_is_not_lost_for_another_word_in_the_text(terminology: Terminology, name: str, text: str) -> None:
    assert found_in(terminology, text)[name] is True
