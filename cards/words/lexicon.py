"""The engine that reads words: which concepts a text names, and what it says of each (Mention).

Concepts are found by phrases, by patterns, and by words that need others beside them; `scopes` then decides what is
said of each. Everything that is clinical is data: cards/lexicon.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cards.words.draft import Found
from cards.words.durations import DurationReader
from cards.words.lexicon_files import ConceptEntry, LexiconContent, ListEntry
from cards.words.mention import Mention
from cards.words.phrase_index import PhraseIndex
from cards.words.scopes import ScopeReader
from cards.words.sentences import SentenceReader, Sentences
from cards.words.tokens import Tokens, fold_lines, tokenize, words_of
from cards.words.word_rules import WordLists

_SEPARATORS = bytes.maketrans(string.punctuation.encode(), b" " * len(string.punctuation))
MOST_CANDIDATES = 60  # in one text
_LONGEST_KEPT, _MOST_KEPT = 100, 1_024  # characters of a text whose reading is kept, and how many are
_FARTHEST = 10  # words between a word and what it needs beside it in the same sentence


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An entry of the lexicon with its lists by number."""

    entry: ConceptEntry
    needs: frozenset[int]
    competitors: frozenset[int]
    refuses: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list of words by its number; `upper`: its words count in capitals only."""

    number: int
    upper: bool = False


@dataclass(frozen=True, slots=True)
class _Pattern:
    expression: re.Pattern[str]
    words: frozenset[str]
    wanted: _Wanted


_Candidate = tuple[_Wanted, int, int]
_ListHit = tuple[int, int, int]  # the number of the list, the first token, and the one behind the last


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text mentions, in its order. `is_whole`: whether all of it was considered."""

    mentions: tuple[Mention, ...]
    is_whole: bool = True


_NOTHING = Reading(())


