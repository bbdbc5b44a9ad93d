"""The figures of the HTML report, narrow enough for a phone, readable without color.

Overridden is always the darkest and hatched, accepted is lighter, unanswered an outline. The numbers are in the tables.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cds_service.readable import count
from cds_service.report.counting.card_answers import Reason
from cds_service.report.counting.committee import Change
from cds_service.report.counting.tallies import Group, Rate, Tally, rate
from cds_service.report.counting.window import Window, monday_of
from cds_service.report.formats.sentences import percent, points
from cds_service.report.formats.svg import COLORS, as_svg, settings

_WIDTH = 5.3  # inches, of 72 units each
_SMALL, _TEXT = 9.5, 10.5
_WRAP = 58  # characters of a label above its bar
_INK, _MUTED, _LINE, _PAPER = (COLORS[name] for name in ("ink", "muted", "line", "paper"))
_POINT, _ACCEPTED, _OVERRIDDEN = (COLORS[name] for name in ("point", "accepted", "overridden"))
_UNANSWERED = COLORS["unanswered"]
_HATCH = "//////"


def draw_weeks(weeks: Sequence[Group], called: Collection[date], window: Window) -> str:
    """Cards of each week by outcome, days without any call, and the override rate of each week."""
    first = monday_of(window.since)
    mondays = [first + timedelta(weeks=number) for number in range((window.last_day - first).days // 7 + 1)]
    by_monday = {group.key[0]: group.tally for group in weeks}
    tallies = [by_monday.get(monday.isoformat(), Tally()) for monday in mondays]
    with _drawn(4.0) as figure:
        figure.get_layout_engine().set(h_pad=0.09)  # type: ignore[union-attr, call-arg]
        bars, strip, rates = figure.subplots(3, 1, sharex=True, height_ratios=(10, 0.8, 6))
        _stack(bars, tallies)
        _mark_days(strip, first, called, window)
        _rate_line(rates, tallies)
        _date_axis(rates, mondays)
        silent = [day for day in window.days() if day not in called]
        shown = [tally.issued for tally in tallies]
        description = (
            f"{len(mondays)} weeks. {count(sum(shown))} cards shown; the busiest week had {count(max(shown))}, the "
            f"quietest {count(min(shown))}. {len(silent)} days had no call. The table has each week."
        )
        return as_svg(
            figure, "weeks", "Cards shown each week, and how many of those answered were overridden", description
        )


def draw_cards(cards: Sequence[Group], overall: Rate | None) -> str:
    """The override rate of each card with its interval, beside that of all cards."""
    rows = [(group.label, share) for group in cards if (share := group.tally.overridden_of_answered)]
    rows.sort(key=lambda row: row[1].value)
    with _drawn(0.95 + 0.42 * max(len(rows), 1)) as figure:
        axes = figure.subplots()
        for place, (_, share) in enumerate(rows):
            _whisker(axes, place, share.value, share.low, share.high, share.too_few)
            axes.text(1.04, place, f"n = {count(share.whole)}", va="center", fontsize=_SMALL, color=_MUTED)
        if overall:
            axes.axvline(overall.value, color=_MUTED, linestyle=(0, (4, 3)), linewidth=1, zorder=0)
            beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            top = (overall.value, len(rows) - 0.4)
            axes.annotate("all cards", top, fontsize=_SMALL, color=_MUTED, backgroundcolor=_PAPER, **beside)  # type: ignore[arg-type]
        _rows(axes, [label for label, _ in rows])
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:.0f}%"))
        axes.set_xlabel("overridden, of answered cards", fontsize=_TEXT, color=_INK)
        description = "; ".join(f"{label} {percent(share.value)}" for label, share in reversed(rows)) or "No answers."
        return as_svg(figure, "cards", "Override rate of each card, with its 95% interval", description)


def draw_reasons(reasons: Sequence[tuple[str, Reason]], overridden: int) -> str:
    """How many overridden cards each reason was given for. `reasons`: with their words, the most frequent first."""
    rows = [(textwrap.wrap(words, _WRAP), reason.cards) for words, reason in reasons]
    with _drawn(0.25 + sum(0.42 + 0.17 * len(words) for words, _ in rows)) as figure:
        axes = figure.subplots()
        most = max((cards for _, cards in rows), default=1)
        top = 0.0
        for lines, cards in rows:
            label_height = 0.17 * len(lines)
            axes.text(0, top - label_height / 2 - 0.04, "\n".join(lines), va="center", fontsize=_TEXT, color=_INK)
            middle = top - label_height - 0.16
            style = {"facecolor": _OVERRIDDEN, "edgecolor": _PAPER, "hatch": _HATCH, "linewidth": 0}
            axes.barh(middle, cards, height=0.18, **style)  # type: ignore[arg-type]
            share = rate(cards, overridden)
            words = f"{count(cards)}  ({percent(share.value)})" if share else count(cards)
            axes.text(cards + most * 0.015, middle, words, va="center", fontsize=_SMALL, color=_MUTED)
            top -= label_height + 0.42
        axes.set_xlim(0, most * 1.22)
        axes.set_ylim(min(top, -0.1), 0)
        axes.set_axis_off()
        description = "; ".join(f"{' '.join(lines)}: {count(cards)}" for lines, cards in rows)
        return as_svg(figure, "reasons", "Reasons given for overriding, by number of cards", description)


def draw_changes(changes: Sequence[tuple[str, Change]]) -> str:
    """How the override rate of each card changed with the content. `changes`: with the names of their cards."""
    rows = [(name, change) for name, change in reversed(changes) if change.difference is not None]
    row_height = 0.42 if any(" / " in name for name, _ in rows) else 0.31  # labels of two lines, or of one
    with _drawn(0.95 + row_height * max(len(rows), 1)) as figure:
        axes = figure.subplots()
        for place, (_, change) in enumerate(rows):
            if change.difference is not None and change.low is not None and change.high is not None:
                color = _POINT if change.verdict in ("fell", "rose") else _MUTED
                _whisker(axes, place, change.difference, change.low, change.high, change.verdict == "too-few", color)
        axes.axvline(0, color=_INK, linewidth=1, zorder=0)
        _rows(axes, [f"{name}, {change.after.content_version[:7]}" for name, change in rows])
        reach = max((abs(end) for _, change in rows for end in (change.low or 0, change.high or 0)), default=0.1) * 1.1
        axes.set_xlim(-reach, reach)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda part, _: points(part).removesuffix(".0")))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        label = "← fewer overrides | percentage points | more overrides →"
        axes.set_xlabel(label, fontsize=_TEXT, color=_INK, loc="right")  # it is longer than the axis
        described = (
            f"{name} in {change.after.content_version}: {points(change.difference or 0)}" for name, change in rows
        )
        return as_svg(
            figure, "changes", "Change of the override rate with each change of content", "; ".join(described)
        )


@contextmanager
def _drawn(height: float) -> Iterator[Figure]:
    """A figure of so many inches, under our settings."""
    with matplotlib.rc_context(settings()):  # type: ignore[arg-type]
        yield Figure(figsize=(_WIDTH, height), layout="constrained")


def _stack(axes: Axes, tallies: Sequence[Tally]) -> None:
    places = range(len(tallies))
    below = [0] * len(tallies)
    styles = (
        ("overridden", _OVERRIDDEN, {"hatch": _HATCH, "edgecolor": _PAPER, "linewidth": 0}),
        ("accepted", _ACCEPTED, {"edgecolor": _PAPER, "linewidth": 0.4}),
        ("unanswered", _UNANSWERED, {"edgecolor": _MUTED, "linewidth": 0.4}),
    )
    for name, color, style in styles:
        heights = [int(getattr(tally, name)) for tally in tallies]
        label = "no answer" if name == "unanswered" else name
        axes.bar(places, heights, 0.84, bottom=below, color=color, label=label, **style)  # type: ignore[arg-type]
        below = [low + more for low, more in zip(below, heights, strict=True)]
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=_TEXT, handlelength=1.2
    )
    for text in legend.get_texts():
        text.set_color(_INK)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: count(int(number))))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("cards a week", fontsize=_TEXT, color=_INK)
    _plain(axes)


def _mark_days(axes: Axes, first: date, called: Collection[date], window: Window) -> None:
    """A strip of days: a dark mark is a day on which no client called."""
    for color, has_call in ((_LINE, True), (_INK, False)):
        days = [(day - first).days for day in window.days() if (day in called) is has_call]
        axes.broken_barh([(day / 7 - 0.5, 1 / 7) for day in days], (0, 1), facecolor=color, linewidth=0)
    axes.set_ylim(0, 1)
    axes.set_ylabel("no calls", rotation=0, ha="right", va="center", fontsize=_SMALL, color=_INK)
    axes.set_yticks([])
    _plain(axes)
    axes.spines["bottom"].set_visible(False)


def _rate_line(axes: Axes, tallies: Sequence[Tally]) -> None:
    for place, tally in enumerate(tallies):
        share = tally.overridden_of_answered
        if share:
            hollow = share.too_few
            axes.plot([place, place], [share.low, share.high], color=_POINT, linewidth=1.4, solid_capstyle="butt")
            axes.plot(
                place, share.value, "o", markersize=3.6, color=_PAPER if hollow else _POINT, markeredgecolor=_POINT
            )
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:.0f}%"))
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("overridden", fontsize=_TEXT, color=_INK)
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    _plain(axes)


def _date_axis(axes: Axes, mondays: Sequence[date]) -> None:
    step = max(1, -(-len(mondays) // 5))
    places = range(0, len(mondays), step)
    axes.set_xticks(list(places), [f"{mondays[place]:%d %b}\n{mondays[place]:%Y}" for place in places])
    axes.tick_params(axis="x", pad=9)
    axes.set_xlim(-0.7, len(mondays) - 0.3)


def _whisker(axes: Axes, place: int, value: float, low: float, high: float, hollow: bool, color: str = _POINT) -> None:
    """A point with its interval; hollow where there are too few to judge."""
    strong = color == _POINT
    axes.plot([low, high], [place, place], color=color, linewidth=2.4 if strong else 1.2, solid_capstyle="butt")
    inside = _PAPER if hollow else color
    size = 7 if strong else 5.5
    axes.plot(value, place, "o", markersize=size, color=inside, markeredgecolor=color, clip_on=False)  # whole at 100%


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [label.replace(" / ", " /\n") for label in labels])
    axes.set_ylim(-0.6, max(len(labels), 1) - 0.4 + 0.25)
    axes.grid(axis="x", color=_LINE, linewidth=0.8)
    _plain(axes)


def _plain(axes: Axes) -> None:
    """Only what says something: no frame, no tick marks."""
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=_TEXT, labelcolor=_INK)
    for side, edge in axes.spines.items():
        edge.set_visible(side == "bottom")
        edge.set_color(_MUTED)
