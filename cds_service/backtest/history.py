"""What of a chart was known when an order was placed: nothing that was recorded later decides.

An entry counts from the day it was recorded (recordedDate; assertedDate in STU3; dateRecorded in DSTU2), or, where
that is not known, from its onset or the start of what was performed. `meta.lastUpdated` says nothing: it is the day of
the last change, or of a migration. A chart of the day of the export is taken as it is, as the service would see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

import msgspec

from cards.fhir.bundle import read_entry
from cards.fhir.dates import DateRange, read_date
from cards.fhir.resources import BundleEntry, ChartResource, Period, Reference
from cards.fhir.tolerant_reading import ABSENT, Reader, Unreadable, read_elements
from cds_service.backtest.reading.order_lines import read_moment
from cds_service.backtest.rows import PlacedOrder


class Placed(Enum):
    """Where an entry stands in time, as seen from an order."""

    BEFORE = "before"
    AFTER = "after"
    UNDATED = "undated"  # no date, or one that does not tell whether the entry was there


class _Dates(msgspec.Struct, rename="camel"):
    recorded_date: str | None = None
    asserted_date: str | None = None
    date_recorded: str | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None

    def texts(self) -> Iterator[str]:
        """The dates by which an entry was there, the best first."""
        periods = (self.onset_period, self.performed_period, self.occurrence_period)
        moments = (self.onset_date_time, self.performed_date_time, self.occurrence_date_time)
        texts = (self.recorded_date, self.asserted_date, self.date_recorded, *moments)
        yield from filter(None, (*texts, *(period.start for period in periods if period)))


class _BasedOn(msgspec.Struct, rename="camel"):
    based_on: list[Reference] = []


_BASED_ON = Reader(_BasedOn)


@dataclass(frozen=True)
class HistoryEntry:
    """A line of a chart, decoded. `on`, `moment`: since when it was there, as far as known. `based_on`: orders."""

    entry: BundleEntry | None
    on: DateRange | None
    moment: datetime | None
    based_on: tuple[str, ...]

    @property
    def resource(self) -> ChartResource | None:
        return self.entry.resource if self.entry else None

    def placed(self, order: PlacedOrder, exported_on: date) -> Placed:
        """Where this stands in time."""
        if self._is(order.reference) or any(self._names(reference, order.reference) for reference in self.based_on):
            return Placed.AFTER  # it came of the order
        if self.resource is not None and self.resource.id in order.conditions:
            return Placed.BEFORE  # the order names it
        if self.on is None:
            return Placed.UNDATED
        if order.on >= exported_on:
            return Placed.BEFORE
        if self.on.first > exported_on:
            return Placed.UNDATED  # not written down in the future: the date is wrong, or a plan
        if self.moment and order.moment:
            return Placed.AFTER if self.moment > order.moment else Placed.BEFORE
        if self.on.first > order.on:
            return Placed.AFTER
        return Placed.BEFORE if self.on.last < order.on else Placed.UNDATED

    def as_of(self, order: PlacedOrder, exported_on: date) -> BundleEntry | None:
        """The entry as it was: without a status that an abatement after the order gave it."""
        resource = self.resource
        if resource is None or order.on >= exported_on or not _abated_after(resource, order.on):
            return self.entry
        return BundleEntry(resource=msgspec.structs.replace(resource, clinical_status=ABSENT))

    def _is(self, reference: str) -> bool:
        return self.resource is not None and f"{self.resource.resource_type}/{self.resource.id}" == reference

    @staticmethod
    def _names(reference: str, order: str) -> bool:
        return reference == order or reference.endswith(f"/{order}")


class _Abatement(msgspec.Struct, rename="camel"):
    abatement_date_time: str | None = None
    abatement_period: Period | None = None


def _abated_after(resource: ChartResource, on: date) -> bool:
    abatement = read_elements(resource, _Abatement)
    period = abatement.abatement_period
    ended = read_date(abatement.abatement_date_time or (period.end if period else None) or "")
    return ended is not None and ended.first > on


def read_history(line: bytes) -> HistoryEntry:
    """A line of a Condition, a Procedure or another entry of a chart."""
    entry = read_entry(line)
    if entry is None or entry.resource is None:
        return HistoryEntry(entry, None, None, ())
    texts = [text for text in read_elements(entry.resource, _Dates).texts() if read_date(text)]
    return HistoryEntry(
        entry,
        read_date(texts[0]) if texts else None,
        read_moment(texts[0]) if texts else None,
        _based_on(line),
    )


def _based_on(line: bytes) -> tuple[str, ...]:
    if b'"basedOn"' not in line:
        return ()
    try:
        return tuple(each.reference for each in _BASED_ON.read(line)[0].based_on if each.reference)
    except Unreadable:
        return ()