class Lexicon:
    """Reads texts for a number of concepts."""

    def __init__(self, content: LexiconContent, only: Iterable[str] | None = None) -> None:
        """`only`: the concepts to look for; all of them where it is left out."""
        names = content.concept_names if only is None else content.concept_names & frozenset(only)
        self.beside_codes = WordLists(dict(content.beside_codes))
        self._lists: dict[object, int] = {}
        self._phrases: PhraseIndex[_Wanted] = PhraseIndex()
        self._listed: PhraseIndex[_Listed] = PhraseIndex()
        self._common = content.small("common")
        self._list_patterns: list[tuple[re.Pattern[str], int]] = []
        self._patterns: list[_Pattern] = []
        self._triggers: set[bytes] = set()
        for listed in content.lists:
            self._add_list(listed)
        for entry in content.concepts:
            if entry.concept in names:
                self._add_concept(entry)
        self._scopes = ScopeReader(content, names)
        self._sentences = SentenceReader(content)
        self._durations = DurationReader(content.durations)
        self._spellings = content.spellings
        self._answers = content.small("answers")
        misspelled = (wrong for wrong, right in self._spellings.items() if right.encode() in self._triggers)
        self._triggers |= {wrong.encode() for wrong in misspelled}
        # the same few thousand names of orders and problems come back in call after call
        self._kept = lru_cache(maxsize=_MOST_KEPT)(self._read_anew)

    def read(self, text: str) -> tuple[Mention, ...]:
        """All mentions in the order of the text, denied ones too; at most LONGEST_TEXT characters are read."""
        folded = _separated([text])
        return () if self._triggers.isdisjoint(folded.split()) else self._read(text).mentions

    def read_each(self, texts: Sequence[str]) -> Iterator[tuple[int, Reading]]:
        """The texts that mention something, each with its place: nearly none of the thousand texts of a chart."""
        folded = _separated(texts)
        triggers = self._triggers.intersection(folded.split())
        if not triggers:
            return
        for place, line in enumerate(folded.split(b"\n")):
            if not triggers.isdisjoint(line.split()):
                reading = self._read(texts[place])
                if reading != _NOTHING:
                    yield place, reading

    def _read(self, text: str) -> Reading:
        return self._kept(text) if len(text) <= _LONGEST_KEPT else self._read_anew(text)

    def _read_anew(self, text: str) -> Reading:
        tokens = tokenize(text)
        if not self._spellings.keys().isdisjoint(tokens.words):
            tokens = replace(tokens, words=[self._spellings.get(word, word) for word in tokens.words])
        if "?" in tokens.words:
            tokens = replace(tokens, words=[*self._with_answers(tokens.words)])
        candidates = [*self._found_by_phrase(tokens), *self._found_by_pattern(tokens)]
        if not candidates:
            return _NOTHING
        listed = [*self._listed_by_phrase(tokens), *self._listed_by_pattern(tokens)]
        near = {number for number, _, _ in listed}
        candidates = [one for one in candidates if not one[0].needs or not one[0].needs.isdisjoint(near)]
        if not candidates:
            return _NOTHING
        candidates.sort(key=lambda one: (one[1], -one[2]))
        candidates = _without_inner(candidates)
        considered = _most_telling(candidates)
        words = self._scopes.find_words(tokens)
        phrases = [(first, last) for _, first, last in considered] + [(word.first, word.last) for word in words]
        sentences = self._sentences.split(tokens, phrases)
        found = [_found(one, listed, sentences) for one in considered]
        named = _longest([one for one in found if one is not None])
        mentions = self._scopes.read(tokens, sentences, named, words, self._durations.find(tokens)) if named else ()
        return Reading(mentions, is_whole=len(considered) == len(candidates))

    def _with_answers(self, words: Sequence[str]) -> Iterator[str]:
        """The words; a question that a word answers is a field: "Fever? No." is "Fever: No."."""
        for place, word in enumerate(words):
            answer, behind = words[place + 1 : place + 2], words[place + 2 : place + 3]
            is_last = not "".join(behind).isalnum() or len("".join(answer)) == 1  # "Fever? N Rash? N"
            is_answered = word == "?" and not self._answers.isdisjoint(answer) and is_last
            yield ":" if is_answered else word

    def _found_by_phrase(self, tokens: Tokens) -> Iterator[_Candidate]:
        for wanted, first, last in self._phrases.find(tokens.words):
            if wanted.entry.case == "any" or tokens.original(first, last).isupper():
                yield wanted, first, last

    def _listed_by_phrase(self, tokens: Tokens) -> Iterator[_ListHit]:
        for listed, first, last in self._listed.find(tokens.words):
            if not listed.upper or tokens.original(first, last).isupper():
                yield listed.number, first, last

    def _found_by_pattern(self, tokens: Tokens) -> Iterator[_Candidate]:
        held = frozenset(tokens.words)
        for pattern in self._patterns:
            if not pattern.words.isdisjoint(held):
                for first, last in tokens.places(pattern.expression):
                    if pattern.wanted.entry.case == "any" or tokens.original(first, last).isupper():
                        yield pattern.wanted, first, last

    def _listed_by_pattern(self, tokens: Tokens) -> Iterator[_ListHit]:
        for expression, number in self._list_patterns:
            yield from ((number, first, last) for first, last in tokens.places(expression))

    def _add_list(self, listed: ListEntry) -> None:
        number = self._lists.setdefault(listed.list_, len(self._lists))
        for phrase in listed.phrases:
            self._listed.add(phrase, _Listed(number, upper=listed.case == "upper"))
        if listed.pattern:
            self._list_patterns.append((_whole_words(listed.pattern), number))

    def _add_concept(self, entry: ConceptEntry) -> None:
        needs = frozenset([*(self._lists[name] for name in entry.needs), *self._unnamed(entry.needs_words)])
        competitors = frozenset(self._lists[name] for name in entry.not_)
        refuses = frozenset([*(self._lists[name] for name in entry.never_beside), *self._unnamed(entry.not_words)])
        wanted = _Wanted(entry, needs, competitors, refuses)
        for phrase in entry.phrases:
            self._phrases.add(phrase, wanted)
            self._triggers.add(max(words_of(phrase), key=self._distinction).encode())
        if entry.pattern:
            held = frozenset(word for one in entry.pattern_words for word in words_of(one))
            self._patterns.append(_Pattern(_whole_words(entry.pattern), held, wanted))
            self._triggers.update(word.encode() for word in held)

    def _distinction(self, word: str) -> tuple[bool, int]:
        """How much a word tells a text apart: a long one more than a short one, a common one least."""
        return word not in self._common, len(word)

    def _unnamed(self, words: Sequence[str]) -> Iterator[int]:
        """The number of a list that an entry spells out."""
        if not words:
            return
        key = tuple(words)
        if key not in self._lists:
            number = self._lists[key] = len(self._lists)
            for phrase in words:
                self._listed.add(phrase, _Listed(number))
        yield self._lists[key]


