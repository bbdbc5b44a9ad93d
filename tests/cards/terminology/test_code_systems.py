"""Code systems: the names that senders use, one spelling for each code, and invalid codes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.terminology.code_system import CodeSystem, InvalidCode
from cards.terminology.code_systems import (
    ACHI,
    CCAM,
    CCI,
    CODE_SYSTEMS,
    CPT,
    EBM,
    ICD_9_CM,
    ICD_10_PCS,
    LOINC,
    OPCS_4,
    OPS,
    SNOMED_CT,
    find_code_system,
)
from cards.terminology.icd_10 import CIM_10, ICD_10, ICD_10_AM, ICD_10_CA, ICD_10_CM, ICD_10_GM, ICD_10_NL

few = settings(max_examples=100, deadline=None)
code_systems = st.sampled_from(CODE_SYSTEMS)
icd_10_cm_codes = st.from_regex(r"[A-TV-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?", fullmatch=True)


@pytest.mark.parametrize(
    ("uri", "system"),
    [
        pytest.param("http://snomed.info/sct", SNOMED_CT, id="SNOMED CT"),
        pytest.param("http://snomed.info/sct/731000124108", SNOMED_CT, id="an edition of SNOMED CT"),
        pytest.param(
            "http://snomed.info/sct/731000124108/version/20260301", SNOMED_CT, id="a version of an edition of SNOMED CT"
        ),
        pytest.param("urn:oid:2.16.840.1.113883.6.96", SNOMED_CT, id="SNOMED CT by OID"),
        pytest.param("http://hl7.org/fhir/sid/icd-10-cm", ICD_10_CM, id="ICD-10-CM"),
        pytest.param("http://hl7.org/fhir/sid/icd-10-us", ICD_10_CM, id="ICD-10-CM by its older name"),
        pytest.param("urn:oid:2.16.840.1.113883.6.90", ICD_10_CM, id="ICD-10-CM by OID"),
        pytest.param("http://www.cms.gov/Medicare/Coding/ICD10", ICD_10_PCS, id="ICD-10-PCS"),
        pytest.param("http://www.icd10data.com/icd10pcs", ICD_10_PCS, id="ICD-10-PCS as seen in CDS Connect"),
        pytest.param("urn:oid:2.16.840.1.113883.6.4", ICD_10_PCS, id="ICD-10-PCS by OID"),
        pytest.param("http://hl7.org/fhir/sid/icd-9-cm", ICD_9_CM, id="ICD-9-CM"),
        pytest.param("urn:oid:2.16.840.1.113883.6.103", ICD_9_CM, id="ICD-9-CM diagnoses by OID"),
        pytest.param("urn:oid:2.16.840.1.113883.6.104", ICD_9_CM, id="ICD-9-CM procedures by OID"),
        pytest.param("http://www.ama-assn.org/go/cpt", CPT, id="CPT"),
        pytest.param("urn:oid:2.16.840.1.113883.6.12", CPT, id="CPT by OID"),
        pytest.param("http://loinc.org", LOINC, id="LOINC"),
        pytest.param("urn:oid:2.16.840.1.113883.6.1", LOINC, id="LOINC by OID"),
        pytest.param("https://fhir.hl7.org.uk/Id/opcs-4", OPCS_4, id="OPCS-4"),
        pytest.param("http://hl7.org/fhir/sid/icd-10", ICD_10, id="ICD-10 of the WHO"),
        pytest.param("http://fhir.de/CodeSystem/bfarm/icd-10-gm", ICD_10_GM, id="ICD-10-GM"),
        pytest.param("http://fhir.de/CodeSystem/dimdi/icd-10-gm", ICD_10_GM, id="ICD-10-GM by its older name"),
        pytest.param("http://hl7.org/fhir/sid/icd-10-am", ICD_10_AM, id="ICD-10-AM"),
        pytest.param("http://hl7.org/fhir/sid/icd-10-ca", ICD_10_CA, id="ICD-10-CA"),
        pytest.param("https://fhir.infoway-inforoute.ca/CodeSystem/icd10ca", ICD_10_CA, id="ICD-10-CA, not registered"),
        pytest.param("http://hl7.org/fhir/sid/icd-10-nl", ICD_10_NL, id="ICD-10, Dutch"),
        pytest.param("https://smt.esante.gouv.fr/terminologie-cim-10", CIM_10, id="CIM-10"),
        pytest.param("http://terminology.hl7.org/CodeSystem/icd9cm", ICD_9_CM, id="ICD-9-CM by its second name"),
        pytest.param("http://fhir.de/CodeSystem/bfarm/ops", OPS, id="OPS"),
        pytest.param("http://fhir.de/CodeSystem/dimdi/ops", OPS, id="OPS by its older name"),
        pytest.param("http://fhir.de/CodeSystem/kbv/ebm", EBM, id="EBM"),
        pytest.param("https://smt.esante.gouv.fr/terminologie-ccam", CCAM, id="CCAM"),
        pytest.param("urn:oid:1.2.250.1.213.2.5", CCAM, id="CCAM by OID"),
        pytest.param("http://cihi.ca/fhir/CodeSystem/cihi-cci", CCI, id="CCI"),
        pytest.param("urn:oid:1.2.36.1.2001.1005", ACHI, id="ACHI by OID"),
    ],
)
def test_a_code_system_is_known_by_all_its_names_however_they_are_written(uri: str, system: CodeSystem) -> None:
    """clinical.md 2, rule 5, and 6, rule 7."""
    swapped = uri.replace("https://", "http://") if "https" in uri else uri.replace("http://", "https://")
    bare = uri.removeprefix("urn:oid:")
    for spelling in (uri, f" {uri}  ", uri.upper(), uri.lower(), f"{uri}/", swapped, bare):
        assert find_code_system(spelling) is system, spelling


@pytest.mark.parametrize(
    "uri",
    [None, "", " ", "urn:oid:", "http://snomed.info/sctx", "http://example.org/local-codes", "SNOMED",
     "2.16.840.1.113883.6",
     "urn:oid:2.16.840.1.113883.6.961", "http://hl7.org/fhir/sid/icd-1", "http://www.nlm.nih.gov/research/umls/rxnorm"],
)  # fmt: skip
def test_any_other_name_is_no_code_system_of_ours(uri: str | None) -> None:
    assert find_code_system(uri) is None


@pytest.mark.parametrize(
    ("system", "code", "normal"),
    [
        pytest.param(ICD_10_CM, "M48.061", "M48061", id="ICD-10-CM without its dot"),
        pytest.param(ICD_10_CM, " m48061 ", "M48061", id="ICD-10-CM in lower case with blanks"),
        pytest.param(ICD_9_CM, "0331", "03.31", id="ICD-9-CM, a procedure without its dot"),
        pytest.param(ICD_9_CM, "033.1", "033.1", id="ICD-9-CM, a diagnosis stays one"),
        pytest.param(ICD_9_CM, "72402", "724.02", id="ICD-9-CM, a diagnosis without its dot"),
        pytest.param(ICD_9_CM, "v5861", "V58.61", id="ICD-9-CM, a V code without its dot"),
        pytest.param(ICD_9_CM, "340", "340", id="ICD-9-CM, a diagnosis of three digits"),
        pytest.param(OPCS_4, "a55.9", "A559", id="OPCS-4 in lower case"),
        pytest.param(ICD_10_PCS, "009u3zx", "009U3ZX", id="ICD-10-PCS in lower case"),
        pytest.param(SNOMED_CT, "277762005 ", "277762005", id="SNOMED CT with a trailing blank"),
        pytest.param(LOINC, "24973-0", "24973-0", id="LOINC keeps its hyphen"),
    ],
)
def test_a_code_has_one_spelling(system: CodeSystem, code: str, normal: str) -> None:
    assert system.normalize(code) == normal


@pytest.mark.parametrize(
    ("system", "code", "readings"),
    [
        pytest.param(ICD_9_CM, "0331", ("03.31", "033.1"), id="ICD-9-CM without its dot: procedure or diagnosis"),
        pytest.param(ICD_9_CM, "036", ("036", "03.6"), id="ICD-9-CM, three digits"),
        pytest.param(ICD_9_CM, "03.31", ("03.31",), id="ICD-9-CM with its dot"),
        pytest.param(ICD_9_CM, "E8798", ("E879.8",), id="ICD-9-CM, an external cause"),
        pytest.param(SNOMED_CT, "122462000:363704007=277762005", ("122462000",), id="SNOMED CT, a refined concept"),
        pytest.param(SNOMED_CT, "386661006 + 91302008", ("386661006", "91302008"), id="SNOMED CT, two concepts"),
        pytest.param(SNOMED_CT, "386661006 |unclosed", ("386661006",), id="SNOMED CT, a term without its end"),
        pytest.param(ICD_10_GM, "m54.16", ("M5416",), id="ICD-10-GM"),
    ],
)
def test_a_written_code_may_stand_for_several(system: CodeSystem, code: str, readings: tuple[str, ...]) -> None:
    assert system.readings(code) == readings


@few
@given(code_systems, st.text(st.characters(codec="utf-8", exclude_characters="."), max_size=12))
def test_normalising_twice_is_normalising_once(system: CodeSystem, code: str) -> None:
    once = system.normalize(code)
    assert system.normalize(once) == once


def test_normalising_twice_is_normalising_once_where_a_dot_stands_beside_a_blank() -> None:
    once = ICD_10_CM.normalize("M48.061 .")
    assert ICD_10_CM.normalize(once) == once


@few
@given(icd_10_cm_codes, st.text(" \t\n", max_size=3), st.text(" \t\n", max_size=3), st.booleans(), st.booleans())
def test_blanks_case_and_dots_never_matter_for_icd_10_cm(
    code: str, before: str, after: str, lower: bool, dotless: bool
) -> None:
    """clinical.md 2, rule 1."""
    spelling = code.replace(".", "") if dotless else code
    spelling = spelling.lower() if lower else spelling
    assert ICD_10_CM.normalize(f"{before}{spelling}{after}") == ICD_10_CM.normalize(code)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        pytest.param(SNOMED_CT, "277762005", id="SNOMED CT, lumbar puncture"),
        pytest.param(SNOMED_CT, "18347007", id="SNOMED CT, eight digits"),
        pytest.param(ICD_10_CM, "M48.061", id="ICD-10-CM, six characters"),
        pytest.param(ICD_10_CM, "M54", id="ICD-10-CM, a category"),
        pytest.param(ICD_10_CM, "S39.012A", id="ICD-10-CM, with an encounter character"),
        pytest.param(ICD_10_PCS, "009U3ZX", id="ICD-10-PCS"),
        pytest.param(ICD_9_CM, "03.31", id="ICD-9-CM"),
        pytest.param(CPT, "62270", id="CPT"),
        pytest.param(LOINC, "24973-0", id="LOINC"),
        pytest.param(OPCS_4, "A55.8", id="OPCS-4"),
    ],
)
def test_a_code_written_as_its_system_prescribes_is_accepted(system: CodeSystem, code: str) -> None:
    assert system.validate(code) is None


@pytest.mark.parametrize(
    ("system", "code", "message"),
    [
        pytest.param(SNOMED_CT, "277762006", "check digit", id="SNOMED CT with one digit wrong"),
        pytest.param(SNOMED_CT, "277726005", "check digit", id="SNOMED CT with two digits swapped"),
        pytest.param(SNOMED_CT, "027776", "not written", id="SNOMED CT with a leading zero"),
        pytest.param(SNOMED_CT, "12345", "not written", id="SNOMED CT too short"),
        pytest.param(SNOMED_CT, " 277762005", "not written", id="a blank in a file of ours"),
        pytest.param(ICD_10_CM, "M48061", "not written", id="ICD-10-CM without its dot"),
        pytest.param(ICD_10_CM, "m48.061", "not written", id="ICD-10-CM in lower case"),
        pytest.param(ICD_10_CM, "U07.1", "not written", id="ICD-10-CM, a letter the content has no use for"),
        pytest.param(ICD_10_PCS, "009O3ZX", "not written", id="ICD-10-PCS has no letter O"),
        pytest.param(ICD_10_PCS, "00", "not written", id="ICD-10-PCS, fewer characters than a family has"),
        pytest.param(ICD_9_CM, "0331", "not written", id="ICD-9-CM without its dot"),
        pytest.param(CPT, "6227", "not written", id="CPT too short"),
        pytest.param(LOINC, "24973-1", "check digit", id="LOINC with a wrong check digit"),
        pytest.param(LOINC, "249730", "not written", id="LOINC without its hyphen"),
        pytest.param(OPCS_4, "A5.58", "not written", id="OPCS-4 with the dot misplaced"),
    ],
)
def test_a_code_written_otherwise_is_refused_with_the_reason(system: CodeSystem, code: str, message: str) -> None:
    with pytest.raises(InvalidCode, match=message) as refused:
        system.validate(code)
    assert code in str(refused.value)
    assert system.name in str(refused.value)


@few
@given(st.sampled_from(["277762005", "171765004", "18347007", "24973-0"]), st.data())
def test_one_wrong_digit_never_passes_the_check_digit(code: str, data: st.DataObject) -> None:
    """Verhoeff and Luhn both find every single wrong digit."""
    system = LOINC if "-" in code else SNOMED_CT
    place = data.draw(st.sampled_from([place for place, char in enumerate(code) if char.isdigit()]))
    digit = data.draw(st.sampled_from([digit for digit in "123456789" if digit != code[place]]))
    with pytest.raises(InvalidCode):
        system.validate(code[:place] + digit + code[place + 1 :])
