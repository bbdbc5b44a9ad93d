"""The code systems we know, under all their names.

Canonical URIs: https://terminology.hl7.org (THO). Aliases: OIDs registered there, and spellings met in real charts.
"""

from __future__ import annotations

import re

from cards.terminology.code_system import (
    CodeSystem,
    focus_concepts,
    has_mod_10_digit,
    has_verhoeff_digit,
    icd_9_readings,
)
from cards.terminology.icd_10 import ICD_10_FAMILY

SNOMED_CT = CodeSystem(
    "SNOMED CT",
    "http://snomed.info/sct",
    ("http://snomed.info", "2.16.840.1.113883.6.96", "SNOMED-CT", "SCT"),
    re.compile(r"[1-9]\d{5,17}"),
    split=focus_concepts,
    has_valid_check_digit=has_verhoeff_digit,
)
ICD_10_PCS = CodeSystem(
    "ICD-10-PCS",
    "http://www.cms.gov/Medicare/Coding/ICD10",
    ("http://hl7.org/fhir/sid/icd-10-pcs", "http://www.icd10data.com/icd10pcs", "2.16.840.1.113883.6.4"),
    re.compile(r"[0-9A-HJ-NP-Z]{3,7}"),
    by_prefix=True,
)
ICD_9_CM = CodeSystem(
    "ICD-9-CM",
    "http://hl7.org/fhir/sid/icd-9-cm",
    (
        "http://hl7.org/fhir/sid/icd-9-cm/procedure",
        "http://hl7.org/fhir/sid/icd-9-cm/diagnosis",
        "http://terminology.hl7.org/CodeSystem/icd9cm",
        "2.16.840.1.113883.6.103",
        "2.16.840.1.113883.6.104",
    ),
    re.compile(r"\d\d(\.\d{1,2})?|(\d{3}|V\d\d)(\.\d{1,2})?|E\d{3}(\.\d)?"),
    split=icd_9_readings,
)
CPT = CodeSystem("CPT", "http://www.ama-assn.org/go/cpt", ("2.16.840.1.113883.6.12",), re.compile(r"\d{4}[0-9A-Z]"))
LOINC = CodeSystem(
    "LOINC",
    "http://loinc.org",
    ("2.16.840.1.113883.6.1",),
    re.compile(r"\d{1,7}-\d"),
    has_valid_check_digit=has_mod_10_digit,
)
OPCS_4 = CodeSystem(
    "OPCS-4",
    "https://fhir.hl7.org.uk/Id/opcs-4",
    (),
    re.compile(r"[A-Z]\d\d(\.\d)?"),
    dotted=True,
    by_prefix=True,
)
OPS = CodeSystem(
    "OPS",
    "http://fhir.de/CodeSystem/bfarm/ops",
    ("http://fhir.de/CodeSystem/dimdi/ops",),
    re.compile(r"\d-\d{2}[0-9a-z](\.[0-9a-z]{1,3})?"),
    dotted=True,
    by_prefix=True,
)
EBM = CodeSystem("EBM", "http://fhir.de/CodeSystem/kbv/ebm", (), re.compile(r"\d{5}[A-Z]?"))
CCAM = CodeSystem(
    "CCAM",
    "https://smt.esante.gouv.fr/terminologie-ccam",
    ("1.2.250.1.213.2.5",),
    re.compile(r"[A-Z]{4}\d{3}"),
)
CCI = CodeSystem(
    "CCI",
    "http://cihi.ca/fhir/CodeSystem/cihi-cci",
    (),
    re.compile(r"\d\.[A-Z]{2}\.\d{2}(\.[A-Z0-9^-]+)?"),
    dotted=True,
    by_prefix=True,
)
ACHI = CodeSystem("ACHI", "urn:oid:1.2.36.1.2001.1005", (), re.compile(r"\d{5}-\d{2}"))  # URI UNVERIFIED

CODE_SYSTEMS = (SNOMED_CT, *ICD_10_FAMILY, ICD_10_PCS, ICD_9_CM, CPT, LOINC, OPCS_4, OPS, EBM, CCAM, CCI, ACHI)


def fold_uri(uri: str) -> str:
    """One spelling of a system's name: OIDs bare, web addresses without scheme, case and trailing slash."""
    uri = uri.strip().lower().removeprefix("urn:oid:")
    return uri.removeprefix("https://").removeprefix("http://").rstrip("/")


_BY_URI = {system.uri: system for system in CODE_SYSTEMS}
_BY_FOLDED = {fold_uri(uri): system for system in CODE_SYSTEMS for uri in (system.uri, system.name, *system.aliases)}


_LOCAL: dict[str, CodeSystem] = {}  # one object for each, because value sets are keyed by it


def local_code_system(uri: str) -> CodeSystem:
    """The code system of this name that only one site knows; the same one for every spelling of the name."""
    return _LOCAL.setdefault(fold_uri(uri), CodeSystem(uri, uri, (), re.compile(r"\S(?:.*\S)?")))


def find_code_system(uri: str | None) -> CodeSystem | None:
    """The code system that a FHIR Coding.system names in any known spelling, or None.

    A SNOMED CT edition or version URI ("http://snomed.info/sct/731000124108") is SNOMED CT.
    """
    if uri is None:
        return None
    exact = _BY_URI.get(uri)
    if exact is not None:
        return exact
    folded = fold_uri(uri)
    return SNOMED_CT if folded.startswith("snomed.info/sct/") else _BY_FOLDED.get(folded)
