"""Value sets: FHIR R4 ValueSet files in, membership by system and code (or guarded words) out.

What we read of a ValueSet (https://hl7.org/fhir/R4/valueset.html): `compose.include` with listed concepts, or with the
one filter `concept is-a X` in a code system whose codes are families by prefix. Anything else is refused at load, not
guessed at. A set without `compose` lives by its words alone. A site adds its own codes to a set by a file of the same
name (docs/site-codes.md); only there may a code system be one that we do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from cards.content.files import ContentError, line_of, read_text
from cards.fhir.resources import CodeableConcept, Coding, ResourceCode, read_codings
from cards.fhir.tolerant_reading import ABSENT
from cards.terminology.code_systems import (
    CODE_SYSTEMS,
    ICD_10_CM,
    ICD_10_PCS,
    CodeSystem,
    InvalidCode,
    find_code_system,
    fold_uri,
    local_code_system,
)
from cards.terminology.text_terms import TextTerms


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
    value_set: list[str] = msgspec.field(name="valueSet", default=[])


class _Compose(msgspec.Struct, frozen=True):
    include: list[_Include] = []
    exclude: list[msgspec.Raw] = []


class _ValueSetFile(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str
    version: str
    title: str
    date: str
    compose: _Compose = _Compose()


@dataclass(frozen=True)
class ValueSet:
    """One value set: its members by code system, normalised; `families` match by prefix."""

    id: str
    version: str
    title: str
    codes: dict[CodeSystem, frozenset[str]]
    families: frozenset[str]


_URIS = {system.name: system.uri for system in CODE_SYSTEMS}


@dataclass(frozen=True, slots=True)
class Match:
    """Why a concept belongs to a value set: a coding of it, or (code None) words that say so."""

    value_set: str
    code_system: str | None
    code: str | None
    certain: bool = True

    @property
    def system_uri(self) -> str | None:
        """The code system's canonical URI; a site's own is named by its URI."""
        return _URIS.get(self.code_system, self.code_system) if self.code_system else None


def load_value_set(path: Path, *, local: bool = False) -> ValueSet:
    """Read one ValueSet file; `local`: a site's own, whose code systems may be unknown to us. Raises ContentError."""
    text = read_text(path)
    try:
        file = msgspec.json.decode(text, type=_ValueSetFile)
    except msgspec.DecodeError as cause:
        raise ContentError(path, str(cause)) from None
    if file.resource_type != "ValueSet" or file.id != path.stem:
        raise ContentError(path, "resourceType must be ValueSet, and id the name of the file", 1)
    if file.compose.exclude or any(include.value_set for include in file.compose.include):
        raise ContentError(path, "exclude and include.valueSet are not read: list codes", line_of(text, '"compose"'))
    if local and not file.compose.include:
        raise ContentError(path, "compose.include holds no codes: list them there", 1)
    codes: dict[CodeSystem, set[str]] = {}
    families: set[str] = set()
    for include in file.compose.include:
        system = find_code_system(include.system) or (local_code_system(include.system) if local else None)
        if system is None or not include.concept + include.filter:
            what = f"an include needs a known code system and codes: {include.system}"
            raise ContentError(path, what, line_of(text, include.system))
        codes.setdefault(system, set()).update(system.normalise(concept.code) for concept in include.concept)
        for only in include.filter:
            if not system.by_prefix or (only.property, only.op) != ("concept", "is-a") or len(include.filter) > 1:
                what = f"only one filter `concept is-a`, only in ICD-10-CM: {only.value}"
                raise ContentError(path, what, line_of(text, f'"{only.value}"'))
            families.add(system.normalise(only.value))
        for code in (*(concept.code for concept in include.concept), *(only.value for only in include.filter)):
            try:
                system.validate(code)
            except InvalidCode as cause:
                raise ContentError(path, str(cause), line_of(text, f'"{code}"')) from None
    frozen = {system: frozenset(members) for system, members in codes.items() if members}
    return ValueSet(file.id, file.version, file.title, frozen, frozenset(families))


def with_local_codes(ours: ValueSet, local: ValueSet) -> ValueSet:
    """A value set of ours and a site's own codes for it, as one; the version names both."""
    systems = {*ours.codes, *local.codes}
    codes = {system: ours.codes.get(system, frozenset()) | local.codes.get(system, frozenset()) for system in systems}
    version = f"{ours.version}+{local.version}"
    return ValueSet(ours.id, version, ours.title, codes, ours.families | local.families)


class _Judgement(NamedTuple):
    """What codings say by themselves; `words`: what they display where we do not know their code system."""

    matches: tuple[Match, ...]
    words: str
    says_something: bool


_NOTHING = _Judgement((), "", False)
_LONGEST_KEPT = 1_000  # bytes of codings; longer ones are rare, and would make the cache as large as whoever sends them


