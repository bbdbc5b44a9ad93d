"""Numbers and sentences of the report, in plain words."""

from __future__ import annotations

from datetime import date

from cds_service.backtest.results.summary import Group, Interruptions, Summary
from cds_service.readable import count, day

MINUS = "\N{MINUS SIGN}"
_UNREAD = {
    "line-not-json": "lines that are not valid JSON",
    "line-of-another-type": "lines of another resource type than their file",
    "file-damaged": "compressed files that end too early or are damaged",
    "order-unreadable": "orders that cannot be read",
    "order-without-date": "orders without a usable date, so that nobody can say whether they belong to the period",
    "order-without-id": "orders without an id",
    "order-without-patient": "orders that do not name their patient",
    "order-twice": "orders that are in the export again; each was counted once",
    "patient-without-chart": "patients with such an order, about whom the export contains nothing else",
}
_UNREAD_ENTRIES = {
    "no code": "without a code or words that can be read",
    "not a resource": "that cannot be read",
    "patient not resolved": "whose patient is not named clearly",
}


def rate(number: float) -> str:
    """123, 12.3, 1.23 or 0.12; what is less than a hundredth is said so."""
    if 0 < number < 0.01:
        return "under 0.01"
    return f"{number:,.0f}" if number >= 100 or number == 0 else f"{number:.{1 if number >= 10 else 2}f}"


def percent(share: float) -> str:
    """62.3%; never 0% or 100% where it is neither."""
    if 0 < share < 0.0005:
        return "under 0.1%"
    if 0.9995 <= share < 1:
        return "over 99.9%"
    return f"{100 * share:.1f}%"


def signed(number: float) -> str:
    """+12, −3 or 0."""
    return f"{number:+,.0f}".replace("-", MINUS) if round(number) else "0"


def month(key: str) -> str:
    """ "2025-03" as "March 2025"."""
    return f"{date.fromisoformat(f'{key}-01'):%B %Y}"


def words(key: str) -> str:
    """A key of the content as words: "what-to-expect" as "what to expect"."""
    return key.replace("-", " ")


def megabytes(size: int) -> str:
    """A size in MB or GB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def unread(reason: str) -> str:
    """Why something was not used."""
    resource_type, _, why = reason.partition(": ")
    if why in _UNREAD_ENTRIES:
        return f"{resource_type} entries {_UNREAD_ENTRIES[why]}"
    return _UNREAD.get(reason, reason)


def headline(summary: Summary) -> str:
    """The answer to the first question, in one sentence."""
    period = f"from {day(summary.first_day)} to {day(summary.last_day)}"
    if not summary.orders_seen:
        return f"The export has no order {period}: there is nothing to judge."
    if not summary.orders_with_cards:
        return f"None of the {count(summary.orders_seen)} orders placed {period} would have shown a card."
    every = summary.orders_seen / summary.orders_with_cards
    how_often = f"about one in {count(round(every))}" if every >= 2 else f"{percent(1 / every)} of them"
    return (
        f"Of {count(summary.orders_seen)} orders placed {period}, {count(summary.orders_with_cards)} would have "
        f"interrupted a clinician with a card: {how_often}."
    )


def each_clinician(weeks: Interruptions) -> str:
    """How often one clinician is interrupted."""
    if not weeks.clinician_weeks:
        return "The export does not say who placed the orders, so what one clinician would have seen is not known."
    if not weeks.mean:
        return f"None of {count(weeks.clinicians)} clinicians would have been interrupted."
    often = f"{rate(weeks.mean)} times in a week" if weeks.mean >= 1 else f"once in {weeks_between(weeks)} weeks"
    none = weeks.by_count.get(0, 0) / weeks.clinician_weeks
    worst = "once" if weeks.most == 1 else f"{count(weeks.most)} times"
    return (
        f"A clinician would have been interrupted {often} on average: not at all in {percent(none)} of the weeks, and "
        f"{worst} in the worst."
    )


def weeks_between(weeks: Interruptions) -> str:
    """How many weeks of work there are to one interruption, where there is less than one a week."""
    between = 1 / weeks.mean
    return count(round(between)) if between >= 10 else f"{between:.1f}"


def per_1000(group: Group) -> str:
    """Orders with cards for each 1,000 orders of a group; a dash where the orders were not counted."""
    if not group.orders_seen:
        return "–"
    return rate(1000 * group.orders_with_cards / group.orders_seen)


def caveats(summary: Summary) -> list[str]:
    """What a reader has to know before any number is believed."""
    export = day(summary.export.exported_on)
    lines = [
        "Every order was judged on the day it was placed, with what the chart held by then. What was recorded later is "
        "hidden.",
        f"A status is that of the export ({export}), not that of the day of the order: the export keeps no earlier "
        "one. An end date in the chart is respected.",
        _undated(summary),
        "Each order was judged alone. In the EHR, orders that are signed together come together, and drafts that were "
        "never signed count, too.",
        "No client’s quiet periods or limits were applied: they can only make it less.",
        "How often is not how well. Whether the cards are right, only clinicians who read charts can say: see "
        "“What to do next”.",
    ]
    if summary.orders_from == "Procedure":
        lines.insert(
            0,
            "The export has no orders, so each Procedure stands for the order it came of, on the day it was done. "
            "Orders that were never carried out, and the reasons of most, are missing.",
        )
    if missing := summary.export.missing_types:
        lines.insert(0, f"The export has no {', '.join(missing)}. Live, the service would know more.")
    if without := summary.interruptions.orders_without_clinician:
        lines.append(
            f"Orders with cards that do not say who placed them, and so are in no clinician’s week: {count(without)}."
        )
    if summary.cards_off:
        lines.append(f"Turned off at this site, and so not counted: {', '.join(summary.cards_off)}.")
    return lines


def _undated(summary: Summary) -> str:
    undated = summary.undated
    if not undated.orders_with_undated:
        return "No order depends on an entry without a date."
    differ = (
        f"in {count(undated.orders_changed)} of them the answer differs; all numbers here are those with the entries."
        if undated.orders_changed
        else "the answer was always the same."
    )
    return (
        f"{_orders(undated.orders_with_undated)} met entries that cannot be placed before or after the order. Each was "
        f"judged with and without them: {differ}"
    )


def _orders(number: int) -> str:
    return "One order" if number == 1 else f"{count(number)} orders"
