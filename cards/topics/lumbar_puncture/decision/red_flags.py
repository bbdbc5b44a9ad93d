"""Red flags: conditions that may have come of a puncture and silence every reassurance (clinical.md 1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from cards.content.service import INDICATORS
from cards.fhir.dates import days_from, exactly
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.punctures import Puncture, Punctures, by_onset, witness_of
from cards.topics.lumbar_puncture.decision.triage import Triage
from cards.topics.lumbar_puncture.settings import RedFlagKind


@dataclass(frozen=True)
class RedFlag:
    """One kind of red flag, with every condition of the chart that shows it, the earliest first."""

    kind: RedFlagKind
    entries: tuple[ChartEntry, ...]


def find_red_flags(
    found: Triage, record: PatientRecord, punctures: Punctures, topic: Topic, today: date
) -> tuple[RedFlag, ...]:
    """The red flags of the chart, and of what is worked up, the gravest first. One counts unless it certainly does not.

    A condition that fits several kinds is told under the first, the gravest, of them.
    """
    if not punctures.all:
        return ()
    kinds = topic.service.red_flags
    told: dict[int, list[ChartEntry]] = {}
    for entry in (*record.section("Condition").matched, *_reasons(found, topic)):
        held = entry.value_sets
        fitting = (at for at, kind in enumerate(kinds) if kind.value_set in held)
        place = next((at for at in fitting if counts(entry, kinds[at], punctures, today)), None)
        if place is not None:
            told.setdefault(place, []).append(entry)
    flags = [RedFlag(kinds[at], tuple(sorted(entries, key=by_onset))) for at, entries in sorted(told.items())]
    return tuple(sorted(flags, key=lambda flag: INDICATORS.index(flag.kind.indicator)))


def _reasons(found: Triage, topic: Topic) -> Iterator[ChartEntry]:
    """What the work-ups of the session are ordered for, as if the chart held it: active, and not dated."""
    for order in found.work_ups:
        for reason, matches in zip(order.reasons, topic.chart.match_all(order.reasons), strict=True):
            sure = all(match.certain for match in matches)
            yield ChartEntry(order.resource_type, order.id, reason, matches, Standing.CURRENT, sure, None, None)


def counts(entry: ChartEntry, kind: RedFlagKind, punctures: Punctures, today: date) -> bool:
    """Whether this condition is a red flag of this kind: active, and possibly come of one of the punctures."""
    if not entry.is_active or not entry.match_in(kind.value_set):
        return False
    return any(_may_follow(entry, kind, one, today) and not _is_reason(entry, kind, one) for one in punctures.all)


def _may_follow(entry: ChartEntry, kind: RedFlagKind, puncture: Puncture, today: date) -> bool:
    """Not certainly before the puncture, and not certainly later than the window, if there is one.

    A window needs the date of the puncture: a fever of today says nothing of a puncture that may be years ago.
    """
    if puncture.on is None:
        return kind.within_days is None
    witness = witness_of(entry, today)
    if witness is not None and witness.last < puncture.on.first:
        return False
    seen = witness or exactly(today)
    return kind.within_days is None or days_from(puncture.on, seen).exceed(kind.within_days) is not True


def _is_reason(entry: ChartEntry, kind: RedFlagKind, puncture: Puncture) -> bool:
    """Whether the puncture was done for this very condition, or for one of its kind ("rule out meningitis")."""
    return entry.id in puncture.reason_ids or kind.value_set in puncture.reason_sets