class Terminology:
    """Many value sets as one index: a concept is looked up once, and all value sets that hold it answer."""

    def __init__(self, value_sets: Iterable[ValueSet], terms: TextTerms) -> None:
        self.value_sets = {value_set.id: value_set for value_set in value_sets}
        self._codes: dict[CodeSystem, dict[str, tuple[str, ...]]] = {system: {} for system in CODE_SYSTEMS}
        self._local: dict[str, CodeSystem] = {}
        self._families: dict[str, tuple[str, ...]] = {}
        for name, value_set in self.value_sets.items():
            for system, members in value_set.codes.items():
                index = self._codes.setdefault(system, {})
                if system not in CODE_SYSTEMS:
                    self._local[fold_uri(system.uri)] = system
                for code in members:
                    index[code] = (*index.get(code, ()), name)
            for family in value_set.families:
                self._families[family] = (*self._families.get(family, ()), name)
        self._terms = terms
        # The same few thousand codings come back in chart after chart; caches are bounded, and codes alone name nobody.
        self._look_up = lru_cache(maxsize=16_384)(self._value_sets_of)
        self._judge_kept = lru_cache(maxsize=16_384)(self._judge_raw)

    def match(self, concept: CodeableConcept) -> tuple[Match, ...]:
        """Every value set that one concept belongs to."""
        return self.match_all([concept])[0]

    def mentioned(self, concept: CodeableConcept) -> frozenset[str]:
        """Every value set that a concept so much as speaks of, by code or in words, be it to deny or to doubt it."""
        words = [concept.text, *(coding.display for coding in concept.coding)]
        by_words = (name for text in words if text for name in self._terms.mentioned_in(text))
        return frozenset(match.value_set for match in self.match(concept)).union(by_words)

    def match_all(self, concepts: Sequence[CodeableConcept]) -> list[tuple[Match, ...]]:
        """For each concept, every value set it belongs to: all codings count; words only where no code does.

        The words are the concept's text, and the display of codings whose code system we do not know.
        """
        matches, _ = self._sift((self._judge(concept.coding), concept.text) for concept in concepts)
        return [matches.get(place, ()) for place in range(len(concepts))]

    def sift(self, codes: Iterable[ResourceCode | None]) -> tuple[dict[int, tuple[Match, ...]], int]:
        """The same for what resources are about: by place, those that belong to a value set; nearly none do.

        And how many there are with neither a code nor a word to judge by.
        """
        return self._sift(self._judge_codes(codes))

    def _sift(self, judged: Iterable[tuple[_Judgement, str | None]]) -> tuple[dict[int, tuple[Match, ...]], int]:
        matches_by_place: dict[int, tuple[Match, ...]] = {}
        places, texts = [], []
        silent_count = 0
        for place, ((matches, words, says_something), text) in enumerate(judged):
            if matches:
                matches_by_place[place] = matches
            elif text or words:
                places.append(place)
                texts.append(f"{text}; {words}" if text and words else text or words)
            elif not says_something:
                silent_count += 1
        for number, terms in self._terms.find_in_each(texts):
            matches_by_place[places[number]] = tuple(Match(term.value_set, None, None, term.certain) for term in terms)
        return matches_by_place, silent_count

    def _judge_codes(self, codes: Iterable[ResourceCode | None]) -> Iterator[tuple[_Judgement, str | None]]:
        judge = self._judge_kept
        for code in codes:
            if code is None:
                yield _NOTHING, None
            elif code.concept is ABSENT and len(raw := bytes(code.coding)) <= _LONGEST_KEPT:
                yield judge(raw), code.text
            else:
                concept = code.resolved()
                yield self._judge(concept.coding), concept.text

    def _judge_raw(self, codings: bytes) -> _Judgement:
        return self._judge(read_codings(codings))

    def _judge(self, codings: Sequence[Coding]) -> _Judgement:
        matches: list[Match] = []
        words: list[str] = []
        for coding in codings:
            by_code = self._look_up(coding.system, coding.code)
            if by_code is not None:
                matches += by_code
            elif coding.display:
                words.append(coding.display)
        return _Judgement(tuple(matches), "; ".join(words), any(coding.code or coding.display for coding in codings))

    def _value_sets_of(self, system_uri: str | None, code: str | None) -> tuple[Match, ...] | None:
        """The value sets that hold a code; None where its code system is not known."""
        system = find_code_system(system_uri)
        if system is None:
            return self._local_value_sets_of(system_uri, code)
        normal = system.normalise(code or "")
        if system is ICD_10_CM and normal[:1].isdigit():
            system = ICD_10_PCS  # no ICD-10-CM code begins with a digit: a procedure code under the wrong system
        names = dict.fromkeys(self._codes[system].get(normal, ()))
        if system.by_prefix:
            for length in range(3, len(normal) + 1):
                names |= dict.fromkeys(self._families.get(normal[:length], ()))
        return tuple(Match(name, system.name, (code or "").strip()) for name in names)

    def _local_value_sets_of(self, system_uri: str | None, code: str | None) -> tuple[Match, ...] | None:
        """As above, in a site's own code system; None for a code that the site did not list, whose words then count."""
        system = self._local.get(fold_uri(system_uri)) if system_uri and self._local else None
        names = self._codes[system].get(system.normalise(code or "")) if system else None
        if system is None or not names:
            return None
        return tuple(Match(name, system.name, (code or "").strip()) for name in names)