def _without_inner(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """The candidates but for those inside a longer one of their concept that needs nothing beside it."""
    kept: list[_Candidate] = []
    ends: dict[str, int] = {}
    for one in candidates:
        wanted, _, last = one
        if last <= ends.get(wanted.entry.concept, 0):
            continue
        kept.append(one)
        if not (wanted.needs or wanted.competitors or wanted.refuses):
            ends[wanted.entry.concept] = last
    return kept


def _most_telling(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """As many of the candidates, in their order, as are considered: the first of each concept before all others."""
    if len(candidates) <= MOST_CANDIDATES:
        return list(candidates)
    times: Counter[str] = Counter()
    ranks: list[tuple[int, int]] = []
    for place, (wanted, _, _) in enumerate(candidates):
        ranks.append((times[wanted.entry.concept], place))
        times[wanted.entry.concept] += 1
    return [candidates[place] for place in sorted(place for _, place in sorted(ranks)[:MOST_CANDIDATES])]


def _found(candidate: _Candidate, listed: Sequence[_ListHit], sentences: Sentences) -> Found | None:
    """A candidate, if what its entry needs stands beside it and nothing that the entry refuses.

    Of the lists under `needs` and `not` the nearer word decides; both count where they are joined ("hands and feet").
    """
    wanted, first, last = candidate
    reach = wanted.entry.within
    limit = reach if isinstance(reach, int) else _FARTHEST if wanted.needs and reach == "sentence" else None
    needed: list[tuple[int, int, int]] = []
    against: list[tuple[int, int, int]] = []
    for number, start, end in listed:
        if number in wanted.refuses:
            distance = sentences.distance((first, last), (start, end), reach)
            if distance is not None and (not isinstance(reach, int) or distance <= reach):
                return None
        elif number in wanted.needs or number in wanted.competitors:
            distance = sentences.distance((first, last), (start, end), reach)
            if distance is not None and (limit is None or distance <= limit):
                (needed if number in wanted.needs else against).append((distance, start, end))
    if wanted.needs and not needed:
        return None
    if against:
        if not needed:
            return None
        nearest, other = min(needed), min(against)
        if nearest[0] >= other[0] and not sentences.are_joined(nearest[1:], other[1:]):
            return None
    tail = min(needed)[2] if needed else last
    return Found(wanted.entry, first, last, max(tail, last))


def _separated(texts: Sequence[str]) -> bytes:
    """All texts folded at once, one a line, signs as blanks. As bytes, which takes a third of the time."""
    return fold_lines(texts).encode(errors="replace").translate(_SEPARATORS)


def _longest(candidates: Sequence[Found]) -> list[Found]:
    """Of overlapping words of one concept the longest; of what a longer phrase hides nothing."""
    hidden = [(one.first, one.last, one.entry.hides) for one in candidates if one.entry.hides]
    kept: list[Found] = []
    last_of: dict[str, Found] = {}
    for one in candidates:
        name = one.entry.concept
        before = last_of.get(name)
        if before is not None and one.first < before.last:
            if one.last - one.first <= before.last - before.first:
                continue
            kept.remove(before)
        if any(first <= one.first and one.last <= last and name in names for first, last, names in hidden):
            continue
        last_of[name] = one
        kept.append(one)
    return kept


def _whole_words(pattern: str) -> re.Pattern[str]:
    """Whole words only. Lookarounds instead of \\b, because a match may end in ")" or begin with "?"."""
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")
