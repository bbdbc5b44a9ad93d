"""Writes report.html. It holds what `Summary` holds: no name, no text and no id of anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cds_service.backtest.results.html_report import figures, sentences
from cds_service.backtest.results.html_report.figures import Column
from cds_service.backtest.results.output import write_private
from cds_service.backtest.results.summary import Group, Summary
from cds_service.committee_page import render_page
from cds_service.readable import count, day
from cds_service.terminal import in_one_line

FILE_NAME = "report.html"
MOST_LISTED = 15  # findings, kinds of order and changes; what is left is summed up in one line
_TEMPLATE = Path(__file__).with_name("report.html")


def write_report(summary: Summary, folder: Path) -> None:
    """Write report.html into this folder, readable by its owner only."""
    write_private(folder / FILE_NAME, as_html(summary))


def as_html(summary: Summary) -> str:
    """The whole page."""
    return render_page(
        _TEMPLATE,
        {
            "count": count,
            "rate": sentences.rate,
            "percent": sentences.percent,
            "signed": sentences.signed,
            "day": day,
            "month": sentences.month,
            "words": sentences.words,
            "per_1000": sentences.per_1000,
            "printable": in_one_line,
            "most_frequent": figures.most_frequent,
        },
        summary=summary,
        headline=sentences.headline(summary),
        weeks_between=sentences.weeks_between(summary.interruptions) if summary.interruptions.mean else "",
        each_clinician=sentences.each_clinician(summary.interruptions),
        caveats=sentences.caveats(summary),
        unread=[(sentences.unread(why), number) for why, number in figures.most_frequent(summary.unread)],
        size=sentences.megabytes(summary.export.bytes),
        silent_ours=summary.orders_ours - summary.orders_with_cards,
        findings=_findings(summary),
        categories=_busiest(summary.by_category),
        months=figures.columns("months", "Orders with cards in each month", _months(summary)),
        bar=figures.bar,
        most_listed=MOST_LISTED,
    )


def _findings(summary: Summary) -> list[tuple[str, str, int]]:
    """What the cards name: role, value set and in how many orders, the most frequent first."""
    counted = [(role, name, number) for role, names in summary.findings.items() for name, number in names.items()]
    return sorted(counted, key=lambda finding: (-finding[2], finding[0], finding[1]))


def _busiest(groups: Mapping[str, Group]) -> list[tuple[str, Group]]:
    """The groups with the most orders with cards first."""
    return sorted(groups.items(), key=lambda item: (-item[1].orders_with_cards, -(item[1].orders_seen or 0), item[0]))


def _months(summary: Summary) -> list[Column]:
    names = {key: sentences.month(key) for key in summary.by_month}
    return [
        Column(names[key][:3], names[key], group.orders_with_cards) for key, group in sorted(summary.by_month.items())
    ]
