"""What goes between the steps of a backtest: an order that was placed, and the row that it became.

Both are sent between processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

AGE_BANDS = ((18, "0-17"), (40, "18-39"), (65, "40-64"), (80, "65-79"))  # each up to, not including, this age
OLDEST = "80+"
UNKNOWN = "unknown"  # a category, age band or clinician that the export does not say


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order of the period. `reference`: "ServiceRequest/1". `raw`: FHIR JSON, a ServiceRequest where the order was
    made of a Procedure.

    `on`: the UTC day it was placed on; `moment`: the instant, where the export has a time with a zone. `category`: what
    kind of order. `clinician`: a keyed hash of who placed it, None where that is not known.
    """

    reference: str
    raw: bytes
    patient: str
    on: date
    moment: datetime | None
    category: str
    clinician: int | None
    conditions: tuple[str, ...] = ()  # ids of the Conditions that it names as its reason


@dataclass(frozen=True, slots=True, order=True)
class CardRow:
    """A card that would have been shown."""

    key: str
    card_class: str
    indicator: str

    def __str__(self) -> str:
        return f"{self.key} ({', '.join(filter(None, (self.card_class, self.indicator)))})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service says to an order: cards, most urgent first, or why there is none.

    `ours`: the topic speaks about the order. `silence`: a key and words; None where there are cards. `findings`: role
    and value set of what the cards name.
    """

    ours: bool
    cards: tuple[CardRow, ...] = ()
    silence: tuple[str, str] | None = None
    findings: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One order, judged.

    `without_undated`: the answer without the entries that cannot be placed in time; None where there are none.
    `against`: the answer under the other content. `unread`: entries of the chart that could not be read, by reason.
    `has_chart`: the export has something of the patient beside orders.
    """

    order: str
    patient: str
    on: date
    category: str
    clinician: int | None
    age_band: str
    answer: Answer
    without_undated: Answer | None = None
    against: Answer | None = None
    unread: Mapping[str, int] = field(default_factory=dict)
    has_chart: bool = True


def age_band(years: int) -> str:
    """The band of an age in years."""
    return next((band for limit, band in AGE_BANDS if years < limit), OLDEST)
