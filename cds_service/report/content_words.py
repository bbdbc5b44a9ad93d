"""What the clinical content says of its cards: their summaries, override reasons, and which are never silenced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cards.topic import Topic
from cds_service.report.counting.card_answers import Reason
from cds_service.report.counting.cards import CardKey
from cds_service.terminal import in_one_line

_PLACEHOLDER = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class ContentWords:
    """The words of all topics as they stand now; earlier versions of the content may have said it otherwise.

    `services`: their ids. `reasons`: displays of override reasons by system and code. `summaries`: what each card says.
    `switched_off`: the cards that the site has turned off. `counted_under`: the standard reason of each of ours.
    """

    services: tuple[str, ...]
    reasons: Mapping[tuple[str, str], str]
    summaries: Mapping[CardKey, str]
    never_silenced: frozenset[CardKey]
    switched_off: frozenset[CardKey] = frozenset()
    counted_under: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def never_silenced_title(self) -> str:
        """The keys of the cards that are never silenced, as words; "Critical cards" where there are none."""
        keys = dict.fromkeys(card.replace("-", " ") for _, card in sorted(self.never_silenced))
        return (", ".join(keys) or "critical cards").capitalize()

    def reason(self, reason: Reason) -> str:
        """A reason as a person reads it; one that no card offered by its code and system."""
        if reason.code is None:
            return "No reason given"
        known = None if reason.foreign else self.reasons.get((reason.system or "", reason.code))
        return known or in_one_line(f"{reason.code} ({reason.system or 'no system'}), not offered by the card")


def words_of(topics: Iterable[Topic], switched_off: frozenset[CardKey] = frozenset()) -> ContentWords:
    """The words of these topics."""
    services = {topic.service.id: topic.service for topic in topics}
    texts = {
        (topic.service.id, key): topic.texts[key]
        for topic in topics
        for key in topic.service.cards
        if key in topic.texts  # else its text depends on the chart
    }
    return ContentWords(
        services=tuple(services),
        reasons={
            reason: words
            for service in services.values()
            for reason, words in service.override_reasons.displays.items()
        },
        counted_under={
            reason: standard
            for service in services.values()
            for reason, standard in service.override_reasons.counted_under.items()
        },
        summaries={
            key: _PLACEHOLDER.sub("…", line)
            for key, text in texts.items()
            for name, line in list(text.head.items())[:1]
            if name.startswith("summary")
        },
        never_silenced=frozenset(
            (name, key)
            for name, service in services.items()
            for key, card in service.cards.items()
            if card.always_shown
        ),
        switched_off=switched_off,
    )
