"""The entries of a chart on a line of time: what a topic hands to whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from cards.fhir.dates import DateRange


@dataclass(frozen=True)
class EventKind:
    """A kind of event: its label in the legend and the symbol it is drawn with.

    `is_moment`: it happens on a day and is over at once, such as a procedure; it is never drawn as ended.
    """

    label: str
    symbol: Literal["triangle", "flag", "circle", "diamond", "square"]
    is_moment: bool = False


@dataclass(frozen=True)
class Event:
    """One entry of the chart. `on`: since when, or when; None where the chart does not say.

    `only_recorded`: `on` is the day of the record, not of the onset. `lasts`: it goes on today. `resource`: as
    "Condition/1". `remark`: "unconfirmed", "resolved" and the like, or empty.
    """

    kind: EventKind
    words: str
    resource: str
    on: DateRange | None
    only_recorded: bool = False
    lasts: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Timeline:
    """All events, the oldest first, undated ones last.

    `kinds`: every kind of the topic, the most important first. `reference_on`: the date that the topic compares the
    others with, such as that of the latest procedure. `when_empty`: what to say where there is no event.
    """

    today: date
    kinds: tuple[EventKind, ...] = ()
    events: tuple[Event, ...] = ()
    reference_on: DateRange | None = None
    when_empty: str = "the chart has nothing that this service looks for"


def by_date(event: Event) -> tuple[object, ...]:
    """The sorting key of events: the oldest first, undated ones last; then a fixed order."""
    on = event.on
    return (on is None, on.first if on else date.max, on.last if on else date.max, event.resource)
