"""Phrases to be found in a text, many at once, in time that grows with the text alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from cards.terminology.tokens import words_of

T = TypeVar("T")


class PhraseIndex(Generic[T]):
    """Phrases, each with what it stands for."""

    def __init__(self) -> None:
        self._phrases: dict[str, list[T]] = {}
        self._lengths: dict[str, tuple[int, ...]] = {}

    def add(self, phrase: str, meaning: T) -> None:
        """One more phrase; the same phrase may have several meanings."""
        words = words_of(phrase)
        self._phrases.setdefault(" ".join(words), []).append(meaning)
        lengths = {*self._lengths.get(words[0], ()), len(words)}
        self._lengths[words[0]] = tuple(sorted(lengths, reverse=True))

    def find(self, words: Sequence[str]) -> Iterator[tuple[T, int, int]]:
        """Every phrase in the text: its meaning, its first token, and the one behind its last; the longest first."""
        lengths_of, phrases = self._lengths.get, self._phrases.get
        count = len(words)
        for first, word in enumerate(words):
            for length in lengths_of(word, ()):
                if first + length > count:
                    continue
                for meaning in phrases(" ".join(words[first : first + length]), ()):
                    yield meaning, first, first + length
