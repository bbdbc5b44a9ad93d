"""What a code system is: its names, how its codes are written, and what one written code may stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


class InvalidCode(ValueError):
    """A code that its own code system would not write so."""


@dataclass(frozen=True, eq=False)
class CodeSystem:
    """One code system. `by_prefix`: a code may stand for its whole family, as in ICD-10-CM's hierarchy.

    `base`: the code system whose numbers this one keeps, so that lists of the base speak for it, too; `moved`: families
    whose number means something else there. `split`: the codes that one written code may stand for, in any spelling.
    """

    name: str
    uri: str
    aliases: tuple[str, ...]
    pattern: re.Pattern[str]
    dotted: bool = False  # the dot is only for the eye
    by_prefix: bool = False
    base: CodeSystem | None = None
    moved: tuple[str, ...] = ()
    split: Callable[[str], tuple[str, ...]] | None = None
    has_valid_check_digit: Callable[[str], bool] = field(default=lambda code: True)

    def normalize(self, code: str) -> str:
        """The one spelling under which codes of this system are compared: no blanks, upper case, dots made equal."""
        return self.readings(code)[0]

    def readings(self, code: str) -> tuple[str, ...]:
        """Every code that `code` may stand for, normalized; never empty, nearly always one."""
        code = code.strip().upper()
        if self.dotted:
            return (code.replace(".", "").strip(),)
        return self.split(code) if self.split else (code,)

    def validate(self, code: str) -> None:
        """Raise InvalidCode unless the code is written as its system prescribes, check digit included."""
        if not self.pattern.fullmatch(code):
            raise InvalidCode(f"{code!r} is not written like a {self.name} code")
        if not self.has_valid_check_digit(code):
            raise InvalidCode(f"{code!r} has a wrong {self.name} check digit")


def has_verhoeff_digit(code: str) -> bool:
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


def has_mod_10_digit(code: str) -> bool:
    """LOINC codes end in a mod 10 (Luhn) check digit after the hyphen (LOINC Users' Guide, appendix)."""
    digits = [int(digit) for digit in code if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


_LONGEST_EXPRESSION = 2_000  # characters
_FOCUS = re.compile(r"[\s(<=]*\d{6,18}(?:[\s()]*\+[\s()]*\d{6,18})*[\s()]*")


def focus_concepts(expression: str) -> tuple[str, ...]:
    """The head of a SNOMED CT expression, "122462000 |Drainage|: 363704007 = ..." or "A + B: ..."; else the code.

    Refinements behind the colon are not read (SNOMED CT Compositional Grammar, https://snomed.org/scg).
    """
    if expression.isdigit():
        return (expression,)
    head = re.sub(r"\|[^|]*(?:\||$)", " ", expression[:_LONGEST_EXPRESSION]).partition(":")[0]
    return tuple(re.findall(r"\d+", head)) if _FOCUS.fullmatch(head) else (expression,)


def icd_9_readings(code: str) -> tuple[str, ...]:
    """With a dot, or with the dot where it may have been: 0331 is the procedure 03.31 or the diagnosis 033.1.

    Diagnoses and procedures share one URI, and only the dot tells them apart.
    """
    code = code.rstrip(". ")
    digits = code[1:] if code[:1] in ("V", "E") else code
    if not digits.isdigit() or not digits.isascii() or len(digits) < 3 or len(digits) > 5:
        return (code,)
    if code[:1] == "V":
        return (f"{code[:3]}.{code[3:]}",)
    if code[:1] == "E":
        return (f"{code[:4]}.{code[4:]}",) if code[4:] else (code,)
    diagnosis = f"{code[:3]}.{code[3:]}" if code[3:] else code
    if len(code) == 5:
        return (diagnosis,)
    procedure = f"{code[:2]}.{code[2:]}"
    return (diagnosis, procedure) if len(code) == 3 else (procedure, diagnosis)
