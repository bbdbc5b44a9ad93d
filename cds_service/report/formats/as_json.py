"""The report for machines. The keys are documented in docs/report.md; FORMAT_VERSION changes when one changes meaning.

Times are ISO 8601 in UTC, rates numbers from 0 to 1 with the ends of their 95% interval.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cds_service.report.content_words import ContentWords
from cds_service.report.counting.calls import Calls, ModeSpan
from cds_service.report.counting.card_answers import NeverSilencedOverride, Reason, Suggestion
from cds_service.report.counting.card_counts import VersionTally
from cds_service.report.counting.card_firing import CardFiring
from cds_service.report.counting.committee import LOOK_FIRST_RULE, Candidate, Change
from cds_service.report.counting.tallies import Group, Rate, Tally, rate
from cds_service.report.ledger_report import BREAKDOWNS, LedgerReport

FORMAT_VERSION = 3
KEY_NAMES = {
    "service": ("service",),
    "card": ("service", "card"),
    "week": ("week_start",),
    "client": ("client",),
    "tenant": ("client", "tenant"),
    "content-version": ("service", "content_version"),
}

_NEVER_SILENCED = ("service", "card", "indicator")
_CALLER = ("client", "service", "hook", "mode")


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
        by["reason"] = [_reason(reason, words, report.total.overridden) for reason in report.all_reasons()]
    if "suggestion" in wanted:
        by["suggestion"] = [_suggestion(suggestion) for suggestion in report.suggestions]
    return {
        "format_version": FORMAT_VERSION,
        "services": report.services,
        "made_at": _time(report.made_at),
        "made_by": report.made_by,
        "period": {"since": f"{window.since}T00:00:00Z", "until": _time(window.until), "time_zone": "UTC"},
        "content_versions": [
            {**asdict(version), "first_at": _time(version.first_at), "last_at": _time(version.last_at)}
            for version in report.versions
        ],
        "total": _tally(report.total),
        "calls": _calls(report.calls),
        "calls_of_silent_clients": _calls(report.silent_calls),
        "calls_by_client": [
            {**dict(zip(_CALLER, key, strict=True)), **_calls(calls)} for key, calls in report.calls_by_client.items()
        ],
        "days_without_calls": [day.isoformat() for day in window.days() if day not in report.days_called],
        "modes": [_mode_span(span) for span in report.mode_spans],
        "card_firing": {
            "since": report.services_counted_since.isoformat(),
            "cards": [_card_firing(firing) for firing in report.card_firing],
        },
        "by": by,
        "reasons_by_card": [
            {"service": reason.service, "card": reason.card, **_reason(reason, words, None)}
            for reason in report.reasons
        ],
        "reasons_by_standard_code": [
            _reason(reason, words, report.total.overridden) for reason in report.standard_reasons()
        ],
        "switched_off": [{"service": service, "card": card} for service, card in sorted(words.switched_off)],
        "look_first": {"rule": LOOK_FIRST_RULE, "cards": [_candidate(candidate) for candidate in report.candidates]},
        "never_silenced": {
            "cards": [
                {**dict(zip(_NEVER_SILENCED, group.key, strict=True)), **_tally(group.tally)}
                for group in report.never_silenced
            ],
            "latest_overrides": [_override(override, words) for override in report.never_silenced_overrides],
        },
        "changes": [_change(change) for change in report.changes],
        "clients_without_feedback": [asdict(client) for client in report.mute_clients],
        "silenced": [asdict(silenced) for silenced in report.silenced],
        "foreign_feedback": [asdict(feedback) for feedback in report.foreign],
        "clocks": asdict(report.timing),
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _rate(value: Rate | None) -> dict[str, Any] | None:
    return {**asdict(value), "too_few": value.too_few} if value else None


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


def _mode_span(span: ModeSpan) -> dict[str, str]:
    days = {"first_day": span.first_day.isoformat(), "last_day": span.last_day.isoformat()}
    return {"client": span.client, "mode": span.mode, **days}


def _card_firing(firing: CardFiring) -> dict[str, Any]:
    rates = {"visible": _rate(firing.visible), "silent": _rate(firing.silent)}
    return {"service": firing.service, "card": firing.card, **rates}


def _reason(reason: Reason, words: ContentWords, overridden: int | None) -> dict[str, Any]:
    """`overridden`: all overridden cards, of which it is a share; None without a share."""
    row = {
        "reason": words.reason(reason),
        "system": reason.system,
        "code": reason.code,
        "foreign": reason.foreign,
        "cards": reason.cards,
    }
    return row if overridden is None else {**row, "share_of_overridden": _rate(rate(reason.cards, overridden))}


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        **asdict(suggestion),
        "taken_rate": _rate(suggestion.taken_of_answered),
        "taken_rate_of_offered": _rate(suggestion.taken_of_offered),
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    names = {"service": candidate.service, "card": candidate.card}
    return {**names, "issued": candidate.issued, "override_rate": _rate(candidate.rate), "score": candidate.score}


def _override(override: NeverSilencedOverride, words: ContentWords) -> dict[str, Any]:
    return {**asdict(override), "issued_at": _time(override.issued_at), "reason": words.reason(override.reason)}


def _change(change: Change) -> dict[str, Any]:
    def side(version: VersionTally) -> dict[str, Any]:
        return {
            "content_version": version.content_version,
            "first_at": _time(version.first_at),
            "last_at": _time(version.last_at),
            "issued": version.tally.issued,
            "answered": version.tally.answered,
            "override_rate": _rate(version.tally.overridden_of_answered),
        }

    return {
        "service": change.service,
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
