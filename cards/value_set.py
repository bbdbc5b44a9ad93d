"""Value sets: FHIR R4 ValueSet files in, membership by system and code (or guarded words) out.

What we read of a ValueSet (https://hl7.org/fhir/R4/valueset.html): `compose.include` with listed concepts, or with the
one filter `concept is-a X` in a code system whose codes are families by prefix. Anything else is refused at load, not
guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cards.codes import ICD_10_CM, ICD_10_PCS, CodeSystem, InvalidCode, find_code_system
from cards.content import ContentError, read_text
from cards.resources import CodeableConcept
from cards.text_terms import TextTerms


class _Concept(msgspec.Struct):
    code: str
    display: str | None = None


class _Filter(msgspec.Struct):
    property: str
    op: str
    value: str


class _Include(msgspec.Struct):
    system: str
    concept: list[_Concept] = []
    filter: list[_Filter] = []


class _Compose(msgspec.Struct):
    include: list[_Include]


class _ValueSetFile(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str
    version: str
    title: str
    date: str
    compose: _Compose


@dataclass(frozen=True)
class ValueSet:
    """One value set: its members by code system, normalised; `families` match by prefix."""

    id: str
    version: str
    title: str
    codes: dict[CodeSystem, frozenset[str]]
    families: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """Why a concept belongs to a value set: a coding of it, or (code None) words that say so."""

    value_set: str
    code_system: str | None
    code: str | None
    certain: bool = True


def load_value_set(path: Path) -> ValueSet:
    """Read one ValueSet file. Raises ContentError."""
    try:
        file = msgspec.json.decode(read_text(path), type=_ValueSetFile)
    except msgspec.DecodeError as cause:
        raise ContentError(path, str(cause)) from None
    if file.resource_type != "ValueSet" or file.id != path.stem:
        raise ContentError(path, "resourceType must be ValueSet, and id the name of the file")
    codes: dict[CodeSystem, set[str]] = {}
    families: set[str] = set()
    for include in file.compose.include:
        system = find_code_system(include.system)
        if system is None or not include.concept + include.filter:
            raise ContentError(path, f"an include needs a known code system and codes: {include.system}")
        try:
            for concept in include.concept:
                system.validate(concept.code)
                codes.setdefault(system, set()).add(system.normalise(concept.code))
            for only in include.filter:
                if not system.by_prefix or (only.property, only.op) != ("concept", "is-a") or len(include.filter) > 1:
                    raise ContentError(path, f"only one filter `concept is-a`, only in ICD-10-CM: {only.value}")
                system.validate(only.value)
                families.add(system.normalise(only.value))
        except InvalidCode as cause:
            raise ContentError(path, str(cause)) from None
    frozen = {system: frozenset(members) for system, members in codes.items()}
    return ValueSet(file.id, file.version, file.title, frozen, frozenset(families))


class Terminology:
    """Many value sets as one index: a concept is looked up once, and all value sets that hold it answer."""

    def __init__(self, value_sets: Iterable[ValueSet], terms: TextTerms) -> None:
        self.value_sets = {value_set.id: value_set for value_set in value_sets}
        self._codes: dict[CodeSystem, dict[str, tuple[str, ...]]] = {}
        self._families: dict[str, tuple[str, ...]] = {}
        for name, value_set in self.value_sets.items():
            for system, members in value_set.codes.items():
                index = self._codes.setdefault(system, {})
                for code in members:
                    index[code] = (*index.get(code, ()), name)
            for prefix in value_set.families:
                self._families[prefix] = (*self._families.get(prefix, ()), name)
        self._family_lengths = sorted({len(prefix) for prefix in self._families})
        self._terms = terms

    def match(self, concept: CodeableConcept) -> tuple[Match, ...]:
        """Every value set that the concept belongs to: all codings count; words only where no code does.

        The words are the concept's text, and the display of codings whose code system we do not know.
        """
        matches: list[Match] = []
        texts: list[str] = [concept.text] if concept.text else []
        for coding in concept.coding:
            system = find_code_system(coding.system)
            if system is None:
                if coding.display:
                    texts.append(coding.display)
            elif coding.code:
                found = self._value_sets_of(system, coding.code)
                matches.extend(Match(name, found_system.name, coding.code.strip()) for name, found_system in found)
        if matches:
            return tuple(matches)
        return tuple(
            Match(term.value_set, None, None, term.certain) for text in texts for term in self._terms.find(text)
        )

    def _value_sets_of(self, system: CodeSystem, code: str) -> list[tuple[str, CodeSystem]]:
        normal = system.normalise(code)
        if system is ICD_10_CM:
            if normal[:1].isdigit():  # no ICD-10-CM code begins with a digit: a procedure code under the wrong system
                system = ICD_10_PCS
            else:
                families = self._families
                hits = [families[prefix] for length in self._family_lengths if (prefix := normal[:length]) in families]
                # a code shorter than a family's length would be tried twice
                return [(name, system) for name in dict.fromkeys(name for hit in hits for name in hit)]
        return [(name, system) for name in self._codes.get(system, {}).get(normal, ())]
