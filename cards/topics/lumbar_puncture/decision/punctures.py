"""The lumbar punctures that the chart holds, and those that only an order's words tell of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from cards.fhir.dates import DateRange, days_from, exactly, latest, until
from cards.fhir.draft_orders import condition_id
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord
from cards.record.problem import began_by_duration
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.triage import ABOUT, PLANNED, Triage, speaks_of_device

_MOST_REASONS = 50  # of one puncture; more are no reasons
_SAME_PUNCTURE_DAYS = 3  # words such as "4 days ago" and the date of a Procedure may differ by so much


@dataclass(frozen=True)
class Puncture:
    """One lumbar puncture. `on`: when; None where no date is known that can be.

    `reason_ids`, `reason_sets`: the Conditions it was done for, by id, and the value sets that its reasons mention.
    """

    entry: ChartEntry
    on: DateRange | None
    reason_ids: frozenset[str | None] = frozenset()
    reason_sets: frozenset[str] = frozenset()

    @property
    def completed(self) -> bool:
        """Whether it was completed; an order's words tell of completed ones."""
        return self.entry.standing in (Standing.DONE, Standing.CURRENT)


@dataclass(frozen=True)
class Punctures:
    """Every lumbar puncture that is not certainly longer ago than the look-back: completed, begun or attempted."""

    all: tuple[Puncture, ...]

    @property
    def completed(self) -> tuple[Puncture, ...]:
        return tuple(puncture for puncture in self.all if puncture.completed)

    @property
    def last_on(self) -> DateRange | None:
        """When the latest completed one was; None where no completed one has a date."""
        return latest(puncture.on for puncture in self.completed if puncture.on)

    @property
    def last(self) -> Puncture | None:
        """The completed one to show: the latest, an undated one only where none has a date."""
        last_on = self.last_on
        return next(
            (
                puncture
                for puncture in self.completed
                if last_on is None or (puncture.on and puncture.on.text == last_on.text)
            ),
            None,
        )

    def completed_within(self, days: int, today: date) -> tuple[Puncture, ...]:
        """The completed ones that are certainly no longer ago than so many days."""
        now = exactly(today)
        return tuple(
            puncture
            for puncture in self.completed
            if puncture.on is not None and days_from(puncture.on, now).exceed(days) is False
        )


def find_punctures(record: PatientRecord, triage: Triage | None, topic: Topic, today: date) -> Punctures:
    """The lumbar punctures of a record, and those that the orders' words mention, where there are orders.

    An undated one counts; one in the future has no date.
    """
    oldest = today - timedelta(days=topic.service.after_puncture.look_back_days)
    dated = [(entry, until(entry.began, today)) for entry in _recorded_punctures(record, topic)]
    recent = [(entry, on) for entry, on in dated if on is None or on.is_before(oldest) is not True]
    punctures = [_puncture(entry, on, topic) for entry, on in recent]
    mentioned = _mentioned_punctures(triage, topic, today) if triage else ()
    for entry, on in sorted(mentioned, key=lambda mention: mention[1] is None):  # "since LP" beside a date is the same
        is_recent = on is None or on.is_before(oldest) is not True
        if is_recent and not any(_is_same(on, known.on) for known in punctures):
            punctures.append(Puncture(entry, on))
    return Punctures(tuple(sorted(punctures, key=_order)))


def _puncture(entry: ChartEntry, on: DateRange | None, topic: Topic) -> Puncture:
    ids = frozenset(condition_id(reference) for reference in entry.reason_references)
    sets = (topic.chart.mentioned(reason) for reason in entry.reasons[:_MOST_REASONS])
    return Puncture(entry, on, ids - {None}, frozenset().union(*sets))


def _recorded_punctures(record: PatientRecord, topic: Topic) -> Iterator[ChartEntry]:
    orders = topic.service.orders
    for entry in record.section("Procedure").matched:
        certain = {match.value_set for match in entry.matches if match.certain}
        into_spine = orders.unless_into_a_device in certain and not speaks_of_device(
            " ".join(entry.concept.texts), topic
        )
        named = not certain.isdisjoint((orders.lumbar_puncture, orders.abbreviation))
        if (named or into_spine) and _was_begun(entry, topic):
            yield entry


def _was_begun(entry: ChartEntry, topic: Topic) -> bool:
    """Whether a needle went in: what was not done counts only where its reason says that it was tried."""
    if entry.standing is not Standing.NOT_DONE:
        return True
    attempted = topic.service.orders.attempted
    return any(match.value_set == attempted for reason in entry.reasons for match in topic.chart.match(reason))


def _mentioned_punctures(triage: Triage, topic: Topic, today: date) -> Iterator[tuple[ChartEntry, DateRange | None]]:
    """The punctures that the words of orders mention as done: "s/p LP 3 days ago", "numbness since LP".

    A work-up that mentions one, and neither plans it nor is about it, speaks of one that was done: "LP at OSH 11/25".
    """
    wanted = topic.service.orders.lumbar_puncture
    for entry in triage.words:
        for match in entry.matches:
            mention = match.mention
            if mention is None:
                continue
            is_plain = match.certain and mention.modifiers.isdisjoint((ABOUT, PLANNED))
            if match.value_set == wanted and (match.is_past or (is_plain and entry in triage.work_up_words)):
                days_ago = mention.began_days_ago
                yield entry, began_by_duration(days_ago, exactly(today)) if days_ago else None
            elif mention.since == wanted:
                yield entry, None


def _is_same(mentioned: DateRange | None, recorded: DateRange | None) -> bool:
    """Whether a puncture that words tell of may be the one that is known already."""
    if mentioned is None or recorded is None:
        return True
    apart = days_from(recorded, mentioned)
    return apart.least <= _SAME_PUNCTURE_DAYS and apart.most >= -_SAME_PUNCTURE_DAYS


def _order(puncture: Puncture) -> tuple[object, ...]:
    """Latest first; then a fixed order."""
    on = puncture.on or DateRange(date.min, date.min, "")
    entry = puncture.entry
    return (-on.last.toordinal(), -on.first.toordinal(), not puncture.completed, entry.id or "", entry.words)
