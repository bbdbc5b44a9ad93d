"""Codes that say too little by themselves: which words have to stand beside them, and what follows where none does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

Otherwise = Literal["none", "possible", "certain"]


class WordRule(msgspec.Struct, frozen=True):
    """What a code needs to belong to its value set.

    `needs`: lists of words, one word of which makes the code certain. `unless`: lists of words that rule it out where
    none of `needs` is there. `otherwise`: what the code is worth without either.
    """

    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    otherwise: Otherwise = "none"


TITLES = "titles"  # the list of what titles of such codes say, which is no word beside them


class WordLists:
    """The lists of words that rules name; a word that ends in "*" is the beginning of one."""

    def __init__(self, lists: Mapping[str, Iterable[str]]) -> None:
        self._patterns = {name: _either(words) for name, words in lists.items()}
        self._titles = self._patterns.get(TITLES)

    def certainty(self, rule: WordRule, folded: str) -> bool | None:
        """True where the code is certain beside these folded words, False where it is only possible, None where out."""
        if self._titles:
            folded = self._titles.sub(" ", folded)
        if any(self._patterns[name].search(folded) for name in rule.needs):
            return True
        if rule.otherwise == "none" or any(self._patterns[name].search(folded) for name in rule.unless):
            return None
        return rule.otherwise == "certain"

    def __contains__(self, name: str) -> bool:
        return name in self._patterns


def _either(words: Iterable[str]) -> re.Pattern[str]:
    parts = (re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"[\s-]+") for word in words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)")
