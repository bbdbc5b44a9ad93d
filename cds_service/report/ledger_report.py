"""The whole report as data: everything that any of its formats shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Protocol

from cds_service.clients.clients_file import Mode
from cds_service.report.content_words import ContentWords
from cds_service.report.counting.calls import CallGroup, Calls, ModeSpan, count_calls, list_mode_spans, sum_calls
from cds_service.report.counting.card_answers import (
    NeverSilencedOverride,
    Reason,
    Suggestion,
    list_never_silenced_overrides,
    list_reasons,
    list_suggestions,
)
from cds_service.report.counting.card_counts import (
    Timing,
    Version,
    count_all,
    count_by,
    count_by_version,
    count_cards_by_version,
    count_never_silenced,
    count_timing,
)
from cds_service.report.counting.card_firing import CardFiring, first_counted_day, list_card_firing
from cds_service.report.counting.cards import count_cards
from cds_service.report.counting.committee import Candidate, Change, find_changes, most_overridden, rank_cards
from cds_service.report.counting.counted_apart import (
    ForeignFeedback,
    MuteClient,
    Silenced,
    list_foreign_feedback,
    list_mute_clients,
    list_silenced,
)
from cds_service.report.counting.ledger_rows import ledger_snapshot
from cds_service.report.counting.tallies import Group, Tally
from cds_service.report.counting.window import Window
from cds_service.storage.database import Database
from cds_service.terminal import in_one_line

GROUPED = ("service", "card", "week", "client", "tenant", "content-version")
BREAKDOWNS = ("service", "card", "week", "client", "tenant", "reason", "suggestion", "content-version")
_BY_SERVICE = ("card", "content-version")  # their keys begin with the service


class OfCard(Protocol):
    """Whatever is said of one card of one service."""

    @property
    def service(self) -> str: ...

    @property
    def card(self) -> str: ...


@dataclass(frozen=True)
class LedgerReport:
    """Everything asked of the ledger, over one window. `groups` and `suggestions`: where they were wanted.

    Outcomes are those of shown cards only. `call_groups` and `card_firing` are of both modes, separately.
    """

    made_at: datetime
    made_by: str
    words: ContentWords
    window: Window
    total: Tally
    groups: Mapping[str, tuple[Group, ...]]
    reasons: tuple[Reason, ...]
    suggestions: tuple[Suggestion, ...]
    versions: tuple[Version, ...]
    changes: tuple[Change, ...]
    never_silenced: tuple[Group, ...]
    never_silenced_overrides: tuple[NeverSilencedOverride, ...]
    timing: Timing
    call_groups: tuple[CallGroup, ...]
    mode_spans: tuple[ModeSpan, ...]
    card_firing: tuple[CardFiring, ...]
    mute_clients: tuple[MuteClient, ...]
    silenced: tuple[Silenced, ...]
    foreign: tuple[ForeignFeedback, ...]

    @property
    def services(self) -> tuple[str, ...]:
        """The services with cards in the window, shown or silenced; without any, those of the content."""
        services = {version.service for version in self.versions} | {silenced.service for silenced in self.silenced}
        return tuple(sorted(services)) or self.words.services

    @property
    def has_several_services(self) -> bool:
        """Whether a card is named with its service."""
        return len(self.services) > 1

    @property
    def calls(self) -> Calls:
        """All calls of visible clients."""
        return sum_calls(self.call_groups, lambda group: group.mode == Mode.VISIBLE)

    @property
    def silent_calls(self) -> Calls:
        """All calls of silent clients, by how they would have been answered."""
        return sum_calls(self.call_groups, lambda group: group.mode == Mode.SILENT)

    @property
    def calls_by_client(self) -> Mapping[tuple[str, str, str, str], Calls]:
        """The calls by client, service, hook and mode. The service is empty for those counted before (calls.py)."""
        by_caller = sorted(self.call_groups, key=_caller)
        return {caller: sum_calls(groups, lambda _: True) for caller, groups in groupby(by_caller, key=_caller)}

    @property
    def days_called(self) -> frozenset[date]:
        """The days on which any client called."""
        return frozenset(group.day for group in self.call_groups)

    @property
    def services_counted_since(self) -> date:
        """From when on calls are counted by service, and so the firing rate of each card."""
        return first_counted_day(self.call_groups, self.window)

    @property
    def has_silent_clients(self) -> bool:
        """Whether any client has ever been silent."""
        return any(span.mode == Mode.SILENT for span in self.mode_spans)

    def firing(self, service: str, card: str) -> CardFiring:
        """How often one card came."""
        unknown = CardFiring(service, card, None, None)
        return next((row for row in self.card_firing if (row.service, row.card) == (service, card)), unknown)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The cards to look at first, in that order."""
        return rank_cards(self.groups["card"], self.words.never_silenced)

    @property
    def most_overridden(self) -> Candidate | None:
        """The card with the highest override rate, counted cautiously, however rarely it was shown."""
        return most_overridden(self.candidates)

    def card_name(self, row: OfCard) -> str:
        """A card as a person reads it: with its service where there are several."""
        return in_one_line(f"{row.service} / {row.card}" if self.has_several_services else row.card)

    def readable_groups(self, breakdown: str) -> tuple[Group, ...]:
        """The groups of a breakdown as a person reads them: with their service where there are several."""
        return self._readable(self.groups[breakdown]) if breakdown in _BY_SERVICE else self.groups[breakdown]

    def readable_never_silenced(self) -> tuple[Group, ...]:
        """The cards that are never silenced, as a person reads them."""
        return self._readable(self.never_silenced)

    def _readable(self, groups: tuple[Group, ...]) -> tuple[Group, ...]:
        return groups if self.has_several_services else tuple(Group(group.key[1:], group.tally) for group in groups)

    def all_reasons(self) -> tuple[Reason, ...]:
        """The reasons of all cards together, the most frequent first; `service` and `card` are empty."""
        counts: dict[tuple[str | None, str | None, bool], int] = {}
        for reason in self.reasons:
            key = (reason.system, reason.code, reason.foreign)
            counts[key] = counts.get(key, 0) + reason.cards
        return _by_frequency(counts)

    def standard_reasons(self) -> tuple[Reason, ...]:
        """All reasons, each of ours counted under the standard code that it is mapped to, the most frequent first."""
        counts: dict[tuple[str | None, str | None, bool], int] = {}
        for reason in self.reasons:
            sent = (reason.system or "", reason.code or "")
            standard = (reason.system, reason.code) if reason.foreign else self.words.counted_under.get(sent)
            system, code = standard or (reason.system, reason.code)
            counts[system, code, reason.foreign] = counts.get((system, code, reason.foreign), 0) + reason.cards
        return _by_frequency(counts)

    def reasons_of(self, row: OfCard) -> tuple[Reason, ...]:
        """The reasons of one card, the most frequent first."""
        card = (row.service, row.card)
        return tuple(reason for reason in self.reasons if (reason.service, reason.card) == card)


