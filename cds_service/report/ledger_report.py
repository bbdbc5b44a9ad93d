"""The whole report as data: all that any of its formats shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from cds_service.report.apart import (
    ForeignFeedback,
    MuteClient,
    Silenced,
    ask_foreign,
    ask_mute_clients,
    ask_silenced,
)
from cds_service.report.calls import Calls, ClientCalls, all_calls, ask_calls_by_client, ask_calls_by_day
from cds_service.report.committee import Candidate, Change, find_changes, most_overridden, rank_cards
from cds_service.report.questions import (
    Reason,
    RedFlagOverride,
    Suggestion,
    Timing,
    Version,
    ask_groups,
    ask_reasons,
    ask_red_flag_overrides,
    ask_red_flags,
    ask_suggestions,
    ask_timing,
    ask_total,
    ask_version_tallies,
    ask_versions,
)
from cds_service.report.snapshot import ledger_snapshot
from cds_service.report.tallies import Group, Tally, printable
from cds_service.report.window import Window
from cds_service.storage.database import Database

GROUPED = ("card", "week", "client", "tenant", "content-version")
BREAKDOWNS = ("card", "week", "client", "tenant", "reason", "suggestion", "content-version")


@dataclass(frozen=True)
class Words:
    """The content's own words: displays of override reasons by system and code, and what each card says now."""

    service: str
    reasons: Mapping[tuple[str, str], str]
    cards: Mapping[str, str]

    def reason(self, reason: Reason) -> str:
        """A reason as a person reads it; one that no card offered by its code and system."""
        if reason.code is None:
            return "No reason given"
        known = None if reason.foreign else self.reasons.get((reason.system or "", reason.code))
        return known or printable(f"{reason.code} ({reason.system or 'no system'}), not offered by the card")


@dataclass(frozen=True)
class LedgerReport:
    """Everything asked of the ledger, over one window. `groups` and `suggestions`: where they were wanted."""

    made_at: datetime
    made_by: str
    words: Words
    window: Window
    total: Tally
    groups: Mapping[str, tuple[Group, ...]]
    reasons: tuple[Reason, ...]
    suggestions: tuple[Suggestion, ...]
    versions: tuple[Version, ...]
    changes: tuple[Change, ...]
    red_flags: tuple[Group, ...]
    red_flag_overrides: tuple[RedFlagOverride, ...]
    timing: Timing
    calls_by_day: Mapping[date, Calls]
    calls_by_client: tuple[ClientCalls, ...]
    mute_clients: tuple[MuteClient, ...]
    silenced: tuple[Silenced, ...]
    foreign: tuple[ForeignFeedback, ...]

    @property
    def calls(self) -> Calls:
        """All calls of the window."""
        return all_calls(self.calls_by_day.values())

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The cards to look at, the first one first."""
        return rank_cards(self.groups["card"])

    @property
    def most_overridden(self) -> Candidate | None:
        """The card most surely overridden most often, whatever its numbers."""
        return most_overridden(self.candidates)

    def all_reasons(self) -> tuple[Reason, ...]:
        """The reasons of all cards together, the most frequent first; `card` is empty."""
        counts: dict[tuple[str | None, str | None, bool], int] = {}
        for one in self.reasons:
            key = (one.system, one.code, one.foreign)
            counts[key] = counts.get(key, 0) + one.cards
        summed = [Reason("", *key, cards) for key, cards in counts.items()]
        return tuple(sorted(summed, key=lambda one: (-one.cards, one.code or "", one.system or "")))

    def reasons_of(self, card: str) -> tuple[Reason, ...]:
        """The reasons of one card, the most frequent first."""
        return tuple(one for one in self.reasons if one.card == card)


def build_report(
    database: Database, window: Window, words: Words, made_by: str, wanted: Collection[str] = BREAKDOWNS
) -> LedgerReport:
    """Read the whole report. `wanted`: the breakdowns to make; by card is always made. Raises DatabaseUnavailable."""
    with ledger_snapshot(database, window) as connection:
        return LedgerReport(
            made_at=window.until,
            made_by=made_by,
            words=words,
            window=window,
            total=ask_total(connection),
            groups={name: ask_groups(connection, name) for name in GROUPED if name in {"card", *wanted}},
            reasons=ask_reasons(connection),
            suggestions=ask_suggestions(connection) if "suggestion" in wanted else (),
            versions=ask_versions(connection),
            changes=find_changes(ask_version_tallies(connection)),
            red_flags=ask_red_flags(connection),
            red_flag_overrides=ask_red_flag_overrides(connection),
            timing=ask_timing(connection),
            calls_by_day=ask_calls_by_day(connection, window),
            calls_by_client=ask_calls_by_client(connection, window),
            mute_clients=ask_mute_clients(connection),
            silenced=ask_silenced(connection, window),
            foreign=ask_foreign(connection, window),
        )
