"""Problems: all evidence of one kind, and how it stands to an event of the past: present, new since, or known before.

A chart repeats itself: every visit may code an old problem again, and a recorded date says only when somebody wrote it
down. So no single entry decides. All entries of one kind, and the reasons of the orders at hand, are one problem.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from cards.fhir.dates import DateRange, Days, days_from, earliest, exactly, until
from cards.record.chart_entry import ChartEntry


class Change(StrEnum):
    """What words say of how a problem has changed, as the lexicon's modifiers name it."""

    NEW = "new"
    ACUTE = "acute"
    WORSE = "worse"


CHRONIC = "chronic"
_CHANGES = frozenset(Change)
_SIDES = frozenset({"left", "right"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one source says of a problem: a chart entry, or the reason or words of an order at hand.

    `began`: the onset that this source states, by date or by a duration in its words, and no later than the day on
    which it was recorded. `recorded`: when it was written down; for an order at hand, today. `since_event`: its words
    say "since the procedure". `is_over`: abated, resolved, or history. `modifiers`: kinds of the lexicon.
    """

    entry: ChartEntry
    began: DateRange | None
    recorded: DateRange | None
    ended: DateRange | None = None
    is_over: bool = False
    is_order: bool = False
    since_event: bool = False
    modifiers: frozenset[str] = frozenset()

    @property
    def is_chronic(self) -> bool:
        """Whether words or code call the problem chronic."""
        return CHRONIC in self.modifiers

    @property
    def is_changed(self) -> bool:
        """Whether the words of an order at hand say that the problem is new, acute or worse."""
        return self.is_order and not self.modifiers.isdisjoint(_CHANGES)

    def is_on_other_side(self, other: Evidence) -> bool:
        """Whether words say of one of the two that it is left and of the other that it is right."""
        ours, theirs = self.modifiers & _SIDES, other.modifiers & _SIDES
        return len(ours) == len(theirs) == 1 and ours != theirs

    @property
    def best_known_date(self) -> DateRange | None:
        """The onset; without one, the day on which it was recorded, by which it had begun."""
        return self.began or self.recorded

    def certainly_before(self, event: DateRange) -> bool:
        """Whether the problem certainly began, or was recorded, before the event."""
        dates = (self.recorded,) if self.began is None else (self.began, self.recorded)
        return not self.since_event and any(known is not None and known.last < event.first for known in dates)

    def was_over_by(self, event: DateRange) -> bool:
        """Whether it had ended by the event. A problem that is over, nobody knows since when, counts as ended."""
        if self.ended is not None:
            return self.ended.last < event.first
        return self.is_over


@dataclass(frozen=True)
class Problem:
    """All evidence of one kind of problem in one call. `chronic_days`: how long what is called chronic has lasted."""

    evidence: tuple[Evidence, ...]
    today: date
    chronic_days: int

    @property
    def present(self) -> tuple[Evidence, ...]:
        """The evidence that the problem is there today."""
        return tuple(source for source in self.evidence if not source.is_over)

    def known_before(self, event: DateRange | None) -> tuple[Evidence, ...]:
        """The evidence that the problem was there before the event and was not over by then; empty: not known."""
        if event is None:
            return ()
        return tuple(
            source
            for source in self.evidence
            if (source.certainly_before(event) and not source.was_over_by(event))
            or (not source.is_over and self._is_chronic_before(source, event))
        )

    def new_since(self, event: DateRange | None) -> tuple[Evidence, ...]:
        """The present evidence that the problem began at the event or later; empty: none is certain to say so.

        A recorded date alone counts only where the problem was not known before, on the same side of the body.
        """
        if event is None:
            return ()
        known = self.known_before(event)
        return tuple(source for source in self.present if self._is_new(source, event, known))

    def may_be_new_since(self, event: DateRange | None) -> tuple[Evidence, ...]:
        """As `new_since`, and where the problem was not known before, also evidence whose dates do not decide."""
        if event is None:
            return self.present
        if self.known_before(event):
            return self.new_since(event)
        return tuple(source for source in self.present if not source.certainly_before(event))

    def onset_since(self, event: DateRange) -> DateRange | None:
        """When the episode that is new since the event began; None where no date tells.

        An onset that a source states decides. A record without an onset counts where there is none, or where it was
        written before the earliest of them. Words such as "since the biopsy" tell of an onset between the event and
        today.
        """
        new = self.new_since(event)
        stated = earliest(source.began for source in new if source.began is not None)
        recorded = (
            source for source in new if source.began is None and (source.recorded is not None or source.since_event)
        )
        ranges = [
            self._onset_by_record(source, event)
            for source in recorded
            if stated is None or (source.recorded is not None and source.recorded.last < stated.first)
        ]
        return earliest([*ranges, *([stated] if stated else [])])

    def latest_evidence(self, sources: Iterable[Evidence]) -> DateRange:
        """The last day on which one of these sources shows the problem; one without any date is evidence of today."""
        days = [source.began if source.recorded is None else source.recorded for source in sources]
        dated = [day for day in days if day is not None]
        if len(dated) < len(days) or not dated:
            return exactly(self.today)
        return max(dated, key=lambda day: (day.last, day.first))

    def _is_new(self, source: Evidence, event: DateRange, known_before: Iterable[Evidence]) -> bool:
        known = not all(source.is_on_other_side(old) for old in known_before)
        if source.since_event:  # "unchanged since the biopsy", of what was known before it
            return not known or not source.is_chronic or source.is_changed
        if source.is_changed:
            return source.began is None or source.began.last >= event.first
        if source.is_order and known:
            return source.began is not None and source.began.first >= event.last
        if self._is_chronic_before(source, event):
            return False
        if source.began is not None:
            return source.began.first >= event.last
        return not known and source.recorded is not None and source.recorded.first >= event.last

    def _is_chronic_before(self, source: Evidence, event: DateRange) -> bool:
        """Whether it is called chronic so soon after the event that it must have begun before."""
        if not source.is_chronic or source.began is not None or source.since_event or source.recorded is None:
            return False
        return days_from(event, source.recorded).exceed(self.chronic_days) is False

    def _onset_by_record(self, source: Evidence, event: DateRange) -> DateRange:
        """When what was only recorded began: between the event and the record."""
        recorded = source.recorded or exactly(self.today)
        last = recorded.last
        if source.is_chronic:
            last -= timedelta(days=self.chronic_days + 1)
        return DateRange(event.first, max(last, event.first), recorded.text)


def is_of_both_sides(sources: Iterable[Evidence]) -> bool:
    """Whether words say of these sources that they are left, and right: "weak left foot, weak right leg"."""
    return frozenset().union(*(source.modifiers for source in sources)) >= _SIDES


def began_by_duration(days_ago: Days, seen: DateRange) -> DateRange:
    """The onset that a duration tells ("for 5 weeks"), as seen on a day."""
    first, last = _days_before(seen.first, days_ago.most), _days_before(seen.last, days_ago.least)
    return DateRange(first, last, first.isoformat() if first == last else f"{first.isoformat()} – {last.isoformat()}")


def onset_of(entry: ChartEntry, today: date) -> DateRange | None:
    """When an entry began, as far as that has come to pass; no later than it was recorded, if that is known."""
    began, recorded = until(entry.began, today), until(entry.recorded, today)
    if began is None or recorded is None or recorded.last < began.first:
        return began
    return DateRange(began.first, min(began.last, recorded.last), began.text)


def _days_before(day: date, days: int) -> date:
    return day - timedelta(days=min(days, (day - date.min).days))