def _caller(group: CallGroup) -> tuple[str, str, str, str]:
    return group.client, group.service, group.hook, group.mode


def _by_frequency(counts: Mapping[tuple[str | None, str | None, bool], int]) -> tuple[Reason, ...]:
    summed = [Reason("", "", *key, cards) for key, cards in counts.items()]
    return tuple(sorted(summed, key=lambda reason: (-reason.cards, reason.code or "", reason.system or "")))


def build_report(
    database: Database,
    window: Window,
    words: ContentWords,
    made_by: str,
    wanted: Collection[str] = BREAKDOWNS,
    *,
    made_at: datetime,
) -> LedgerReport:
    """Read the whole report. `wanted`: the breakdowns to make; by card is always made. Raises DatabaseUnavailable."""
    with ledger_snapshot(database) as connection:
        call_groups = count_calls(connection, window)
        counted = count_cards(connection, window, words.never_silenced, with_suggestions="suggestion" in wanted)
        cells = counted.cells
        return LedgerReport(
            made_at=made_at,
            made_by=made_by,
            words=words,
            window=window,
            total=count_all(cells),
            groups={name: count_by(cells, name) for name in GROUPED if name in {"card", *wanted}},
            reasons=list_reasons(counted),
            suggestions=list_suggestions(counted),
            versions=count_by_version(cells),
            changes=find_changes(count_cards_by_version(cells)),
            never_silenced=count_never_silenced(cells, words.never_silenced),
            never_silenced_overrides=list_never_silenced_overrides(counted),
            timing=count_timing(cells),
            call_groups=call_groups,
            mode_spans=list_mode_spans(connection),
            card_firing=list_card_firing(connection, window, call_groups, cells),
            mute_clients=list_mute_clients(connection, cells),
            silenced=list_silenced(connection, window),
            foreign=list_foreign_feedback(connection, window),
        )
