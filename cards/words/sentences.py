"""Where the sentences of a text end, and its chunks: what stands between two commas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cards.words.lexicon_files import LexiconContent
from cards.words.tokens import Tokens

_ENDS = frozenset(";\n!|")
_COMMA_COST = 3  # words: what stands behind a comma is farther away


@dataclass(frozen=True, slots=True)
class Sentences:
    """By token: the number of its sentence and of its chunk, and how many commas stand before it."""

    words: list[str]
    sentence: list[int]
    chunk: list[int]
    connectors: frozenset[str]

    def distance(self, span: tuple[int, int], other: tuple[int, int], reach: int | str) -> int | None:
        """The words between two spans of tokens, a comma counted as several; None where one is out of reach."""
        if other[0] >= span[1]:
            between = (span[1], other[0])
        elif other[1] <= span[0]:
            between = (other[1], span[0])
        else:
            return 0
        if reach != "text" and self.sentence[span[0]] != self.sentence[other[0]]:
            return None
        commas = self.chunk[max(span[0], other[0])] - self.chunk[min(span[0], other[0])]
        return between[1] - between[0] + commas * _COMMA_COST

    def are_joined(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        """Whether nothing but a connector stands between two spans: "hands and feet", "arm/leg"."""
        first, second = sorted((one, other))
        between = self.words[first[1] : second[0]]
        return len(between) <= 2 and any(word in self.connectors for word in between)


class SentenceReader:
    """Splits texts into sentences and chunks."""

    def __init__(self, content: LexiconContent) -> None:
        self._abbreviations = content.small("abbreviations")
        self._connectors = content.small("and") | content.small("or")

    def split(self, tokens: Tokens, phrases: Iterable[tuple[int, int]]) -> Sentences:
        """`phrases`: spans of tokens that are one expression, in which no sign ends anything ("z.n.", "?CES")."""
        inner = {place for first, last in phrases for place in range(first, last) if last - first > 1}
        sentence_of, chunk_of = [], []
        sentence = chunk = 0
        for place, word in enumerate(tokens.words):
            sentence_of.append(sentence)
            chunk_of.append(chunk)
            if word.isalnum() or place in inner:
                continue
            if word in _ENDS or (word == "." and self._ends(tokens, place)) or (word == "?" and _asks(tokens, place)):
                sentence += 1
                chunk += 1
            elif (word in ",()" and not tokens.is_decimal_point(place)) or _is_dash(tokens, place):
                chunk += 1
        return Sentences(tokens.words, sentence_of, chunk_of, self._connectors)

    def _ends(self, tokens: Tokens, place: int) -> bool:
        if tokens.is_decimal_point(place):
            return False
        return not (place and tokens.glued[place] and tokens.words[place - 1] in self._abbreviations)


def _is_dash(tokens: Tokens, place: int) -> bool:
    """Whether this is a dash between blanks."""
    is_last = place + 1 >= len(tokens.words)
    return tokens.words[place] == "-" and not tokens.glued[place] and (is_last or not tokens.glued[place + 1])


def _asks(tokens: Tokens, place: int) -> bool:
    """Whether a question mark ends a sentence: it hangs on the word before it, and not on the next."""
    is_last = place + 1 >= len(tokens.words)
    return place > 0 and tokens.glued[place] and not is_last and not tokens.glued[place + 1]
