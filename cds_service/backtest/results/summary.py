"""The results of a backtest in numbers: what summary.json holds and report.html shows.

`Summary` is the whole of it. It holds counts, dates, keys of content, codes and displays of order categories; never a
name, a text or an id of a patient, an order or a clinician. `counting.py` makes it; `as_json` lays it out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Group:
    """The orders of one month, category or age band.

    `orders_seen`: every order placed in the period; None where the export does not say it for all orders (age bands:
    only patients with an order of ours are read). `cards`: how many, by key.
    """

    orders_seen: int | None
    orders_ours: int
    orders_with_cards: int
    cards: Mapping[str, int]


@dataclass(frozen=True)
class Interruptions:
    """How often one clinician would have been interrupted in one week (ISO 8601).

    A clinician-week is a week in which a clinician placed at least one order. `by_count`: clinician-weeks by the number
    of orders with cards in them, "0" included. `orders_without_clinician`: orders with cards whose export does not say
    who placed them; they are in no clinician-week.
    """

    clinicians: int
    clinician_weeks: int
    by_count: Mapping[int, int]
    orders_without_clinician: int

    @property
    def mean(self) -> float:
        """Interruptions in a clinician-week, on average."""
        total = sum(count * weeks for count, weeks in self.by_count.items())
        return total / self.clinician_weeks if self.clinician_weeks else 0.0

    @property
    def most(self) -> int:
        """Interruptions in the worst clinician-week."""
        return max(self.by_count, default=0)

    def percentile(self, share: float) -> int:
        """The number of interruptions that this share (0 to 1) of clinician-weeks does not exceed."""
        passed = 0
        for count, weeks in sorted(self.by_count.items()):
            passed += weeks
            if passed >= share * self.clinician_weeks:
                return count
        return 0


@dataclass(frozen=True)
class Change:
    """Orders whose cards differ between two ways to judge them: cards as "key (class, indicator)", none as ()."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    orders: int


@dataclass(frozen=True)
class Comparison:
    """The same orders under other content (`--against`): `before` is the other content, `after` the one served here.

    `orders_ours`, `orders_with_cards` and `cards` are those of the other content.
    """

    content_version: str
    orders_ours: int
    orders_with_cards: int
    cards: Mapping[str, int]
    orders_changed: int
    changes: tuple[Change, ...]  # the most frequent first


@dataclass(frozen=True)
class Undated:
    """What entries that cannot be placed in time do: each order that has some was judged with and without them.

    `before`: without them; `after`: with them, which is the answer that all other counts use.
    """

    orders_with_undated: int
    orders_changed: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class ExportRead:
    """What was read: files and bytes (as stored, compressed or not), lines by resource type. `exported_on`: the day to
    which the export is true. `missing_types`: resource types that the topic needs and the export has no file of.
    """

    files: int
    bytes: int
    lines: Mapping[str, int]
    exported_on: date
    missing_types: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """All numbers of a backtest.

    `first_day`, `last_day`: of the period, both included. `orders_seen`: orders placed in it; each is in exactly one of
    `orders_with_cards` and `silent`. `orders_ours`: those that the topic speaks about. `patients_seen`: patients in
    the export, or with an order in the period where it has no Patient. `cards` by key; `classes` by the class of a
    card; `indicators` by urgency; `silent` by reason, with `silent_words` in plain English. `unread`: what could not be
    used, by reason. `findings`: orders with cards that name something of this value set, by role and value set.
    `by_month` ("2025-03"), `by_category` (the order's category), `by_age_band`. `digest`: of all rows and the content
    version, whatever the number of workers.
    """

    service: str
    service_title: str
    program_version: str
    content_version: str
    digest: str
    first_day: date
    last_day: date
    orders_from: str
    export: ExportRead
    orders_seen: int
    orders_ours: int
    orders_with_cards: int
    patients_seen: int
    patients_with_cards: int
    cards: Mapping[str, int]
    classes: Mapping[str, int]
    indicators: Mapping[str, int]
    silent: Mapping[str, int]
    silent_words: Mapping[str, str]
    unread: Mapping[str, int]
    findings: Mapping[str, Mapping[str, int]]
    by_month: Mapping[str, Group]
    by_category: Mapping[str, Group]
    by_age_band: Mapping[str, Group]
    interruptions: Interruptions
    undated: Undated
    against: Comparison | None
    sample_orders: int
    sample_seed: int
    cards_off: tuple[str, ...] = field(default=())

    def per_1000_orders(self, count: int) -> float:
        """A count for each 1,000 orders placed in the period."""
        return 1000 * count / self.orders_seen if self.orders_seen else 0.0

    def per_1000_patients(self, count: int) -> float:
        """A count for each 1,000 patients."""
        return 1000 * count / self.patients_seen if self.patients_seen else 0.0


def as_json(summary: Summary) -> str:
    """summary.json: the members of Summary by their names, and the rates that follow from them."""
    members: dict[str, Any] = asdict(summary)
    members["cards_per_1000_orders"] = _rates(summary.cards, summary.per_1000_orders)
    members["cards_per_1000_patients"] = _rates(summary.cards, summary.per_1000_patients)
    weeks = summary.interruptions
    members["interruptions"] |= {
        "mean": round(weeks.mean, 4),
        "median": weeks.percentile(0.5),
        "percentile_95": weeks.percentile(0.95),
        "most": weeks.most,
    }
    return json.dumps(members, indent=2, default=date.isoformat, ensure_ascii=False) + "\n"


def _rates(counts: Mapping[str, int], rate: Any) -> dict[str, float]:
    return {key: round(rate(count), 3) for key, count in counts.items()}
