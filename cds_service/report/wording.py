"""Numbers and sentences as a reader meets them, the same in the terminal and in HTML."""

from __future__ import annotations

from cds_service.report.committee import Change
from cds_service.report.ledger_report import LedgerReport
from cds_service.report.tallies import TOO_FEW, Rate

VERDICTS = {
    "too-few": "too few to judge",
    "fell": "fell",
    "rose": "rose",
    "unclear": "no clear change",
}


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def percent(share: float) -> str:
    """62.3%."""
    return f"{100 * share:.1f}%"


def rate_with_interval(found: Rate | None) -> str:
    """62.3% (61.9 to 62.7), and whether that is too few to judge."""
    if found is None:
        return "–"
    ends = f"{100 * found.low:.1f} to {100 * found.high:.1f}"
    return f"{percent(found.value)} ({ends}){', too few to judge' if found.too_few else ''}"


def duration(seconds: float | None) -> str:
    """12 s, 3 min, 4.5 h or 2.1 days."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    unit, length = ("min", 60) if seconds < 7_200 else ("h", 3_600) if seconds < 172_800 else ("days", 86_400)
    return f"{seconds / length:.{0 if seconds >= 10 * length else 1}f} {unit}"


def points(share: float) -> str:
    """A difference of rates in percentage points, signed: −6.0."""
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


def difference_with_interval(change: Change) -> str:
    """−6.0 (−8.1 to −3.9) percentage points."""
    if change.difference is None or change.low is None or change.high is None:
        return "–"
    return f"{points(change.difference)} ({points(change.low)} to {points(change.high)})"


def verdict(change: Change) -> str:
    """What the difference says, and what to beware of."""
    said = VERDICTS[change.verdict]
    if change.verdict in ("fell", "rose") and change.intervals_overlap:
        said += ", though the intervals of the two rates overlap"
    if change.side_by_side:
        said += "; both versions were shown at the same time, so sites may differ, too"
    return said


def caveats(report: LedgerReport) -> list[str]:
    """What a reader has to know before any number is believed; sentences without markup."""
    total, timing = report.total, report.timing
    said = [
        f"Unanswered does not mean ignored: an EHR need not send feedback. {count(total.unanswered)} of "
        f"{count(total.issued)} cards have none. So rates are given over answered cards; over all cards shown they are "
        "the least they can be."
    ]
    said += [
        f"{one.client} has never sent any feedback; {count(one.issued)} cards were shown there."
        for one in report.mute_clients
    ]
    days = [day for day in report.window.days() if day not in report.calls_by_day]
    if not report.calls.answered:
        said.append("No calls were counted in this period, so there is no firing rate.")
    elif days:
        said.append(f"{_days(len(days))} of {len(report.window.days())} without any call.")
    odd = sum(one.cards for one in report.foreign)
    if odd:
        who = ", ".join(one.client for one in report.foreign if one.cards)
        said.append(f"{count(odd)} entries of feedback are about cards not known as issued to that client ({who}).")
    strange = sum(one.suggestions for one in report.foreign)
    if strange:
        said.append(f"{count(strange)} suggestions were reported as taken that their card did not offer.")
    if timing.changed:
        said.append(f"{count(timing.changed)} cards were both accepted and overridden; they count as accepted.")
    if timing.too_early or timing.too_late or timing.at_once:
        said.append(
            f"Clocks differ: {count(timing.too_early)} cards were answered over a minute before they were shown and "
            f"{count(timing.too_late)} over seven days after; their times are left out. {count(timing.at_once)} were "
            "answered up to a minute before, which counts as at once."
        )
    quiet = sum(one.cards for one in report.silenced)
    if quiet:
        said.append(f"{count(quiet)} cards were due and kept quiet, as their clients ask; they count as not shown.")
    return said


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def too_few_note() -> str:
    """Why some rates are not judged."""
    return f"Rates on fewer than {TOO_FEW} cards are shown and not judged."
