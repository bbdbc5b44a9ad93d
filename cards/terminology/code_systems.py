"""The code systems we know: their names in the wild, how a code is written, and when two codes are the same.

Canonical URIs: https://terminology.hl7.org (THO). Aliases: OIDs registered there, and spellings met in real charts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


class InvalidCode(ValueError):
    """A code that its own code system would not write so."""


@dataclass(frozen=True, eq=False)
class CodeSystem:
    """One code system. `by_prefix`: a code means its whole family, as in ICD-10-CM's hierarchy."""

    name: str
    uri: str
    aliases: tuple[str, ...]
    pattern: re.Pattern[str]
    dotted: bool = False  # the dot is only for the eye
    dot_after: int = 0  # the dot matters, and a code without one has it after so many characters
    by_prefix: bool = False
    has_valid_check_digit: Callable[[str], bool] = field(default=lambda code: True)

    def normalise(self, code: str) -> str:
        """The one spelling under which codes of this system are compared: no blanks, upper case, dots made equal."""
        code = code.strip().upper()
        if self.dotted:
            return code.replace(".", "").strip()
        if self.dot_after and len(code) > self.dot_after and code.isdigit():
            return f"{code[: self.dot_after]}.{code[self.dot_after :]}"
        return code

    def validate(self, code: str) -> None:
        """Raise InvalidCode unless the code is written as its system prescribes, check digit included."""
        if not self.pattern.fullmatch(code):
            raise InvalidCode(f"{code!r} is not written like a {self.name} code")
        if not self.has_valid_check_digit(code):
            raise InvalidCode(f"{code!r} has a wrong {self.name} check digit")


def _verhoeff(code: str) -> bool:
    """SNOMED CT identifiers end in a Verhoeff check digit (SNOMED CT Release File Specification, SCTID)."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _DIHEDRAL[check][_PERMUTATION[place % 8][int(digit)]]
    return check == 0


_DIHEDRAL = [
    [(a + b) % 5 if a < 5 and b < 5 else (a + b) % 5 + 5 if a < 5 else (a - b) % 5 + 5 if b < 5 else (a - b) % 5
     for b in range(10)]
    for a in range(10)
]  # fmt: skip
_PERMUTATION = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
while len(_PERMUTATION) < 8:
    _PERMUTATION.append([_PERMUTATION[1][digit] for digit in _PERMUTATION[-1]])


def _loinc_mod_10(code: str) -> bool:
    """LOINC codes end in a mod 10 (Luhn) check digit after the hyphen (LOINC Users' Guide, appendix)."""
    digits = [int(digit) for digit in code if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


SNOMED_CT = CodeSystem(
    "SNOMED CT",
    "http://snomed.info/sct",
    ("http://snomed.info", "2.16.840.1.113883.6.96"),
    re.compile(r"[1-9]\d{5,17}"),
    has_valid_check_digit=_verhoeff,
)
ICD_10_CM = CodeSystem(
    "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-10-cm",
    ("http://hl7.org/fhir/sid/icd-10-us", "2.16.840.1.113883.6.90"),
    re.compile(r"[A-TV-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?"),
    dotted=True,
    by_prefix=True,
)
ICD_10_PCS = CodeSystem(
    "ICD-10-PCS",
    "http://www.cms.gov/Medicare/Coding/ICD10",
    ("http://hl7.org/fhir/sid/icd-10-pcs", "http://www.icd10data.com/icd10pcs", "2.16.840.1.113883.6.4"),
    re.compile(r"[0-9A-HJ-NP-Z]{7}"),
)
ICD_9_CM = CodeSystem(
    "ICD-9-CM",
    "http://hl7.org/fhir/sid/icd-9-cm",
    (
        "http://hl7.org/fhir/sid/icd-9-cm/procedure",
        "http://hl7.org/fhir/sid/icd-9-cm/diagnosis",
        "2.16.840.1.113883.6.103",
        "2.16.840.1.113883.6.104",
    ),
    re.compile(r"\d\d(\.\d{1,2})?"),
    dot_after=2,  # of a procedure, the only codes we hold: 03.31 is a procedure, 033.1 is whooping cough
)
CPT = CodeSystem("CPT", "http://www.ama-assn.org/go/cpt", ("2.16.840.1.113883.6.12",), re.compile(r"\d{4}[0-9A-Z]"))
LOINC = CodeSystem(
    "LOINC",
    "http://loinc.org",
    ("2.16.840.1.113883.6.1",),
    re.compile(r"\d{1,7}-\d"),
    has_valid_check_digit=_loinc_mod_10,
)
OPCS_4 = CodeSystem("OPCS-4", "https://fhir.hl7.org.uk/Id/opcs-4", (), re.compile(r"[A-Z]\d\d(\.\d)?"), dotted=True)

CODE_SYSTEMS = (SNOMED_CT, ICD_10_CM, ICD_10_PCS, ICD_9_CM, CPT, LOINC, OPCS_4)


def fold_uri(uri: str) -> str:
    """One spelling of a system's name: OIDs bare, web addresses without scheme, case and trailing slash."""
    uri = uri.strip().lower().removeprefix("urn:oid:")
    return uri.removeprefix("https://").removeprefix("http://").rstrip("/")


_BY_URI = {system.uri: system for system in CODE_SYSTEMS}
_BY_FOLDED = {fold_uri(uri): system for system in CODE_SYSTEMS for uri in (system.uri, *system.aliases)}


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
