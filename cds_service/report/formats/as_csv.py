"""One breakdown for spreadsheets: a table with a header row, units in the names, rates from 0 to 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from cds_service.report.counting.card_answers import Reason, Suggestion
from cds_service.report.counting.tallies import TOO_FEW, Group, Rate, Tally, rate
from cds_service.report.formats.as_json import KEY_NAMES, group_key
from cds_service.report.ledger_report import LedgerReport

_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")  # a cell that begins so may be taken for a formula (OWASP)

_FIRING = "firing_rate_of_calls"

Cell = str | int | float | None


def as_csv(report: LedgerReport, breakdown: str) -> str:
    """One breakdown as CSV (RFC 4180). What a client named cannot become a formula: it is led by an apostrophe."""
    rows: list[Mapping[str, Cell]]
    head: Mapping[str, Cell]
    if breakdown == "reason":
        total = report.total.overridden
        rows = [_reason_row(reason, report, total) for reason in report.all_reasons()]
        head = _reason_row(Reason("", "", None, None, False, 0), report, 0)
    elif breakdown == "suggestion":
        rows = [_suggestion_row(suggestion) for suggestion in report.suggestions]
        head = _suggestion_row(Suggestion("", "", "", 0, 0, 0, 0, 0))
    else:
        groups = report.groups[breakdown]
        rows = [{**group_key(breakdown, group), **_tally_row(group.tally)} for group in groups]
        head = dict.fromkeys((*KEY_NAMES[breakdown], *_tally_row(Tally())))
        if breakdown == "card":
            rows = [{**row, **_firing_cells(report, group)} for row, group in zip(rows, groups, strict=True)]
            head = {**head, **_rate_cells(_FIRING, None)}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row.values()] for row in rows)
    return text.getvalue()


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_COMPUTED) else cell


def _tally_row(tally: Tally) -> dict[str, Cell]:
    return {
        "issued_cards": tally.issued,
        "answered_cards": tally.answered,
        "accepted_cards": tally.accepted,
        "overridden_cards": tally.overridden,
        "unanswered_cards": tally.unanswered,
        **_rate_cells("override_rate_of_answered", tally.overridden_of_answered),
        **_rate_cells("acceptance_rate_of_answered", tally.accepted_of_answered),
        **_rate_cells("override_rate_of_issued", tally.overridden_of_issued),
        **_rate_cells("acceptance_rate_of_issued", tally.accepted_of_issued),
        "too_few_answers_to_judge": "yes" if tally.answered < TOO_FEW else "no",
        "median_time_to_action_s": tally.median_action_s,
    }


def _firing_cells(report: LedgerReport, group: Group) -> dict[str, Cell]:
    return _rate_cells(_FIRING, report.firing(*group.key).visible)


def _reason_row(reason: Reason, report: LedgerReport, overridden: int) -> Mapping[str, Cell]:
    return {
        "reason": report.words.reason(reason),
        "reason_system": reason.system,
        "reason_code": reason.code,
        "offered_by_the_card": "no" if reason.foreign else "yes",
        "overridden_cards": reason.cards,
        **_rate_cells("share_of_overridden", rate(reason.cards, overridden)),
    }


def _suggestion_row(suggestion: Suggestion) -> Mapping[str, Cell]:
    return {
        "service": suggestion.service,
        "card": suggestion.card,
        "suggestion": suggestion.suggestion,
        "offered": suggestion.offered,
        "taken": suggestion.taken,
        "card_accepted_without_it": suggestion.accepted_without,
        "card_overridden": suggestion.overridden,
        "unanswered": suggestion.unanswered,
        **_rate_cells("taken_rate_of_answered", suggestion.taken_of_answered),
        **_rate_cells("taken_rate_of_offered", suggestion.taken_of_offered),
    }


def _rate_cells(name: str, share: Rate | None) -> dict[str, Cell]:
    return {
        name: round(share.value, 4) if share else None,
        f"{name}_low_95": round(share.low, 4) if share else None,
        f"{name}_high_95": round(share.high, 4) if share else None,
    }
