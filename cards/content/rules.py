"""What `cds-service check` must know of a topic to check its content files; each default means that there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cards.content.placeholders import Filled
from cards.content.service import Phrases


@dataclass(frozen=True)
class Exclusive:
    """Two value sets that must not share a code, and why; `why_at_site`: also not through a site's own codes."""

    value_set: str
    other: str
    why: str
    why_at_site: str | None = None


def summary_as_it_stands(name: str, key: str, summary: str, phrases: Phrases) -> str:
    """The longest form of a summary that nothing is filled into."""
    return summary


@dataclass(frozen=True)
class ContentRules:
    """`texts`: for each text, what fills its body, and what fills each line of its head that the topic reads.

    `phrases`: the placeholders of each phrase of the topic's own, as "timeline.days": "days". `phrase_keys`: for each
    group of phrases of the topic's own, the keys it must have. `longest_summary`: from the name of a text, a key of its
    head, that line and the phrases, the longest summary that can come of it. `boundaries`: the paths of the numbers in
    service.yaml that decide something, each of which needs a vignette on either side. `exclusive`: value sets that must
    not share a code.
    """

    texts: Mapping[str, tuple[Filled, Mapping[str, Filled]]]
    phrases: Mapping[str, str] = field(default_factory=dict)
    phrase_keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    longest_summary: Callable[[str, str, str, Phrases], str] = summary_as_it_stands
    boundaries: tuple[str, ...] = ()
    exclusive: tuple[Exclusive, ...] = ()
