"""Red flags: conditions that may have come of a puncture and silence every reassurance (clinical.md 1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cards.catalogue import Topic
from cards.chart_entry import ChartEntry
from cards.dates import DateRange, days_from, until
from cards.orders import condition_id
from cards.record import PatientRecord
from cards.service import RedFlagKind
from cards.topics.lumbar_puncture.punctures import Puncture, Punctures

INDICATORS = ("critical", "warning", "info")  # most urgent first


@dataclass(frozen=True)
class RedFlag:
    """One kind of red flag, with every condition of the chart that shows it, the earliest first."""

    kind: RedFlagKind
    entries: tuple[ChartEntry, ...]


def find_red_flags(record: PatientRecord, punctures: Punctures, topic: Topic, today: date) -> tuple[RedFlag, ...]:
    """The red flags, the gravest first. One counts unless it is certain that it does not.

    A condition that fits several kinds is told under the first, the gravest, of them.
    """
    kinds = topic.service.red_flags
    told: dict[int, list[ChartEntry]] = {}
    for entry in record.conditions.found:
        place = next((at for at, kind in enumerate(kinds) if counts(entry, kind, punctures, topic, today)), None)
        if place is not None:
            told.setdefault(place, []).append(entry)
    flags = [RedFlag(kinds[at], tuple(sorted(entries, key=_order))) for at, entries in sorted(told.items())]
    return tuple(sorted(flags, key=lambda flag: INDICATORS.index(flag.kind.indicator)))


def counts(entry: ChartEntry, kind: RedFlagKind, punctures: Punctures, topic: Topic, today: date) -> bool:
    """Whether this condition is a red flag of this kind: active, and possibly come of one of the punctures."""
    if not entry.is_active or not entry.match_in(kind.value_set):
        return False
    return any(
        _may_follow(entry, kind, one, today) and not _is_reason(entry, kind, one, topic) for one in punctures.all
    )


def _may_follow(entry: ChartEntry, kind: RedFlagKind, puncture: Puncture, today: date) -> bool:
    """Not certainly before the puncture, and not certainly later than the window, if there is one.

    A window needs the date of the puncture: a fever of today says nothing of a puncture that may be years ago.
    """
    if puncture.on is None:
        return kind.within_days is None
    witness = until(entry.witness, today)
    if witness is not None and witness.last < puncture.on.first:
        return False
    seen = witness or DateRange(today, today, "")
    return kind.within_days is None or days_from(puncture.on, seen).exceed(kind.within_days) is not True


def _is_reason(entry: ChartEntry, kind: RedFlagKind, puncture: Puncture, topic: Topic) -> bool:
    """Whether the puncture was done for this very condition, or for one of its kind ("rule out meningitis")."""
    referred = {condition_id(one) for one in puncture.entry.reason_references}
    if entry.id is not None and entry.id in referred:
        return True
    return any(kind.value_set in topic.chart.mentioned(reason) for reason in puncture.entry.reasons)


def _order(entry: ChartEntry) -> tuple[object, ...]:
    began = entry.began.first if entry.began else date.max
    return (began, entry.id or "", entry.words)
