"""Numbers and sentences as a reader meets them, the same in the terminal and in HTML."""

from __future__ import annotations

from datetime import datetime

from cds_service.cds_hooks.silencing import SILENT_CLIENT
from cds_service.readable import count, day
from cds_service.report.counting.calls import ModeSpan
from cds_service.report.counting.card_counts import Timing
from cds_service.report.counting.committee import Change
from cds_service.report.counting.tallies import TOO_FEW, Rate
from cds_service.report.ledger_report import LedgerReport
from cds_service.terminal import in_one_line

TOO_FEW_MARK = "*"
TOO_FEW_NOTE = f"A rate with {TOO_FEW_MARK} rests on fewer than {TOO_FEW}, which is too few to judge."
VERDICTS = {
    "too-few": "too few to judge",
    "fell": "fell",
    "rose": "rose",
    "unclear": "no clear change",
}


def percent(share: float) -> str:
    """62.3%."""
    return f"{100 * share:.1f}%"


def rate_with_interval(share: Rate | None) -> str:
    """62.3% (61.9 to 62.7), with TOO_FEW_MARK where that is too few to judge."""
    if share is None:
        return "–"
    return _unbroken(f"{percent(share.value)} ({interval(share)})" + (f" {TOO_FEW_MARK}" if share.too_few else ""))


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def interval(share: Rate) -> str:
    """61.9 to 62.7, in percent."""
    return f"{100 * share.low:.1f} to {100 * share.high:.1f}"


def duration(seconds: float | None) -> str:
    """12 s, 3 min, 4.5 h or 2.1 days."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return _unbroken(f"{seconds:.0f} s")
    unit, length = ("min", 60) if seconds < 7_200 else ("h", 3_600) if seconds < 172_800 else ("days", 86_400)
    return _unbroken(f"{seconds / length:.{0 if seconds >= 10 * length else 1}f} {unit}")


def points(share: float) -> str:
    """A difference of rates in percentage points, signed: −6.0."""
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}") if round(1000 * share) else "0.0"


def difference_with_interval(change: Change) -> str:
    """−6.0 (−8.1 to −3.9) percentage points."""
    if change.difference is None or change.low is None or change.high is None:
        return "–"
    return _unbroken(f"{points(change.difference)} ({points(change.low)} to {points(change.high)})")


def verdict(change: Change) -> str:
    """What a change of content did to the override rate, with the caveats."""
    words = VERDICTS[change.verdict]
    if change.verdict in ("fell", "rose") and change.intervals_overlap:
        words += ", though the intervals of the two rates overlap"
    if change.side_by_side:
        words += "; both versions were shown at the same time, so sites may differ, too"
    return words


def caveats(report: LedgerReport) -> list[str]:
    """What a reader has to know before any number is believed; sentences without markup."""
    total = report.total
    lines = [
        "Unanswered does not mean ignored: EHRs need not send feedback. So rates are of answered cards; the rate of "
        f"all cards shown is a lower bound. Cards without an answer: {count(total.unanswered)} of "
        f"{count(total.issued)}."
    ]
    lines += [
        f"{in_one_line(client.client)} has never sent any feedback. Cards shown there: {count(client.issued)}."
        for client in report.mute_clients
    ]
    if total.issued and not report.calls.cards:
        lines.append("The calls of these cards are not counted yet: a running service stores counts once a minute.")
    elif not report.call_groups:
        lines.append("No calls were counted in this period, so there is no firing rate.")
    elif without := [day for day in report.window.days() if day not in report.days_called]:
        lines.append(f"Days without any call: {count(len(without))} of {count(len(report.window.days()))}.")
    if report.call_groups and report.window.until >= report.made_at:
        lines.append(
            "A running service adds its counts of calls to the database every half minute, so the latest calls may be "
            "missing. Cards are not."
        )
    if report.call_groups and report.services_counted_since > report.window.since:
        lines.append(
            f"Calls are counted by service from {day(report.services_counted_since)} on: the firing rate of a single "
            "card is from then on."
        )
    counts = {
        _foreign(report): sum(feedback.cards for feedback in report.foreign),
        "Suggestions reported as taken that their card did not offer": sum(
            feedback.suggestions for feedback in report.foreign
        ),
        **_clocks(report.timing),
        "Cards silenced by settings of the client or the site, which count as not shown": sum(
            silenced.cards for silenced in report.silenced if silenced.cause != SILENT_CLIENT
        ),
        "Cards that silent clients would have shown, counted separately": sum(
            silenced.cards for silenced in report.silenced if silenced.cause == SILENT_CLIENT
        ),
    }
    lines += [f"{what}: {count(number)}." for what, number in counts.items() if number]
    return lines


def _foreign(report: LedgerReport) -> str:
    who = ", ".join(in_one_line(feedback.client) for feedback in report.foreign if feedback.cards)
    return f"Feedback entries about cards that were not issued to that client ({who}); not in any rate"


def _clocks(timing: Timing) -> dict[str, int]:
    """Answers that contradict each other, and clocks that differ from ours."""
    return {
        "Cards both accepted and overridden, which count as accepted": timing.changed,
        "Cards answered over a minute before they were shown, by the client's clock; their times are left out": (
            timing.too_early
        ),
        "Cards answered up to a minute before they were shown, counted as immediate": timing.at_once,
        "Cards answered over seven days after they were shown; their times are left out": timing.too_late,
    }


def mode_spans(report: LedgerReport, mode: str) -> str:
    """Which clients are or were in a mode, and when: general-hospital since October 1, 2026; none."""
    spans = [span for span in report.mode_spans if span.mode == mode]
    return "; ".join(f"{in_one_line(span.client)} {days(span)}" for span in spans) or "none"


def days(span: ModeSpan) -> str:
    """October 1, 2026 to October 3, 2026; since October 1, 2026, where it goes on."""
    if span.goes_on:
        return f"since {day(span.first_day)}"
    return day(span.first_day) if span.first_day == span.last_day else f"{day(span.first_day)} to {day(span.last_day)}"


def per_thousand(share: Rate | None) -> str:
    """14.32 (14.01 to 14.63): of a thousand, with its interval; for rates that are small as percentages."""
    if share is None:
        return "–"
    mark = f" {TOO_FEW_MARK}" if share.too_few else ""
    return _unbroken(f"{1000 * share.value:.2f} ({1000 * share.low:.2f} to {1000 * share.high:.2f}){mark}")


def moment(when: datetime) -> str:
    """October 1, 2026, 09:30 UTC."""
    return f"{day(when)}, {when:%H:%M} UTC"
