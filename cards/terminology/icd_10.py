"""ICD-10 of the WHO and its national modifications: one family of numbers.

A list in ICD-10-CM speaks for a code of the WHO or of another country, too, wherever both mean the same by the number;
the longest number that a value set lists decides, and of equal ones that of the code's own system. `moved` are the
families whose number means something else in ICD-10-CM: titles of both read, 2026 (ICD-10-CM April 2026, CDC/NCHS).
"""

from __future__ import annotations

import re

from cards.terminology.code_system import CodeSystem

_PATTERN = re.compile(r"[A-TV-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")

ICD_10_CM = CodeSystem(
    "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-10-cm",
    ("http://hl7.org/fhir/sid/icd-10-us", "2.16.840.1.113883.6.90", "I10C"),
    _PATTERN,
    dotted=True,
    by_prefix=True,
)
ICD_10 = CodeSystem(
    "ICD-10",
    "http://hl7.org/fhir/sid/icd-10",
    ("2.16.840.1.113883.6.3", "I10"),
    _PATTERN,
    dotted=True,
    by_prefix=True,
    base=ICD_10_CM,
    moved=(
        "M213",  # wrist drop or foot drop; ICD-10-CM parts M21.33 from M21.37
        "N394",  # urge, overflow and reflex incontinence in one; ICD-10-CM parts them by the fifth character
        "R651",  # SIRS of infectious origin with organ failure; ICD-10-CM: SIRS of non-infectious origin
        "R652",  # SIRS of non-infectious origin; ICD-10-CM: severe sepsis
    ),
)


def _modification(name: str, uri: str, *aliases: str, moved: tuple[str, ...] = ()) -> CodeSystem:
    """A national modification, which keeps the numbers of the WHO and adds characters of its own."""
    return CodeSystem(name, uri, aliases, _PATTERN, dotted=True, by_prefix=True, base=ICD_10, moved=moved)


ICD_10_GM = _modification(
    "ICD-10-GM",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
    moved=(
        "D6831",  # bleeding by antibodies to factor VIII; ICD-10-CM: by intrinsic inhibitors
        "F4541",  # chronic pain disorder; ICD-10-CM: pain disorder of psychological factors
        "G9581",  # bladder paralysis, lower motor neuron; ICD-10-CM: conus medullaris syndrome
        "G9782",  # postoperative epidural spinal bleeding; ICD-10-CM: another complication of the nervous system
        "G9783",  # postoperative subdural spinal bleeding; ICD-10-CM: intracranial hypotension after shunting
        "G9784",  # postoperative subarachnoid spinal bleeding; ICD-10-CM: intracranial hypotension
        "N3942",  # urge incontinence; ICD-10-CM: incontinence without sensory awareness
        "R651",  # SIRS of infectious origin with organ failure; ICD-10-CM: SIRS of non-infectious origin
        "R652",  # SIRS of non-infectious origin; ICD-10-CM: severe sepsis
    ),
)
ICD_10_AM = _modification(
    "ICD-10-AM",
    "http://hl7.org/fhir/sid/icd-10-am",  # UNVERIFIED: widely used, not registered
    moved=(
        "R651",  # severe sepsis; ICD-10-CM: SIRS of non-infectious origin
        "T8141",  # wound infection following a procedure; ICD-10-CM: superficial incisional infection
    ),
)
ICD_10_CA = _modification(
    "ICD-10-CA",
    "http://hl7.org/fhir/sid/icd-10-ca",
    "https://fhir.infoway-inforoute.ca/CodeSystem/icd10ca",  # UNVERIFIED: seen in unofficial code only
)
ICD_10_NL = _modification("ICD-10-NL", "http://hl7.org/fhir/sid/icd-10-nl")
CIM_10 = _modification("CIM-10", "https://smt.esante.gouv.fr/terminologie-cim-10")

ICD_10_FAMILY = (ICD_10_CM, ICD_10, ICD_10_GM, ICD_10_AM, ICD_10_CA, ICD_10_NL, CIM_10)
