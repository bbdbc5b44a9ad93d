"""Value sets: FHIR R4 ValueSet files in, membership by system and code (or guarded words) out.

What we read of a ValueSet (https://hl7.org/fhir/R4/valueset.html): `compose.include` with listed concepts, or with the
one filter `concept is-a X` in a code system whose codes are families by prefix. Anything else is refused at load, not
guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from cards.codes import CODE_SYSTEMS, ICD_10_CM, ICD_10_PCS, CodeSystem, InvalidCode, find_code_system
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
        self._codes: dict[CodeSystem, dict[str, tuple[str, ...]]] = {system: {} for system in CODE_SYSTEMS}
        self._families: dict[str, tuple[str, ...]] = {}
        for name, value_set in self.value_sets.items():
            for system, members in value_set.codes.items():
                index = self._codes[system]
                for code in members:
                    index[code] = (*index.get(code, ()), name)
            for family in value_set.families:
                self._families[family] = (*self._families.get(family, ()), name)
        self._terms = terms
        # The same few thousand codes come back in chart after chart; the cache is bounded, and codes alone name nobody.
        self._look_up = lru_cache(maxsize=16_384)(self._value_sets_of)

    def match(self, concept: CodeableConcept) -> tuple[Match, ...]:
        """Every value set that one concept belongs to."""
        return self.match_all([concept])[0]

    def match_all(self, concepts: Sequence[CodeableConcept]) -> list[tuple[Match, ...]]:
        """For each concept, every value set it belongs to: all codings count; words only where no code does.

        The words are the concept's text, and the display of codings whose code system we do not know.
        """
        look_up = self._look_up
        matches: list[tuple[Match, ...]] = []
        wordy: list[tuple[int, str]] = []
        for place, concept in enumerate(concepts):
            found: list[Match] = []
            words = concept.text
            for coding in concept.coding:
                by_code = look_up(coding.system, coding.code)
                if by_code is not None:
                    found += by_code
                elif coding.display:
                    words = f"{words}; {coding.display}" if words else coding.display
            matches.append(tuple(found))
            if words and not found:
                wordy.append((place, words))
        for place, terms in self._terms.find_in_each(wordy):
            matches[place] = tuple(Match(term.value_set, None, None, term.certain) for term in terms)
        return matches

    def _value_sets_of(self, system_uri: str | None, code: str | None) -> tuple[Match, ...] | None:
        """The value sets that hold a code; None where its code system is not known."""
        system = find_code_system(system_uri)
        if system is None:
            return None
        normal = system.normalise(code or "")
        if system is ICD_10_CM and normal[:1].isdigit():
            system = ICD_10_PCS  # no ICD-10-CM code begins with a digit: a procedure code under the wrong system
        names = dict.fromkeys(self._codes[system].get(normal, ()))
        if system.by_prefix:
            for length in range(3, len(normal) + 1):
                names |= dict.fromkeys(self._families.get(normal[:length], ()))
        return tuple(Match(name, system.name, (code or "").strip()) for name in names)
