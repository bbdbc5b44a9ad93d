"""Durations and moments in a text: "x 5 wks", "3/7", "seit 2 Tagen", "since this morning", "for years"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cards.fhir.dates import Days
from cards.words.lexicon_files import Durations
from cards.words.tokens import Tokens, words_of

_HOURS = 24
_GLUED = re.compile(r"(x?)(\d{1,3})([a-z]{0,12})")
_YEAR = re.compile(r"(?:19|20)\d\d")
_UNITS_OF_A_SLASH = {"7": "day", "52": "week", "12": "month"}  # UK: 3/7 is three days, 2/52 two weeks, 6/12 six months
_DAYS = {"day": 1, "week": 7, "month": 30}
_MOST_DAYS = {"day": 1, "week": 7, "month": 31}


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration by its tokens, `last` not included; `is_past`: its words say that it lies back ("ago").

    `year`: of "since 2019".
    """

    first: int
    last: int
    days: Days | None
    is_past: bool
    year: int | None = None


class DurationReader:
    """Finds the durations in a text."""

    def __init__(self, words: Durations | None) -> None:
        self._unit = {word: unit for unit, all_of_it in (words.units if words else {}).items() for word in all_of_it}
        self._numbers = words.numbers if words else {}
        self._introduced_by = _Phrases(words.introduced_by if words else [])
        self._ago_before = frozenset(words_of(phrase) for phrase in (words.ago_before if words else []))
        self._followed_by = _Phrases(words.followed_by if words else [])
        self._never_after = frozenset(words.never_after if words else [])
        self._never_before = frozenset(words.never_before if words else [])
        self._moments = {words_of(phrase): Days(*days) for phrase, days in (words.moments if words else {}).items()}
        self._moment_lengths = _lengths(self._moments)
        self._first_words = self._moment_lengths.keys() | self._numbers.keys() | self._introduced_by.first_words

    def find(self, tokens: Tokens) -> list[Duration]:
        """The durations in the order of the text."""
        words = tokens.words
        found: list[Duration] = []
        at = 0
        while at < len(words):
            is_fraction = tokens.is_decimal_point(at - 1)  # the 5 of 38.5
            duration = self._read(words, at) if self._may_begin(words[at]) and not is_fraction else None
            if duration:
                found.append(self._introduced(words, duration, found[-1].last if found else 0))
                at = duration.last
            else:
                at += 1
        return found

    def _may_begin(self, word: str) -> bool:
        """Whether a duration may begin with this word; nearly none does."""
        return word in self._first_words or word[0] == "x" or word[0].isdecimal()

    def _read(self, words: Sequence[str], at: int) -> Duration | None:
        return self._moment(words, at) or self._counted(words, at) or self._dated(words, at)

    def _introduced(self, words: Sequence[str], duration: Duration, floor: int) -> Duration:
        """The duration with the words that introduce it: "since", "x", "over the last"."""
        length = self._introduced_by.before(words, duration.first, floor)
        first = duration.first - length
        is_past = duration.is_past or tuple(words[first : duration.first]) in self._ago_before
        return replace(duration, first=first, is_past=is_past)

    def _moment(self, words: Sequence[str], at: int) -> Duration | None:
        for length in self._moment_lengths.get(words[at], ()):
            days = self._moments.get(tuple(words[at : at + length]))
            if days is not None and at + length <= len(words):
                return Duration(at, at + length, days, is_past=True)
        return None

    def _dated(self, words: Sequence[str], at: int) -> Duration | None:
        """ "since 2019", "seit 11/2023": an onset whose days cannot be counted without today."""
        length = self._introduced_by.at(words, at)
        if not length or at + length >= len(words) or self._counted(words, at + length):
            return None
        last = at + length
        while last < len(words) and (words[last].isdecimal() or words[last] in "/."):
            last += 1
        date = words[at + length : last]
        year = next((int(word) for word in date if _YEAR.fullmatch(word)), None)
        return Duration(at, last, None, is_past=True, year=year) if year or "/" in date else None

    def _counted(self, words: Sequence[str], at: int) -> Duration | None:
        """A number and a unit, apart or in one ("5wks", "x2d"), a range of numbers, or a British fraction."""
        if at and words[at - 1] in self._never_after:
            return None
        read = self._slashed(words, at) or self._number_and_unit(words, at)
        if read is None:
            return None
        days, last = read
        if last < len(words) and words[last] in self._never_before:
            return None
        behind = self._followed_by.at(words, last)
        return Duration(at, last + behind, days, is_past=behind > 0)

    def _slashed(self, words: Sequence[str], at: int) -> tuple[Days, int] | None:
        number = words[at].removeprefix("x")
        if not number.isdecimal() or len(number) > 2 or words[at + 1 : at + 2] != ["/"]:
            return None
        unit = _UNITS_OF_A_SLASH.get(words[at + 2]) if at + 2 < len(words) else None
        is_date = words[at + 3 : at + 4] == ["/"] or (at > 1 and words[at - 1] == "/")
        if unit is None or is_date or int(number) == 0:
            return None
        return _span(int(number), int(number), unit), at + 3

    def _number_and_unit(self, words: Sequence[str], at: int) -> tuple[Days, int] | None:
        least, most, last, unit_word = self._number(words, at)
        if least is None:
            return None
        if not unit_word:
            if words[last : last + 1] == ["-"] or words[last : last + 1] == ["to"]:
                _, upper, behind, unit_word = self._number(words, last + 1)
                if upper is not None:
                    most, last = upper, behind
            if words[last : last + 1] == ["+"]:
                last += 1
        if not unit_word and last < len(words):
            unit_word, last = words[last], last + 1
        unit = self._unit.get(unit_word)
        if unit is None:
            return None
        if unit == "hour":
            return Days(least // _HOURS, -(-most // _HOURS)), last
        return _span(least, most, unit), last

    def _number(self, words: Sequence[str], at: int) -> tuple[int | None, int, int, str]:
        """Least, most, the token behind it, and a unit in the same token."""
        if at >= len(words):
            return None, 0, at, ""
        if words[at] in self._numbers:
            least, most = self._numbers[words[at]]
            return least, most, at + 1, ""
        glued = _GLUED.fullmatch(words[at])
        if glued is None:
            return None, 0, at, ""
        number = int(glued[2])
        return number, number, at + 1, glued[3]


class _Phrases:
    """Phrases to be found at, or right before, a token."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = frozenset(words_of(phrase) for phrase in phrases)
        self._longest = max(map(len, self._phrases), default=0)
        self.first_words = frozenset(phrase[0] for phrase in self._phrases)

    def at(self, words: Sequence[str], place: int) -> int:
        """The length of the longest phrase that begins here, else 0."""
        lengths = range(min(self._longest, len(words) - place), 0, -1)
        return next((one for one in lengths if tuple(words[place : place + one]) in self._phrases), 0)

    def before(self, words: Sequence[str], place: int, floor: int) -> int:
        """The length of the longest phrase that ends here, else 0."""
        lengths = range(min(self._longest, place - floor), 0, -1)
        return next((one for one in lengths if tuple(words[place - one : place]) in self._phrases), 0)


def _span(least: int, most: int, unit: str) -> Days:
    """Days and weeks are as many days as written; a month has 30 or 31 days, and "3 years" is not yet four."""
    if unit == "year":
        return Days(least * 365, (most + 1) * 365 - 1)
    return Days(least * _DAYS[unit], most * _MOST_DAYS[unit])


def _lengths(phrases: dict[tuple[str, ...], Days]) -> dict[str, list[int]]:
    lengths: dict[str, set[int]] = {}
    for phrase in phrases:
        lengths.setdefault(phrase[0], set()).add(len(phrase))
    return {word: sorted(found, reverse=True) for word, found in lengths.items()}
