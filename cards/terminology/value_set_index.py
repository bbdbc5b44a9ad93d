"""Many value sets as one index: what concepts and codes of a chart belong to, by code and by words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import msgspec

from cards.fhir.resources import CodeableConcept, Coding, ResourceCode, read_codings
from cards.fhir.tolerant_reading import ABSENT
from cards.terminology.code_system import CodeSystem
from cards.terminology.code_systems import CODE_SYSTEMS, ICD_10_PCS, SNOMED_CT, find_code_system, fold_uri
from cards.terminology.icd_10 import ICD_10_CM, ICD_10_FAMILY
from cards.terminology.match import Match, matches_of, without_denied
from cards.terminology.value_set import Codes, ValueSet
from cards.words.lexicon import Lexicon
from cards.words.tokens import LONGEST_TEXT, fold, says_something
from cards.words.word_rules import WordRule


class _Member(NamedTuple):
    """One code or family in one value set; `is_out`: excluded from a larger family of it."""

    value_set: str
    rule: WordRule | None
    is_out: bool


class _Judgment(NamedTuple):
    """What codings say by themselves, by code and by the words they display.

    `pending`: matches whose codes need words. `was_read`: whether a code or a display says enough to judge by.
    """

    matches: tuple[Match, ...]
    pending: tuple[tuple[Match, WordRule], ...]
    by_words: tuple[Match, ...]
    displays: tuple[str, ...]
    was_read: bool


class _Reading(NamedTuple):
    """What a concept comes to. `was_read`: there are words and all were read, or a code that says enough by itself."""

    matches: tuple[Match, ...]
    was_read: bool


_OTHER = _Reading((), True)  # nearly every concept of a chart
_Concept = tuple[bytes, str | None]  # its codings as JSON, and its text
_NO_CONCEPT: _Concept = (b"", None)
_LONGEST_TEXT = 1_000  # characters of what stands beside a code
_LIKE_ICD_10 = re.compile(r"[A-Za-z]\d|\d\w{6}$")  # or a procedure code of ICD-10-PCS under the same name
_MOST_KEPT = 8_192  # concepts whose reading is kept, and as many lists of codings
# Longer ones are rare, and would make what is kept as large as whoever sends them.
_LONGEST_CODINGS_KEPT = 1_000  # bytes
_LONGEST_TEXT_KEPT = 100  # characters


class Terminology:
    """Many value sets as one index: a concept is looked up once, and all value sets that hold it answer."""

    def __init__(self, value_sets: Iterable[ValueSet], lexicon: Lexicon) -> None:
        self.value_sets = {value_set.id: value_set for value_set in value_sets}
        self._codes: dict[CodeSystem, dict[str, tuple[_Member, ...]]] = {system: {} for system in CODE_SYSTEMS}
        self._families: dict[CodeSystem, dict[str, tuple[_Member, ...]]] = {system: {} for system in CODE_SYSTEMS}
        self._local: dict[str, CodeSystem] = {}
        for value_set in self.value_sets.values():
            kinds = ((value_set.codes, self._codes, False), (value_set.families, self._families, False),
                     (value_set.excluded, self._families, True))  # fmt: skip
            for members, index, is_out in kinds:
                self._add(value_set, members, index, is_out=is_out)
        self._lexicon = lexicon
        # The same few thousand codings and names of problems come back in every chart (SECURITY.md).
        self._kept: dict[_Concept, _Reading] = {}
        self._judge_kept = lru_cache(maxsize=_MOST_KEPT)(self._judge)

    def _add(
        self,
        value_set: ValueSet,
        members: Codes,
        index: dict[CodeSystem, dict[str, tuple[_Member, ...]]],
        *,
        is_out: bool,
    ) -> None:
        for system, codes in members.items():
            if system not in CODE_SYSTEMS:
                self._local[fold_uri(system.uri)] = system
            of_system = index.setdefault(system, {})
            for code in codes:
                member = _Member(value_set.id, value_set.needs_words.get((system, code)), is_out)
                of_system[code] = (*of_system.get(code, ()), member)

    def match(self, concept: CodeableConcept) -> tuple[Match, ...]:
        """Every value set that one concept belongs to."""
        return self.match_all([concept])[0]

    def mentioned(self, concept: CodeableConcept) -> frozenset[str]:
        """Every value set that a concept so much as speaks of, by code or in words, be it to deny or to doubt it."""
        by_words = (mention.concept for text in concept.texts for mention in self._lexicon.read(text))
        return frozenset(match.value_set for match in self.match(concept)).union(by_words)

    def is_readable(self, concept: CodeableConcept) -> bool:
        """Whether there are words, or a code that says enough by itself."""
        return self._read([_as_bytes(concept)])[0].was_read

    def match_all(self, concepts: Sequence[CodeableConcept]) -> list[tuple[Match, ...]]:
        """For each concept, every value set it belongs to: all codings count, and all words, text and displays.

        What the words deny, say of the family or tell as a risk is left out.
        """
        return [reading.matches for reading in self._read([_as_bytes(concept) for concept in concepts])]

    def sift(self, codes: Iterable[ResourceCode | None]) -> tuple[dict[int, tuple[Match, ...]], int]:
        """The same for what resources are about: by place, those that belong to a value set; nearly none do.

        And how many could not be read: no words, and no code, or one that may mean anything.
        """
        readings = self._read([_code_as_bytes(code) for code in codes])
        matches = {place: reading.matches for place, reading in enumerate(readings) if reading.matches}
        return matches, sum(not reading.was_read for reading in readings)

    def _read(self, concepts: Sequence[_Concept]) -> list[_Reading]:
        """The reading of each concept: kept ones, and all others in one go."""
        kept = self._kept
        unknown = list(dict.fromkeys(concept for concept in concepts if concept not in kept))
        anew = dict(zip(unknown, self._read_anew(unknown), strict=True)) if unknown else {}
        if anew:
            self._keep(anew)
        return [kept.get(concept) or anew[concept] for concept in concepts]

    def _keep(self, readings: Mapping[_Concept, _Reading]) -> None:
        """Keep these readings; where there is no room for them, forget all others, which costs a reading of each."""
        short = [
            (concept, reading)
            for concept, reading in readings.items()
            if len(concept[0]) <= _LONGEST_CODINGS_KEPT and len(concept[1] or "") <= _LONGEST_TEXT_KEPT
        ]
        if len(self._kept) + len(short) > _MOST_KEPT:
            self._kept = {}
        self._kept.update(short[:_MOST_KEPT])

    def _read_anew(self, concepts: Sequence[_Concept]) -> list[_Reading]:
        readings: list[_Reading] = []
        refused: dict[int, frozenset[str]] = {}
        texts: dict[int, str] = {}
        for place, (codings, text) in enumerate(concepts):
            judge = self._judge_kept if len(codings) <= _LONGEST_CODINGS_KEPT else self._judge
            judgment = judge(codings)
            matches, by_words = judgment.matches, judgment.by_words
            if judgment.pending:
                matches, refused[place] = self._with_words(judgment, text)
                by_words = tuple(match for match in by_words if match.value_set not in refused[place])
            if text and text not in judgment.displays:
                texts[place] = text
            was_read = len(text or "") <= LONGEST_TEXT and (says_something(text) or judgment.was_read)
            readings.append(_Reading(matches + by_words, was_read) if matches or by_words or not was_read else _OTHER)
        places = list(texts)
        for number, reading in self._lexicon.read_each(list(texts.values())):
            place, mentions = places[number], reading.mentions
            before = readings[place].matches
            mentioned = [*(match.mention for match in before if match.mention), *mentions]
            by_code = without_denied((match for match in before if match.mention is None), mentions)
            by_words = matches_of(mentioned, refused.get(place, frozenset()))
            readings[place] = _Reading(by_code + by_words, readings[place].was_read and reading.is_whole)
        return readings

    def _with_words(self, judgment: _Judgment, text: str | None) -> tuple[tuple[Match, ...], frozenset[str]]:
        """The matches of codings whose codes need words; and the value sets that the words beside them rule out."""
        matches, out = list(judgment.matches), set()
        folded = fold("; ".join([*judgment.displays, text or ""])[:_LONGEST_TEXT])
        for match, rule in judgment.pending:
            certain = self._lexicon.beside_codes.certainty(rule, folded)
            if certain is None:
                out.add(match.value_set)
            else:
                matches.append(replace(match, certain=certain))
        return tuple(matches), frozenset(out)

    def _judge(self, codings: bytes) -> _Judgment:
        found: list[Match] = []
        pending: list[tuple[Match, WordRule]] = []
        displays: dict[str, None] = {}
        was_read = False
        for coding in read_codings(codings):
            by_code = self._value_sets_of(coding.system, coding.code)
            if by_code is not None:
                found += (match for match, rule in by_code if rule is None)
                pending += ((match, rule) for match, rule in by_code if rule is not None)
            if coding.display:
                displays[coding.display] = None
            was_read = was_read or says_something(coding.display) or _was_read(coding, by_code)
        of_displays = [reading for _, reading in self._lexicon.read_each(tuple(displays))]
        mentions = [mention for reading in of_displays for mention in reading.mentions]
        was_read = was_read and all(reading.is_whole for reading in of_displays)
        return _Judgment(
            without_denied(found, mentions), tuple(pending), matches_of(mentions), tuple(displays), was_read
        )

    def _value_sets_of(
        self, system_uri: str | None, code: str | None
    ) -> tuple[tuple[Match, WordRule | None], ...] | None:
        """The value sets that hold a code, each with the words it needs; None where its code system is not known."""
        system = find_code_system(system_uri)
        if system is None:
            return self._local_value_sets_of(system_uri, code)
        members: dict[str, _Member] = {}
        for reading in system.readings(code or ""):
            # no ICD-10-CM code begins with a digit: a procedure code under the wrong system
            of = ICD_10_PCS if system is ICD_10_CM and reading[:1].isdigit() else system
            for member in self._members_of(of, reading):
                members.setdefault(member.value_set, member)
        written = (code or "").strip()
        return tuple(
            (Match(member.value_set, system.name, written), member.rule)
            for member in members.values()
            if not member.is_out
        )

    def _members_of(self, system: CodeSystem, code: str) -> Iterator[_Member]:
        """What lists say of a normalized code, the longest number first, and of equal ones the code's own system."""
        lists = [system]
        moved: tuple[str, ...] = ()
        while (base := lists[-1].base) is not None:
            moved += lists[-1].moved
            if base.base is None and code.startswith(moved):
                break
            lists.append(base)
        for one in lists:
            yield from self._codes[one].get(code, ())
        if system.by_prefix:
            for length in range(len(code), 2, -1):
                for one in lists:
                    yield from self._families[one].get(code[:length], ())

    def _local_value_sets_of(
        self, system_uri: str | None, code: str | None
    ) -> tuple[tuple[Match, WordRule | None], ...] | None:
        """As above, in a site's own code system; None for a code that the site did not list, whose words then count."""
        system = self._local.get(fold_uri(system_uri)) if system_uri and self._local else None
        members = self._codes[system].get(system.normalize(code or "")) if system else None
        if system is None or not members:
            return None
        return tuple((Match(member.value_set, system.name, (code or "").strip()), member.rule) for member in members)


def _as_bytes(concept: CodeableConcept) -> _Concept:
    return msgspec.json.encode(concept.coding), concept.text


def _code_as_bytes(code: ResourceCode | None) -> _Concept:
    if code is None:
        return _NO_CONCEPT
    return (bytes(code.coding), code.text) if code.concept is ABSENT else _as_bytes(code.resolved())


def _was_read(coding: Coding, by_code: Sequence[object] | None) -> bool:
    """Whether a code says enough: one of SNOMED CT that we do not hold may be anything below a concept of ours, and
    what is not written like a code of ICD-10 ("IMO0001") stands for no code.
    """
    if not coding.code or by_code is None:
        return False
    system = find_code_system(coding.system)
    is_written = system not in ICD_10_FAMILY or _LIKE_ICD_10.match(coding.code.strip()) is not None
    return bool(by_code) or (system is not SNOMED_CT and is_written)
