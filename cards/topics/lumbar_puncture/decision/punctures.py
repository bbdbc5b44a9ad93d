"""The lumbar punctures a chart holds, and how what came later stands to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from cards.fhir.dates import DateRange, latest, until
from cards.fhir.draft_orders import condition_id
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.triage import speaks_of_device

_MOST_REASONS = 50  # of one puncture; more are no reasons


@dataclass(frozen=True)
class Puncture:
    """One lumbar puncture on record. `on`: when; None where the chart gives no date that can be.

    `reason_ids`, `reason_sets`: the Conditions it was done for, by id, and the value sets its reasons speak of.
    """

    entry: ChartEntry
    on: DateRange | None
    reason_ids: frozenset[str | None] = frozenset()
    reason_sets: frozenset[str] = frozenset()

    @property
    def completed(self) -> bool:
        return self.entry.standing is Standing.DONE


@dataclass(frozen=True)
class Punctures:
    """Every lumbar puncture that is not certainly longer ago than the look-back, completed or only begun."""

    all: tuple[Puncture, ...]

    @property
    def completed(self) -> tuple[Puncture, ...]:
        return tuple(one for one in self.all if one.completed)

    @property
    def last_on(self) -> DateRange | None:
        """When the latest completed one was; None where no completed one has a date."""
        return latest(one.on for one in self.completed if one.on)

    @property
    def last(self) -> Puncture | None:
        """The completed one to show: the latest, an undated one only where none has a date."""
        last_on = self.last_on
        return next(
            (one for one in self.completed if last_on is None or (one.on and one.on.text == last_on.text)), None
        )


def find_punctures(record: PatientRecord, topic: Topic, today: date) -> Punctures:
    """The lumbar punctures of a record; an undated one counts, one in the future has no date."""
    oldest = today - timedelta(days=topic.service.after_puncture.look_back_days)
    dated = [(one, until(one.began, today)) for one in _lumbar_punctures(record, topic)]
    recent = [_puncture(one, on, topic) for one, on in dated if on is None or on.is_before(oldest) is not True]
    return Punctures(tuple(sorted(recent, key=_order)))


def _puncture(entry: ChartEntry, on: DateRange | None, topic: Topic) -> Puncture:
    ids = frozenset(condition_id(one) for one in entry.reason_references)
    sets = (topic.chart.mentioned(reason) for reason in entry.reasons[:_MOST_REASONS])
    return Puncture(entry, on, ids - {None}, frozenset().union(*sets))


def onset_of(entry: ChartEntry, today: date) -> DateRange | None:
    """When a condition began, as far as that has come to pass; no later than it was recorded, if that is known."""
    began, recorded = until(entry.began, today), until(entry.recorded, today)
    if began is None or recorded is None or recorded.last < began.first:
        return began
    return DateRange(began.first, min(began.last, recorded.last), began.text)


def witness_of(entry: ChartEntry, today: date) -> DateRange | None:
    """The onset; without one, when the condition was recorded, by which it had begun."""
    return onset_of(entry, today) or until(entry.recorded, today)


def by_onset(entry: ChartEntry) -> tuple[object, ...]:
    """The earliest onset first, undated entries last; then a fixed order: that of a Bundle never matters."""
    return (entry.began.first if entry.began else date.max, entry.id or "", entry.words)


def began_since(entry: ChartEntry, puncture_on: DateRange | None, today: date) -> bool | None:
    """Whether a condition began on the day of the puncture or later; None where the dates do not tell.

    A condition without an onset had begun by the day on which it was recorded.
    """
    witness = witness_of(entry, today)
    if puncture_on is None or witness is None:
        return None
    if witness.last < puncture_on.first:
        return False
    onset = onset_of(entry, today)
    return True if onset is not None and onset.first >= puncture_on.last else None


def _lumbar_punctures(record: PatientRecord, topic: Topic) -> Iterator[ChartEntry]:
    orders = topic.service.orders
    for entry in record.section("Procedure").matched:
        certain = {match.value_set for match in entry.matches if match.certain}
        words = " ".join([entry.concept.text or "", *(coding.display or "" for coding in entry.concept.coding)])
        into_spine = orders.unless_into_a_device in certain and not speaks_of_device(words, topic)
        if orders.lumbar_puncture in certain or into_spine:
            yield entry


def _order(one: Puncture) -> tuple[object, ...]:
    """Latest first; then a fixed order."""
    on = one.on or DateRange(date.min, date.min, "")
    return (-on.last.toordinal(), -on.first.toordinal(), not one.completed, one.entry.id or "", one.entry.words)
