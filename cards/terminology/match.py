"""Why a concept belongs to a value set, by code or by words; and what several mentions say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cards.terminology.code_systems import CODE_SYSTEMS
from cards.words.mention import Assertion, Mention

_COUNTED = (Assertion.PRESENT, Assertion.SUSPECTED, Assertion.PAST)  # what counts as a match, the strongest first
_URIS = {system.name: system.uri for system in CODE_SYSTEMS}


@dataclass(frozen=True, slots=True)
class Match:
    """Why a concept belongs to a value set: a coding of it, or (code None) a mention in its words.

    `certain`: by code, or by words that say without doubt that it is there.
    """

    value_set: str
    code_system: str | None
    code: str | None
    certain: bool = True
    mention: Mention | None = None

    @property
    def is_past(self) -> bool:
        """Whether words say that it is over."""
        return self.mention is not None and self.mention.assertion is Assertion.PAST

    @property
    def is_suspected(self) -> bool:
        """Whether words only suspect it."""
        return self.mention is not None and self.mention.assertion is Assertion.SUSPECTED

    @property
    def system_uri(self) -> str | None:
        """The code system's canonical URI; a site's own is named by its URI."""
        return _URIS.get(self.code_system, self.code_system) if self.code_system else None


def matches_of(mentions: Iterable[Mention], but: frozenset[str] = frozenset()) -> tuple[Match, ...]:
    """One match for each concept that is mentioned as present, suspected or past.

    Of several mentions the strongest assertion counts, with everything that mentions of that assertion say.
    """
    strongest: dict[str, Mention] = {}
    for mention in mentions:
        if mention.assertion not in _COUNTED or mention.concept in but:
            continue
        other = strongest.get(mention.concept)
        if other is None or _COUNTED.index(mention.assertion) < _COUNTED.index(other.assertion):
            strongest[mention.concept] = mention
        elif mention.assertion is other.assertion:
            strongest[mention.concept] = _joined(other, mention)
    return tuple(
        Match(name, None, None, mention.assertion is Assertion.PRESENT, mention) for name, mention in strongest.items()
    )


def _joined(first: Mention, second: Mention) -> Mention:
    """What two mentions of one concept say together; of two times the first counts."""
    return replace(
        first,
        modifiers=first.modifiers | second.modifiers,
        began_days_ago=first.began_days_ago or second.began_days_ago,
        began_year=first.began_year or second.began_year,
        since=first.since or second.since,
        because=first.because + second.because,
    )


def without_denied(matches: Iterable[Match], mentions: Iterable[Mention]) -> tuple[Match, ...]:
    """The matches by code, but for what the words beside them only deny: "abscess ruled out", however it is coded."""
    said: dict[str, set[Assertion]] = {}
    for mention in mentions:
        said.setdefault(mention.concept, set()).add(mention.assertion)
    return tuple(match for match in matches if said.get(match.value_set) != {Assertion.DENIED})
