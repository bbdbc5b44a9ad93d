"""Every problem of one call, by value set: from the chart, and from what the orders at hand say of the patient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from cards.fhir.dates import DateRange, exactly, read_date, until
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.record.problem import Evidence, Problem, began_by_duration, onset_of
from cards.terminology.match import Match
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.words.mention import Mention


class Problems:
    """The problems of a record and of the orders' words, each asked for by its value sets."""

    def __init__(self, record: PatientRecord, words: Sequence[ChartEntry], topic: Topic, today: date) -> None:
        self._today = today
        self._chronic_days = topic.service.after_puncture.chronic_days
        self._puncture = topic.service.orders.lumbar_puncture
        self._flags = frozenset(flag.value_set for flag in topic.service.red_flags)
        self._entries: dict[str, list[tuple[ChartEntry, bool]]] = {}
        for entries, is_order in ((record.section("Condition").matched, False), (words, True)):
            for entry in entries:
                for value_set in entry.value_sets:
                    self._entries.setdefault(value_set, []).append((entry, is_order))
        self._kept: dict[tuple[str, ...], Problem] = {}

    def of(self, *value_sets: str) -> Problem:
        """The problem that these value sets name, its earliest onset first; no evidence where nothing tells of it."""
        if value_sets not in self._kept:
            evidence = sorted(self._evidence(value_sets), key=_by_onset)
            self._kept[value_sets] = Problem(tuple(evidence), self._today, self._chronic_days)
        return self._kept[value_sets]

    def began_since(self, value_sets: Iterable[str], event: DateRange | None) -> bool:
        """Whether one of these problems, each by itself, is present and certainly new since the event."""
        return any(self.of(value_set).new_since(event) for value_set in value_sets)

    def _evidence(self, value_sets: Sequence[str]) -> Iterator[Evidence]:
        seen: set[int] = set()
        for value_set in value_sets:
            for entry, is_order in self._entries.get(value_set, ()):
                if id(entry) not in seen:
                    seen.add(id(entry))
                    matches = [match for match in entry.matches if match.value_set in value_sets]
                    yield self._read(entry, matches, is_order)

    def _years(self, mentions: Iterable[Mention], is_order: bool) -> Iterator[int]:
        """The years of "since 2019". In an order at hand, 2019 may be a time of day: it makes no red flag look old."""
        for mention in mentions:
            if mention.began_year is not None and not (is_order and mention.concept in self._flags):
                yield mention.began_year

    def _read(self, entry: ChartEntry, matches: Sequence[Match], is_order: bool) -> Evidence:
        mentions = [match.mention for match in matches if match.mention is not None]
        recorded = exactly(self._today) if is_order else until(entry.recorded, self._today)
        began = onset_of(entry, self._today)
        durations = [mention.began_days_ago for mention in mentions if mention.began_days_ago is not None]
        if began is None and durations and recorded is not None:
            longest = max(durations, key=lambda days: (days.most, days.least))
            began = began_by_duration(longest, recorded)
        years = list(self._years(mentions, is_order))
        if began is None and years and min(years) < self._today.year:  # of this year, the record says more
            began = read_date(str(min(years)))
        is_history = bool(mentions) and all(match.is_past for match in matches if match.mention)
        return Evidence(
            entry,
            began,
            recorded,
            ended=entry.ended,
            is_over=not entry.is_active or is_history,
            is_order=is_order,
            since_event=any(mention.since == self._puncture for mention in mentions),
            modifiers=frozenset().union(*(mention.modifiers for mention in mentions)),
        )


def _by_onset(evidence: Evidence) -> tuple[object, ...]:
    """The earliest onset first, undated evidence last; then a fixed order: that of a Bundle never matters."""
    entry, known = evidence.entry, evidence.began
    dates = (known.first, known.last) if known else (date.max, date.max)
    return (*dates, evidence.is_order, entry.id or "", entry.words)
