"""What `cds-service check` must know of a topic to check its content files. A default means that there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cards.content.phrases import Phrases
from cards.content.placeholders import Filled

Step = str | int  # from a node of a YAML file to one below it: a key or a place in a list


def summary_as_it_stands(name: str, key: str, summary: str, phrases: Phrases) -> str:
    """The longest form of a summary that nothing is filled into."""
    return summary


@dataclass(frozen=True)
class ContentRules:
    """`texts`: for each text, what fills its body, and what fills each line of its head that the topic reads.

    `phrases`: the placeholders of each phrase of the topic's own, as "timeline.days": "days". `phrase_keys`: for each
    group of phrases of the topic's own, the keys it must have. `longest_summary`: from the name of a text, a key of its
    head, that line and the phrases, the longest possible summary. `details`: the names of the texts
    that stand on one card together, for each card that can be the longest of its kind. `service_faults`: faults in
    service.yaml that do not prevent it from being loaded, each with the way to its node.
    """

    texts: Mapping[str, tuple[Filled, Mapping[str, Filled]]]
    phrases: Mapping[str, str] = field(default_factory=dict)
    phrase_keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    longest_summary: Callable[[str, str, str, Phrases], str] = summary_as_it_stands
    details: tuple[tuple[str, ...], ...] = ()
    service_faults: tuple[tuple[str, tuple[Step, ...]], ...] = ()
