"""The report for a committee: one HTML file with figures."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

from markupsafe import Markup

from cds_service.committee_page import render_page
from cds_service.readable import count, day
from cds_service.report.counting.card_answers import MOST_LISTED, Reason
from cds_service.report.counting.committee import LOOK_FIRST_RULE
from cds_service.report.counting.tallies import TOO_FEW, rate
from cds_service.report.formats import sentences
from cds_service.report.formats.figures import draw_cards, draw_changes, draw_reasons, draw_weeks
from cds_service.report.ledger_report import BREAKDOWNS, LedgerReport
from cds_service.terminal import in_one_line

MOST_REASONS = 12  # more are summed up in one line; a client may send any code
_TEMPLATE = Path(__file__).with_name("report.html")


def as_html(report: LedgerReport, wanted: Collection[str] = BREAKDOWNS) -> str:
    """The whole page. `wanted`: which of the breakdowns get their table or section."""
    reasons, further = _top_reasons(report)
    return render_page(
        _TEMPLATE,
        {
            "count": count,
            "rate": sentences.rate_with_interval,
            "per_thousand": sentences.per_thousand,
            "ends": sentences.interval,
            "percent": sentences.percent,
            "duration": sentences.duration,
            "day": day,
            "moment": sentences.moment,
            "printable": in_one_line,
        },
        report=report,
        wanted=wanted,
        figures=_figures(report, wanted, reasons),
        reasons=reasons,
        further_reasons=further,
        caveats=sentences.caveats(report),
        rule=LOOK_FIRST_RULE,
        too_few=TOO_FEW,
        too_few_note=sentences.TOO_FEW_NOTE,
        when=sentences.days,
        most_listed=MOST_LISTED,
        share=rate,
        difference=sentences.difference_with_interval,
        verdict=sentences.verdict,
        is_whole_week=report.window.is_whole_week,
        mondays={group.key[0]: date.fromisoformat(group.key[0]) for group in report.groups.get("week", ())},
    )


def _top_reasons(report: LedgerReport) -> tuple[list[Reason], list[Reason]]:
    """The reasons that are listed, and those that are only counted."""
    reasons = report.all_reasons()
    return list(reasons[:MOST_REASONS]), list(reasons[MOST_REASONS:])


def _figures(report: LedgerReport, wanted: Collection[str], reasons: list[Reason]) -> dict[str, Markup]:
    """The figures that have something to show, as SVG."""
    drawn = {}
    if report.total.issued and "week" in wanted:
        drawn["weeks"] = draw_weeks(report.groups["week"], report.days_called, report.window)
    if report.total.answered:
        drawn["cards"] = draw_cards(report.readable_groups("card"), report.total.overridden_of_answered)
    if reasons:
        labeled = [(report.words.reason(reason), reason) for reason in reasons]
        drawn["reasons"] = draw_reasons(labeled, report.total.overridden)
    if any(change.difference is not None for change in report.changes):
        drawn["changes"] = draw_changes([(report.card_name(change), change) for change in report.changes])
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 - its texts were escaped as XML
