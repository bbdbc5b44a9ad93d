"""The timeline of a chart, and where its events are drawn: on a logarithmic scale, so that days and years both show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import log1p

import msgspec

from cards.record.patient_record import OtherPatient, PatientRecord, Section, read_section
from cards.timeline import Event, Timeline
from cards.topic import Topic
from cds_service.fhir_client.prefetch import sort_value

_MOST_ROWS = 12
_LEAST_SPAN_DAYS = 45
_HEADROOM = 1.25  # of the oldest date: so that its mark does not stand on the edge
_TICKS = (
    (1, "1 day"), (7, "1 week"), (30, "1 month"), (91, "3 months"), (365, "1 year"), (1096, "3 years"),
    (3652, "10 years"), (10957, "30 years"),
)  # fmt: skip
_LONGEST_LABEL = 33  # characters

Scale = Callable[[float], float]  # from days ago to a place on the picture


@dataclass(frozen=True)
class Format:
    """The measures of a picture, in units of its own. `label_width` 0: labels stand above their lines."""

    name: str
    width: int
    label_width: int
    row_height: int


WIDE = Format("wide", 560, 206, 26)
NARROW = Format("narrow", 340, 0, 42)
_TOP, _BOTTOM, _RIGHT, _LEFT = 8, 34, 22, 12
_LEAST_BETWEEN_TICKS = 58
_LEAST_SPAN = 8


@dataclass(frozen=True)
class Row:
    """One event. `x`: its mark; `first_x`, `last_x`: the days it may have been; `end_x`: how far it goes on."""

    event: Event
    label: str
    label_x: float
    label_y: float
    y: float
    x: float | None
    first_x: float
    last_x: float
    end_x: float | None

    @property
    def spans(self) -> bool:
        """Whether the date is imprecise enough to be drawn as a span."""
        return self.last_x - self.first_x > _LEAST_SPAN


@dataclass(frozen=True)
class Drawing:
    """A picture. `left_out`: how many events have no row in it; the table has them all."""

    format: Format
    height: int
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    today_x: float
    reference_x: float | None
    axis_y: float
    left_out: int

    @property
    def spans(self) -> bool:
        """Whether some date is imprecise enough to be drawn as a span."""
        return any(row.spans for row in self.rows)


def read_timeline(prefetch: Mapping[str, msgspec.Raw], patient_id: str, topic: Topic, today: date) -> Timeline | None:
    """The timeline of a complete prefetch; None where it is about somebody else."""
    sections = {}
    try:
        for key, resource_type in topic.service.resource_types.items():
            section = Section(sort_value(prefetch.get(key)).entries)
            sections[resource_type] = read_section(section, resource_type, patient_id, topic.chart, today)
    except OtherPatient:
        return None
    return topic.timeline(PatientRecord(patient_id, sections), today)


def draw(timeline: Timeline, form: Format) -> Drawing:
    """The picture of a timeline in one of the formats."""
    shown = _chosen(timeline)
    left, right = form.label_width + _LEFT, form.width - _RIGHT
    oldest = max((_ago(event.on.first, timeline.today) for event in shown if event.on), default=0)
    span = max(_LEAST_SPAN_DAYS, oldest * _HEADROOM)

    def x_of(days: float) -> float:
        return round(right - (right - left) * log1p(max(days, 0)) / log1p(span), 1)

    rows = tuple(_row(index, event, timeline.today, form, x_of) for index, event in enumerate(shown))
    axis_y = _TOP + form.row_height * max(len(rows), 1)
    on = timeline.reference_on
    reference_x = x_of((_ago(on.first, timeline.today) + _ago(on.last, timeline.today)) / 2) if on else None
    ticks = tuple(_ticks(x_of, span, left, right))
    return Drawing(form, axis_y + _BOTTOM, rows, ticks, right, reference_x, axis_y, len(timeline.events) - len(shown))


def _chosen(timeline: Timeline) -> list[Event]:
    """_MOST_ROWS events at most: the most important kinds first, then the latest; in the order of the timeline."""

    def rank(event: Event) -> tuple[int, int]:
        return timeline.kinds.index(event.kind), -event.on.last.toordinal() if event.on else 0

    chosen = {id(event) for event in sorted(timeline.events, key=rank)[:_MOST_ROWS]}
    return [event for event in timeline.events if id(event) in chosen]


def _row(index: int, event: Event, today: date, form: Format, x_of: Scale) -> Row:
    top = _TOP + index * form.row_height
    above = form.label_width == 0
    y = top + (form.row_height - 12 if above else form.row_height / 2)
    label_y = top + 14 if above else y + 4
    words = event.words if len(event.words) <= _LONGEST_LABEL else event.words[: _LONGEST_LABEL - 1].rstrip() + "…"
    if event.on is None:
        return Row(event, words, 0, label_y, y, None, 0, 0, None)
    first, last = _ago(event.on.first, today), _ago(event.on.last, today)
    return Row(
        event, words, 0, label_y, y, x_of((first + last) / 2), x_of(first), x_of(last), x_of(0) if event.lasts else None
    )


def _ticks(x_of: Scale, span: float, left: float, right: float) -> Iterator[tuple[float, str]]:
    """Marks that do not touch, from today backwards."""
    last = right
    for days, words in _TICKS:
        x = x_of(days)
        if days <= span and last - x >= _LEAST_BETWEEN_TICKS and x - left >= 20:
            yield x, words
            last = x


def _ago(day: date, today: date) -> int:
    return (today - day).days
