"""Recognising a finding or an order that is words only: phrases, and the guards against what words may also mean."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

_CLAUSE_END = re.compile(r"[.;]\s|\n")
# Bounds on one text, so that no chart can be slow on purpose: what is longer is a letter, not the name of a problem.
_LONGEST_TEXT = 1_000  # characters
_LONGEST_CLAUSE = 120  # characters on either side of a phrase in which a guard is looked for
_MOST_PHRASES = 5  # of one value set, in one text
_SEPARATORS = bytes.maketrans(string.punctuation.encode(), b" " * len(string.punctuation))


class Phrases(msgspec.Struct, rename="kebab", forbid_unknown_fields=True, frozen=True):
    """The phrases of one value set, as text_terms.yaml explains them."""

    en: list[str]
    es: list[str]
    patterns: list[str] = []
    pattern_words: list[str] = []
    reject: list[str] = []
    reject_before: list[str] = []
    grave: bool = False


class Guards(msgspec.Struct, rename="kebab", forbid_unknown_fields=True, frozen=True):
    """Words that turn a phrase into its opposite, or into a suspicion, by where they stand."""

    negated_before: list[str]
    negated_after: list[str]
    uncertain_before: list[str]
    uncertain_after: list[str]
    suspected_before: list[str] = []


class TermsFile(msgspec.Struct, rename="kebab", forbid_unknown_fields=True, frozen=True):
    """The whole of text_terms.yaml."""

    guards: Guards
    terms: dict[str, Phrases]


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Words that name a member of a value set. `certain` is False for "possible", "suspected", "?"."""

    value_set: str
    certain: bool


def fold(text: str) -> str:
    """Case and accents folded, so that "Punción" equals "puncion"; signs beyond ASCII ("¿", "—", "«") are blanks."""
    text = text.casefold()
    if text.isascii():
        return text
    plain = (char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(char if char.isascii() or char.isalnum() else " " for char in plain)


class TextTerms:
    """Finds value sets in free text."""

    def __init__(self, file: TermsFile, only: Iterable[str]) -> None:
        """`only`: the value sets to look for."""
        wanted = {name: file.terms[name] for name in only if name in file.terms}
        self._triggers = frozenset(word for terms in wanted.values() for word in _triggers(terms))
        self._terms = {name: _either(_phrases(terms)) for name, terms in wanted.items()}
        self._rejects = {name: _words(terms.reject) for name, terms in wanted.items() if terms.reject}
        self._rejects_before = {
            name: _words(terms.reject_before) for name, terms in wanted.items() if terms.reject_before
        }
        self._grave = frozenset(name for name, terms in wanted.items() if terms.grave)
        self._suspected_before = _words(file.guards.suspected_before)
        self._negated_before = _words(file.guards.negated_before)
        self._negated_after = _words(file.guards.negated_after)
        self._uncertain_before = _words(file.guards.uncertain_before)
        self._uncertain_after = _words(file.guards.uncertain_after)

    def find_in_each(self, texts: Sequence[str]) -> Iterator[tuple[int, list[TextMatch]]]:
        """The texts that name a value set, each with its place: nearly none of the thousand texts of a chart."""
        folded = _fold_all(texts)
        triggers = self._triggers.intersection(folded.split())
        if not triggers:
            return
        for place, line in enumerate(folded.split(b"\n")):
            if not triggers.isdisjoint(line.split()):
                found = list(self.find(texts[place]))
                if found:
                    yield place, found

    def find(self, text: str) -> Iterator[TextMatch]:
        """The value sets that `text` names, negated and family-history phrases left out."""
        folded = fold(text[:_LONGEST_TEXT])
        for name, pattern in self._terms.items():
            if pattern.search(folded) and not _found(self._rejects.get(name), folded):
                yield from self._first_meant(name, pattern, folded)

    def mentioned_in(self, text: str) -> Iterator[str]:
        """The value sets whose phrases stand in `text`, denied and doubted ones, too."""
        folded = fold(text[:_LONGEST_TEXT])
        if self._triggers.isdisjoint(_fold_all([folded]).split()):
            return iter(())
        return (name for name, pattern in self._terms.items() if pattern.search(folded))

    def _first_meant(self, name: str, pattern: re.Pattern[str], folded: str) -> Iterator[TextMatch]:
        """The first phrase that is not denied in its own clause."""
        for match in islice(pattern.finditer(folded), _MOST_PHRASES):
            before, after = self._clause(folded, match)
            suspected = name in self._grave and self._suspected_before.search(before)
            if suspected:
                before = self._suspected_before.sub(" ", before)
            denied = self._negated_before.search(before) or self._negated_after.search(after)
            if denied or _found(self._rejects_before.get(name), before):
                continue
            doubt = suspected or self._uncertain_before.search(before) or self._uncertain_after.search(after)
            yield TextMatch(name, certain=not doubt)
            return

    def _clause(self, folded: str, match: re.Match[str]) -> tuple[str, str]:
        """What stands before and after the match in its own clause: "No fracture; arthritis" denies the fracture.

        Behind the match a comma ends the clause, too, unless nothing but a guard follows: "Scoliosis, family history".
        """
        start, end = match.span()
        before = _CLAUSE_END.split(folded[max(start - _LONGEST_CLAUSE, 0) : start])[-1]
        after, _, remark = _CLAUSE_END.split(folded[end : end + _LONGEST_CLAUSE])[0].partition(",")
        is_guard = self._negated_after.fullmatch(remark.strip()) or self._uncertain_after.fullmatch(remark.strip())
        return before, f"{after} {remark}" if is_guard else after


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is not None and pattern.search(text) is not None


def _fold_all(texts: Sequence[str]) -> bytes:
    """All texts folded at once, one a line, punctuation as blanks. As bytes, which takes a third of the time."""
    lines = "\n".join(texts)
    if lines.count("\n") >= len(texts):
        lines = "\n".join([text.replace("\n", " ") for text in texts])
    return fold(lines).encode(errors="replace").translate(_SEPARATORS)


def _triggers(terms: Phrases) -> Iterator[bytes]:
    """For each phrase its longest word: a text without it cannot hold the phrase."""
    for phrase in terms.en + terms.es:
        yield max(_fold_all([phrase]).split(), key=len)
    yield from (word.encode() for word in terms.pattern_words)


def _phrases(terms: Phrases) -> Iterator[str]:
    yield from (re.escape(phrase).replace(r"\ ", r"[\s-]+") for phrase in terms.en + terms.es)
    yield from terms.patterns


def _words(words: Iterable[str]) -> re.Pattern[str]:
    return _either(re.escape(word).replace(r"\ ", r"\s+") for word in words)


def _either(patterns: Iterable[str]) -> re.Pattern[str]:
    """Whole words only. Lookarounds instead of \\b, because a phrase may end in ")" or begin with "?"."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)")
