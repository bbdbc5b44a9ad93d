"""A mention in the making: what was found by its tokens, and what the words beside it have said so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from cards.fhir.dates import Days
from cards.words.lexicon_files import ConceptEntry, EnderEntry, ModifierEntry
from cards.words.mention import Assertion


@dataclass(frozen=True, slots=True)
class Found:
    """A concept by its tokens; `tail`: behind the word it needs, if that follows ("weakness of both legs")."""

    entry: ConceptEntry
    first: int
    last: int
    tail: int

    @property
    def span(self) -> tuple[int, int]:
        return self.first, self.last


@dataclass(frozen=True, slots=True)
class Word:
    """A modifier or an ender by its tokens."""

    entry: ModifierEntry | EnderEntry
    first: int
    last: int


@dataclass(slots=True)
class Draft:
    """A mention in the making; `reasons`: the tokens that decided something of it."""

    found: Found
    is_procedure: bool = False
    assertion: Assertion | None = None
    modifiers: set[str] = field(default_factory=set)
    began: Days | None = None
    year: int | None = None
    lies_back: bool = False
    is_dated: bool = False
    since: str | None = None
    reasons: list[tuple[int, int]] = field(default_factory=list)

    @property
    def concept(self) -> str:
        return self.found.entry.concept

    @property
    def first(self) -> int:
        return self.found.first

    @property
    def last(self) -> int:
        return self.found.last

    @property
    def has_onset(self) -> bool:
        """Whether the text says when it began."""
        return self.is_dated or self.began is not None or self.since is not None
