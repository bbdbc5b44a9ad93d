"""Phrases to be found in a text, many at once, in time that grows with the text alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from cards.words.tokens import words_of

T = TypeVar("T")
_SHORTEST_STEM = 3  # letters


class PhraseIndex(Generic[T]):
    """Phrases, each with what it stands for; one whose last word ends in "*" stands for all that begin so."""

    def __init__(self) -> None:
        self._phrases: dict[str, list[T]] = {}
        self._stems: dict[str, list[T]] = {}
        self._lengths: dict[str, tuple[int, ...]] = {}
        self._stem_lengths: dict[str, tuple[int, ...]] = {}  # by their first letters

    def add(self, phrase: str, meaning: T) -> None:
        """One more phrase; the same phrase may have several meanings."""
        words = words_of(phrase.removesuffix("*"))
        phrases = self._stems if phrase.endswith("*") else self._phrases
        text = " ".join(words)
        phrases.setdefault(text, []).append(meaning)
        if phrases is self._stems:
            begin = text[:_SHORTEST_STEM]
            stem_lengths = self._stem_lengths.get(begin, ())
            if len(text) not in stem_lengths:
                self._stem_lengths[begin] = tuple(sorted([*stem_lengths, len(text)]))
        if len(words) > 1 or phrases is self._phrases:
            lengths = self._lengths.get(words[0], ())
            if len(words) not in lengths:
                self._lengths[words[0]] = tuple(sorted([*lengths, len(words)], reverse=True))

    def find(self, words: Sequence[str]) -> Iterator[tuple[T, int, int]]:
        """Every phrase in the text: its meaning, its first token, and the one behind its last; the longest first."""
        lengths_of, phrases, stems = self._lengths.get, self._phrases.get, self._stems
        count = len(words)
        for first, word in enumerate(words):
            for length in lengths_of(word, ()):
                if first + length > count:
                    continue
                text = " ".join(words[first : first + length])
                for meaning in phrases(text, ()):
                    yield meaning, first, first + length
                if stems and length > 1:
                    yield from self._begun_with(text, words[first + length - 1], first, first + length)
            if stems:
                yield from self._begun_with(word, word, first, first + 1)

    def _begun_with(self, text: str, last_word: str, first: int, last: int) -> Iterator[tuple[T, int, int]]:
        """The phrases with a star that `text` begins with, its last word at least in part."""
        shortest = len(text) - len(last_word) + _SHORTEST_STEM
        for length in self._stem_lengths.get(text[:_SHORTEST_STEM], ()):
            if shortest <= length <= len(text):
                for meaning in self._stems.get(text[:length], ()):
                    yield meaning, first, last
