"""Value sets in the code systems of many countries: what belongs, what was removed, and SNOMED CT expressions."""

from __future__ import annotations

import pytest

from cards.content.files import read_text
from cards.content.topic_files import SHARED_LEXICON
from cards.fhir.resources import CodeableConcept, Coding
from cards.terminology.value_set import load_value_set
from cards.terminology.value_set_index import Terminology
from cards.words.lexicon import Lexicon
from cards.words.lexicon_files import load_lexicon
from tests.content import VALUE_SETS

ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"
SCT = "http://snomed.info/sct"
CPT = "http://www.ama-assn.org/go/cpt"
LOINC = "http://loinc.org"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
OPCS = "https://fhir.hl7.org.uk/Id/opcs-4"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
EBM = "http://fhir.de/CodeSystem/kbv/ebm"
CCAM = "https://smt.esante.gouv.fr/terminologie-ccam"
CCI = "http://cihi.ca/fhir/CodeSystem/cihi-cci"
ACHI = "urn:oid:1.2.36.1.2001.1005"


@pytest.fixture(scope="module")
def terminology() -> Terminology:
    lexicon = Lexicon(load_lexicon([SHARED_LEXICON]), [])
    return Terminology([load_value_set(one) for one in sorted(VALUE_SETS.glob("*.json"))], lexicon)


def sets_of(terminology: Terminology, system: str, code: str) -> set[str]:
    return {match.value_set for match in terminology.match(CodeableConcept([Coding(system, code, None)]))}


@pytest.mark.parametrize(
    ("name", "system", "codes"),
    [
        pytest.param("lumbar-puncture", OPCS, "A55.9 A55.8 A55.3 A54.9 A54.8 a559", id="punctures, OPCS-4"),
        pytest.param("lumbar-puncture", CCAM, "AFHB002 AFJB002 afhb002", id="punctures, CCAM"),
        pytest.param("lumbar-puncture", OPS, "1-204.2 1-2042 8-151.4", id="punctures, OPS"),
        pytest.param("lumbar-puncture", EBM, "02342", id="a puncture, EBM"),
        pytest.param("lumbar-puncture", ACHI, "39000-00", id="a puncture, ACHI"),
        pytest.param("lumbar-puncture", CCI, "2.AX.13 2AX13 2.AX.13.HA-TS", id="a puncture, CCI"),
        pytest.param("lumbar-puncture", ICD_9, "03.31 0331", id="a spinal tap, ICD-9-CM"),
        pytest.param("intrathecal-chemotherapy", CCAM, "AFLB003 AFLB006 AFLH002", id="intrathecal therapy, CCAM"),
        pytest.param("intrathecal-chemotherapy", OPS, "8-541.0", id="intrathecal chemotherapy, OPS"),
        pytest.param("intrathecal-chemotherapy", PCS, "3E0R305 3E0R30M", id="intrathecal therapy, ICD-10-PCS"),
        pytest.param("not-lumbar-puncture", OPCS, "A55.1 A55.2 A52.1 A52.3 A53.4 A54.3", id="near misses, OPCS-4"),
        pytest.param("not-lumbar-puncture", CCAM, "AFHB001 AFLB001 AFCA004 AEQH001", id="near misses, CCAM"),
        pytest.param("not-lumbar-puncture", OPS, "1-204.3 1-204.5 8-917.1", id="near misses, OPS"),
        pytest.param("not-lumbar-puncture", ICD_9, "03.90 03.95 87.21 8721", id="near misses, ICD-9-CM"),
        pytest.param("not-lumbar-puncture", CPT, "62320 62350 62367 62290", id="near misses, CPT"),
        pytest.param("not-lumbar-puncture", LOINC, "35905-9 24965-6", id="near misses, LOINC"),
        pytest.param("cauda-equina-syndrome", ICD_9, "344.60 344.61 34461 952.4", id="cauda equina, ICD-9-CM"),
        pytest.param("meningitis", ICD_9, "320.9 047.9 036.0 323.9", id="meningitis and encephalitis, ICD-9-CM"),
        pytest.param("sepsis", ICD_9, "038.9 790.7 995.91", id="sepsis, ICD-9-CM"),
        pytest.param("sepsis", SCT, "91302008 5758002", id="sepsis, SNOMED CT"),
        pytest.param("back-pain", ICD_9, "724.2 7242 724.5", id="back pain, ICD-9-CM"),
        pytest.param("radicular-pain", ICD_9, "724.3 724.4", id="sciatica, ICD-9-CM"),
        pytest.param("radicular-pain", SCT, "23056005 128196005", id="radicular pain, SNOMED CT"),
        pytest.param("leg-pain", SCT, "10601006", id="leg pain, SNOMED CT"),
        pytest.param("spinal-surgery", OPCS, "V25.4 V25 V33.1 V39.2 V40.5 A48.3", id="surgery, OPCS-4"),
        pytest.param("spinal-surgery", CCAM, "LFFA002", id="surgery, CCAM"),
        pytest.param("spinal-surgery", PCS, "0SG0070 0ST20ZZ 0SB20ZZ", id="surgery, ICD-10-PCS, by prefix"),
        pytest.param("spinal-surgery", CPT, "63030 22612 63685", id="surgery, CPT"),
        pytest.param("spinal-surgery", ICD_9, "81.08 03.93", id="surgery, ICD-9-CM"),
        pytest.param("spine-imaging", CCAM, "LFQK001 LHQN002", id="imaging, CCAM"),
        pytest.param("spine-imaging", PCS, "BR39ZZZ", id="imaging, ICD-10-PCS"),
        pytest.param("intracranial-hemorrhage", ICD_9, "432.1 325", id="bleeding and clotting, ICD-9-CM"),
        pytest.param("subarachnoid-hemorrhage", ICD_9, "430", id="subarachnoid bleeding, ICD-9-CM"),
        pytest.param("csf-leak-or-postural-headache", ICD_9, "349.0 368.2", id="headache, double vision, ICD-9-CM"),
        pytest.param("risk-anticoagulant", ICD_9, "V58.61 V5861 V58.63", id="anticoagulants, ICD-9-CM"),
        pytest.param("risk-bleeding-disorder", SCT, "302215000 64779008", id="platelets, coagulation, SNOMED CT"),
        pytest.param("risk-immunosuppression", ICD_9, "042 288.00", id="immunosuppression, ICD-9-CM"),
        pytest.param("risk-injection-drug-use", SCT, "226034001", id="injected drugs, SNOMED CT"),
        pytest.param("lp-finds-multiple-sclerosis", ICD_9, "340 341.0", id="multiple sclerosis, ICD-9-CM"),
        pytest.param("lp-finds-myelitis", ICD_9, "341.20 323.82", id="myelitis, ICD-9-CM"),
        pytest.param("lp-finds-hydrocephalus", SCT, "30753002", id="hydrocephalus, SNOMED CT"),
        pytest.param("lp-finds-intracranial-hypertension", SCT, "68267002", id="intracranial hypertension"),
        pytest.param("lp-finds-carcinomatous-meningitis", SCT, "230156002", id="malignant meningitis"),
    ],
)
def test_these_codes_belong(terminology: Terminology, name: str, system: str, codes: str) -> None:
    assert [code for code in codes.split() if name not in sets_of(terminology, system, code)] == []


