"""A text as words and signs, case and accents folded, each with its place in the text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST_TEXT = 4_000  # characters that are read; what is longer is a letter, not the name of a problem or a reason

_TOKEN = re.compile(r"[^\W_]+|\n|[^\s\w\"]|_")  # a quotation mark says nothing
_BOX = re.compile(r"[\[(]([ _x])[\])]")  # on a form, one ticked or not: as "(+)" and "(-)"
_CONTRACTION = re.compile(r"t\b")  # can't, won't: one word
_SIGNS = {
    "\u2019": "'", "\u02bc": "'", "\u2013": "-", "\u2014": " - ", "\u2192": ";", "\u2022": ";", "\u00b7": ";",
    "\u00bf": "?", "\r": "\n", "\u2028": "\n", "\u2029": "\n", "\uff0c": ",", "\uff1b": ";", "\u2212": "-",
    "\u2264": "<", "\u2265": ">", "\u2610": "[ ]", "\u2611": "[x]", "\u2612": "[x]", "\u2713": "[x]", "\u2714": "[x]",
}  # fmt: skip


def fold(text: str) -> str:
    """Case and accents folded, so that "Punción" equals "puncion"; signs beyond ASCII are blanks."""
    text = text.casefold()
    if text.isascii():
        return text
    plain = (char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(char if char.isascii() or char.isalnum() else " " for char in plain)


# words that EHRs write where a name is not known or withheld
_PLACEHOLDERS = re.compile(
    "unknown|unspecified|masked|restricted|confidential|redacted|withheld|not available|n/a|na|null|undefined|other"
    "|not recorded|see (note|comment)s?|free text|uncoded|unbekannt|inconnu|desconocido|onbekend|sconosciuto"
)


def says_something(text: str | None) -> bool:
    """Whether a text names anything: not signs alone, and not a word for what is not known or withheld."""
    bare = fold((text or "")[:40]).strip(" \t\n.,:;*-_?#[](){}")
    return bool(bare) and _PLACEHOLDERS.fullmatch(bare) is None


@dataclass(frozen=True, slots=True)
class Tokens:
    """`words`: folded words and signs; hyphens between words are left out. `starts`, `ends`: characters of the text.

    `glued`: whether nothing stands between a token and the one before it. `folded`: the folded text, for patterns;
    `offsets`: for each of its characters the place in the text, None where they are the same.
    """

    text: str
    words: list[str]
    starts: list[int]
    ends: list[int]
    glued: list[bool]
    folded: str
    offsets: list[int] | None

    def original(self, first: int, last: int) -> str:
        """The text of the tokens from `first` up to, not including, `last`."""
        return self.text[self.starts[first] : self.ends[last - 1]]

    def is_decimal_point(self, place: int) -> bool:
        """Whether a sign stands within a number: 38.5."""
        words = self.words
        if place <= 0 or place + 1 >= len(words) or not (self.glued[place] and self.glued[place + 1]):
            return False
        return words[place] in ".," and words[place - 1][-1].isdigit() and words[place + 1][0].isdigit()

    def places(self, expression: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        """The tokens that each match of a pattern covers: the first, and the one behind the last."""
        for match in expression.finditer(self.folded):
            start, end = match.span()
            if self.offsets is not None:
                start, end = self.offsets[start], self.offsets[end]
            first = bisect_right(self.ends, start)
            last = bisect_left(self.starts, end)
            if first < last:
                yield first, last


def tokenize(text: str) -> Tokens:
    """The first LONGEST_TEXT characters of `text` as tokens."""
    text = text[:LONGEST_TEXT]
    folded, offsets = _fold_with_offsets(text)
    folded = _BOX.sub(lambda box: "(+)" if box[1] == "x" else "(-)", folded)
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    glued: list[bool] = []
    previous_end = -1
    for match in _TOKEN.finditer(folded):
        start, end = match.span()
        word = match[0]
        if _is_inner(word, start, end, folded, words):
            is_contraction = word == "'" and words[-1].endswith("n") and _CONTRACTION.match(folded, end)
            if is_contraction and start == previous_end:
                words[-1] += "t"
                ends[-1] = _place(offsets, end + 1)
                previous_end = end + 1
            continue
        if start < previous_end:
            continue
        words.append(word)
        starts.append(_place(offsets, start))
        ends.append(_place(offsets, end))
        glued.append(start == previous_end)
        previous_end = end
    return Tokens(text, words, starts, ends, glued, folded, offsets)


def words_of(phrase: str) -> tuple[str, ...]:
    """A phrase of the lexicon as the tokens it is compared with."""
    if phrase.isascii() and len(phrase) <= LONGEST_TEXT and phrase.replace(" ", "").isalnum():
        return tuple(phrase.lower().split())  # nearly all of the thousands that a start reads: a sixth of the time
    return tuple(tokenize(phrase).words)


def fold_lines(texts: Iterable[str]) -> str:
    """All texts folded at once, one a line, whatever lines they have themselves."""
    lines = "\n".join([text[:LONGEST_TEXT].replace("\n", " ") for text in texts])
    return fold(lines.replace("\u2019", "'")).replace("n't", "nt").replace("\r", " ")


def _is_inner(word: str, start: int, end: int, folded: str, words: list[str]) -> bool:
    """Whether a sign joins two words: "post-op", "d'urine"."""
    if word not in "-'_" or not words:
        return False
    before, after = folded[start - 1 : start], folded[end : end + 1]
    return before.isalnum() and after.isalnum() and (word != "-" or not (before.isdigit() and after.isdigit()))


def _place(offsets: list[int] | None, at: int) -> int:
    if offsets is None:
        return at
    return offsets[at]


def _fold_with_offsets(text: str) -> tuple[str, list[int] | None]:
    if text.isascii():
        return text.lower(), None
    parts: list[str] = []
    offsets: list[int] = []
    for place, char in enumerate(text):
        plain = _SIGNS.get(char)
        if plain is None:
            plain = char.lower() if char.isascii() else fold(char)
        parts.append(plain)
        offsets += [place] * len(plain)
    offsets.append(len(text))
    return "".join(parts), offsets
