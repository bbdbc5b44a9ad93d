"""What a text says of one thing it names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cards.fhir.dates import Days


class Assertion(StrEnum):
    """What the text says of the thing."""

    PRESENT = "present"
    SUSPECTED = "suspected"
    PAST = "past"
    DENIED = "denied"
    FAMILY = "family"
    HYPOTHETICAL = "hypothetical"


@dataclass(frozen=True, slots=True)
class Mention:
    """One concept named in a text.

    `modifiers`: kinds of the lexicon's modifiers beside it, such as severe, new or about. `began_days_ago`: from a
    duration beside it; `began_year`: from "since 2019". `since`: the concept after which it began ("since biopsy").
    `start`, `end`: characters of the text. `because`: the words that decided the assertion, the modifiers and the time,
    in the order of the text.
    """

    concept: str
    assertion: Assertion
    modifiers: frozenset[str]
    began_days_ago: Days | None
    since: str | None
    start: int
    end: int
    because: tuple[str, ...] = ()
    began_year: int | None = None