@pytest.mark.parametrize(
    ("system", "codes"),
    [
        pytest.param(OPCS, "V39.1 V40.2 V56.1 V58.1 V60.1 V62.1", id="surgery of the neck within its family, OPCS-4"),
        pytest.param(OPCS, "V52.3 V52.4 V22.1 V22", id="biopsy, discography, surgery of the neck, OPCS-4"),
        pytest.param(CPT, "22551 22554 22600 22856 63020 63045 63075 63081", id="surgery of the neck, CPT"),
        pytest.param(PCS, "0SB20ZX 0SB43ZX 0RB94ZX 0QB00ZX", id="biopsies, ICD-10-PCS"),
        pytest.param(SCT, "443078008", id="imaging of the plexus"),
        pytest.param(ICD_9, "033.1 03.3 3440 724", id="whooping cough, parents, other codes of ICD-9-CM"),
        pytest.param(OPS, "1-204", id="the parent of a puncture, OPS"),
    ],
)
def test_these_codes_belong_to_none(terminology: Terminology, system: str, codes: str) -> None:
    assert {code for code in codes.split() if sets_of(terminology, system, code)} == set()


def test_radicular_pain_is_pain_and_no_numbness(terminology: Terminology) -> None:
    for system, code in ((SCT, "128196005"), (ICD_9, "724.4"), ("http://hl7.org/fhir/sid/icd-10-cm", "M54.16")):
        assert sets_of(terminology, system, code) & {"radicular-pain", "nerve-symptom"} == {"radicular-pain"}, code


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        pytest.param("277762005 |Lumbar puncture|", {"lumbar-puncture"}, id="a code with its term"),
        pytest.param("277762005|a: b|:363704007=277762005", {"lumbar-puncture"}, id="a colon within a term"),
        pytest.param("277762005:363704007=21906004", {"lumbar-puncture"}, id="a refined head"),
        pytest.param("71388002 : 363704007 = 277762005", set(), id="a refinement is no head"),
        pytest.param(" 386661006 + 91302008 : 246112005 = 24484000", {"fever", "sepsis"}, id="two heads"),
        pytest.param("=== 277762005 |Lumbar puncture|", {"lumbar-puncture"}, id="a definition status"),
        pytest.param("x277762005", set(), id="no expression"),
    ],
)  # fmt: skip
def test_of_a_snomed_ct_expression_the_head_counts(terminology: Terminology, expression: str, names: set[str]) -> None:
    assert sets_of(terminology, SCT, expression) == names


def test_every_member_that_came_from_another_country_says_where_it_was_seen() -> None:
    """Of every include outside ICD-10-CM and the level sets, each code and family has its origin in the file."""
    import json

    comment = "http://hl7.org/fhir/StructureDefinition/valueset-concept-comments"
    silent = []
    for path in sorted(VALUE_SETS.glob("*.json")):
        if path.stem.startswith("level-"):
            continue
        compose = json.loads(read_text(path)).get("compose", {})
        for include in (*compose.get("include", ()), *compose.get("exclude", ())):
            if include["system"] != "http://hl7.org/fhir/sid/icd-10-cm":
                silent += [
                    (path.stem, member)
                    for member in (*include.get("concept", ()), *include.get("filter", ()))
                    if comment not in [note["url"] for note in member.get("extension", ())]
                ]
    assert silent == []
