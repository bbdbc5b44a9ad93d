"""One breakdown for the terminal: first the answers for a committee, then the table, then the caveats."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cds_service.clients.clients_file import Mode
from cds_service.readable import count
from cds_service.report.counting.tallies import Group, Tally, rate
from cds_service.report.formats.sentences import (
    TOO_FEW_MARK,
    TOO_FEW_NOTE,
    caveats,
    duration,
    mode_spans,
    percent,
    rate_with_interval,
)
from cds_service.report.ledger_report import LedgerReport
from cds_service.terminal import in_one_line

_HEADS = {
    "service": "service",
    "card": "card",
    "week": "week from (Monday)",
    "client": "client",
    "tenant": "client / tenant",
    "content-version": "content version",
}
_FIRING_COLUMN = "of 1,000 calls"
_COLUMNS = ("shown", "accepted", "overridden", "no answer", "overridden of answered (95%)", "of shown", "median time")
_OFFER_COLUMNS = ("offered", "taken", "accepted without", "overridden", "no answer", "taken of answered (95%)")


def as_table(report: LedgerReport, breakdown: str, width: int) -> str:
    """One breakdown as text of at most `width` columns, without colors."""
    written = io.StringIO()
    console = Console(file=written, width=width, color_system=None, highlight=False)
    for line in _head(report):
        console.print(Text(line))
    tables = {"reason": _reasons, "suggestion": _suggestions}
    console.print(tables[breakdown](report) if breakdown in tables else _groups(report, breakdown))
    lines = caveats(report)
    if TOO_FEW_MARK in written.getvalue():
        lines.append(TOO_FEW_NOTE)
    for line in lines:
        console.print(Text(f"- {line}"))
    text = written.getvalue().replace("\N{NO-BREAK SPACE}", " ")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _head(report: LedgerReport) -> Iterator[str]:
    window, total, calls = report.window, report.total, report.calls
    yield f"{', '.join(report.services)}: what happened to the cards"
    yield f"{window.since} to {window.until:%Y-%m-%d %H:%M} UTC; content {_versions(report)}; made by {report.made_by}"
    yield ""
    firing = rate_with_interval(calls.firing)
    yield f"Firing rate    {firing} of {count(calls.answered)} calls got a card"
    if report.has_silent_clients:
        silent = report.silent_calls
        would = rate_with_interval(silent.firing)
        yield f"Silent clients {would} of {count(silent.answered)} calls would have got a card; nobody saw one"
        for mode in Mode:
            yield f"{mode.capitalize():<14} {mode_spans(report, mode)}"
    override = rate_with_interval(total.overridden_of_answered)
    yield f"Override rate  {override} of {count(total.answered)} answered cards; {count(total.issued)} were shown"
    reasons = [f"{report.words.reason(reason)} ({count(reason.cards)})" for reason in report.all_reasons()[:3]]
    yield f"Top reasons    {'; '.join(reasons) or 'none'}"
    standard = [
        f"{in_one_line(reason.code or 'none given')} ({count(reason.cards)})"
        for reason in report.standard_reasons()[:3]
    ]
    yield f"By HL7 code    {'; '.join(standard) or 'none'}"
    first = next(iter(report.candidates), None)
    if first:
        answered = f"{rate_with_interval(first.rate)} of {count(first.rate.whole)} answered cards"
        yield f"Look first at  {report.card_name(first)}: overridden {answered}"
    else:
        yield "Look first at  no card: too few answers to judge"
    overridden = count(sum(group.tally.overridden for group in report.never_silenced))
    shown = count(sum(group.tally.issued for group in report.never_silenced))
    title = report.words.never_silenced_title
    yield f"{title:<14} {overridden} overridden of {shown} shown: a safety matter, listed in html and json"
    if report.words.switched_off:
        off = ", ".join(f"{service}/{card}" for service, card in sorted(report.words.switched_off))
        yield f"Turned off     {off}: by this site (CDS_CARDS_OFF), never shown"
    yield ""


def _versions(report: LedgerReport) -> str:
    return ", ".join(version.content_version for version in report.versions) or "none"


def _groups(report: LedgerReport, breakdown: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="none")
    table.add_column(_HEADS[breakdown], overflow="fold")
    by_card = breakdown == "card"
    for name in (*_COLUMNS, *([_FIRING_COLUMN] if by_card else [])):
        table.add_column(name, justify="right")
    names = [Text(group.label) for group in report.readable_groups(breakdown)]
    for label, group in zip(names, report.groups[breakdown], strict=True):
        table.add_row(label, *_cells(group.tally), *([_firing(report, group)] if by_card else []))
    table.add_row("all", *_cells(report.total))
    return table


def _firing(report: LedgerReport, group: Group) -> str:
    share = report.firing(*group.key).visible
    return f"{1000 * share.value:.2f}" if share else "–"


def _cells(tally: Tally) -> Iterator[str]:
    yield from map(count, (tally.issued, tally.accepted, tally.overridden, tally.unanswered))
    yield rate_with_interval(tally.overridden_of_answered)
    yield percent(tally.overridden_of_issued.value) if tally.overridden_of_issued else "–"
    yield duration(tally.median_action_s)


def _reasons(report: LedgerReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="none")
    table.add_column("reason", overflow="fold")
    table.add_column("overridden", justify="right")
    table.add_column("of all overridden (95%)", justify="right")
    total = report.total.overridden
    for reason in report.all_reasons():
        share = rate_with_interval(rate(reason.cards, total))
        table.add_row(Text(report.words.reason(reason)), count(reason.cards), share)
    return table


def _suggestions(report: LedgerReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="none")
    for name in ("card", "suggestion"):
        table.add_column(name, overflow="fold")
    for name in _OFFER_COLUMNS:
        table.add_column(name, justify="right")
    for row in report.suggestions:
        counts = (row.offered, row.taken, row.accepted_without, row.overridden, row.unanswered)
        taken = rate_with_interval(row.taken_of_answered)
        table.add_row(Text(report.card_name(row)), Text(in_one_line(row.suggestion)), *map(count, counts), taken)
    return table
