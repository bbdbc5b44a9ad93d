"""The report for machines. The keys are documented in docs/report.md; FORMAT_VERSION changes when one changes meaning.

Times are ISO 8601 in UTC, rates numbers from 0 to 1 with the ends of their 95% interval.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cds_service.report.calls import Calls
from cds_service.report.committee import LOOK_FIRST_RULE, Candidate, Change
from cds_service.report.ledger_report import BREAKDOWNS, LedgerReport, Words
from cds_service.report.questions import Reason, RedFlagOverride, Suggestion
from cds_service.report.tallies import Group, Rate, Tally, rate

FORMAT_VERSION = 1
KEY_NAMES = {
    "card": ("card",),
    "week": ("week_start",),
    "client": ("client",),
    "tenant": ("client", "tenant"),
    "content-version": ("content_version",),
}


def as_json(report: LedgerReport, wanted: Collection[str] = BREAKDOWNS) -> str:
    """The whole report, with the breakdowns that are wanted."""
    return json.dumps(_document(report, wanted), indent=2, ensure_ascii=False) + "\n"


def group_key(breakdown: str, group: Group) -> dict[str, str]:
    """The parts of a group's key by their names."""
    return dict(zip(KEY_NAMES[breakdown], group.key, strict=True))


def _document(report: LedgerReport, wanted: Collection[str]) -> dict[str, Any]:
    words, window = report.words, report.window
    by: dict[str, Any] = {
        name: [{**group_key(name, group), **_tally(group.tally)} for group in report.groups[name]]
        for name in BREAKDOWNS
        if name in wanted and name in report.groups
    }
    if "reason" in wanted:
        by["reason"] = [_reason(one, words, report.total.overridden) for one in report.all_reasons()]
    if "suggestion" in wanted:
        by["suggestion"] = [_suggestion(one) for one in report.suggestions]
    return {
        "format_version": FORMAT_VERSION,
        "service": words.service,
        "made_at": _time(report.made_at),
        "made_by": report.made_by,
        "period": {"since": f"{window.since}T00:00:00Z", "until": _time(window.until), "time_zone": "UTC"},
        "content_versions": [
            {**asdict(one), "first_at": _time(one.first_at), "last_at": _time(one.last_at)} for one in report.versions
        ],
        "total": _tally(report.total),
        "calls": _calls(report.calls),
        "calls_by_client": [
            {"client": one.client, "hook": one.hook, **_calls(one.calls)} for one in report.calls_by_client
        ],
        "days_without_calls": [day.isoformat() for day in window.days() if day not in report.calls_by_day],
        "by": by,
        "reasons_by_card": [{"card": one.card, **_reason(one, words, None)} for one in report.reasons],
        "look_first": {"rule": LOOK_FIRST_RULE, "cards": [_candidate(one) for one in report.candidates]},
        "red_flags": {
            "cards": [
                {"card": group.key[0], "indicator": group.key[1], **_tally(group.tally)} for group in report.red_flags
            ],
            "latest_overrides": [_override(one, words) for one in report.red_flag_overrides],
        },
        "changes": [_change(one) for one in report.changes],
        "clients_without_feedback": [asdict(one) for one in report.mute_clients],
        "silenced": [asdict(one) for one in report.silenced],
        "foreign_feedback": [asdict(one) for one in report.foreign],
        "clocks": asdict(report.timing),
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _rate(found: Rate | None) -> dict[str, Any] | None:
    return {**asdict(found), "too_few": found.too_few} if found else None


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "issued": tally.issued,
        "answered": tally.answered,
        "accepted": tally.accepted,
        "overridden": tally.overridden,
        "unanswered": tally.unanswered,
        "override_rate": _rate(tally.overridden_of_answered),
        "acceptance_rate": _rate(tally.accepted_of_answered),
        "override_rate_of_issued": _rate(tally.overridden_of_issued),
        "acceptance_rate_of_issued": _rate(tally.accepted_of_issued),
        "answer_rate": _rate(tally.answered_of_issued),
        "timed": tally.timed,
        "median_time_to_action_s": tally.median_action_s,
    }


def _calls(calls: Calls) -> dict[str, Any]:
    return {**asdict(calls), "answered": calls.answered, "firing_rate": _rate(calls.firing)}


def _reason(reason: Reason, words: Words, overridden: int | None) -> dict[str, Any]:
    """`overridden`: all overridden cards, of which it is a share; None without a share."""
    told = {
        "reason": words.reason(reason),
        "system": reason.system,
        "code": reason.code,
        "foreign": reason.foreign,
        "cards": reason.cards,
    }
    return told if overridden is None else {**told, "share_of_overridden": _rate(rate(reason.cards, overridden))}


def _suggestion(one: Suggestion) -> dict[str, Any]:
    return {
        **asdict(one),
        "taken_rate": _rate(one.taken_of_answered),
        "taken_rate_of_offered": _rate(one.taken_of_offered),
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {"card": one.card, "issued": one.issued, "override_rate": _rate(one.rate), "score": one.score}


def _override(one: RedFlagOverride, words: Words) -> dict[str, Any]:
    told = {**asdict(one), "issued_at": _time(one.issued_at)}
    return {**told, "reason": words.reason(one.reason)}


def _change(change: Change) -> dict[str, Any]:
    def side(one: Any) -> dict[str, Any]:
        return {
            "content_version": one.content_version,
            "first_at": _time(one.first_at),
            "last_at": _time(one.last_at),
            "issued": one.tally.issued,
            "answered": one.tally.answered,
            "override_rate": _rate(one.tally.overridden_of_answered),
        }

    return {
        "card": change.card,
        "before": side(change.before),
        "after": side(change.after),
        "difference": change.difference,
        "difference_low": change.low,
        "difference_high": change.high,
        "verdict": change.verdict,
        "intervals_overlap": change.intervals_overlap,
        "side_by_side": change.side_by_side,
    }
