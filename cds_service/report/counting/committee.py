"""Two answers for a committee: which card to look at first, and what a change of content did.

The report states both rules beside their results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from cds_service.report.counting.card_counts import VersionTally
from cds_service.report.counting.cards import CardKey
from cds_service.report.counting.intervals import newcombe
from cds_service.report.counting.tallies import TOO_FEW, Group, Rate

LOOK_FIRST_RULE = (
    f"Of the cards with at least {TOO_FEW} answers, those that are never silenced aside: the lower end of the override "
    "rate, times the cards answered. That is how many cards were overridden, counted cautiously, so that a high rate "
    "on few cards does not win by chance. A card that is shown very often can come first with a low rate: see the rate "
    "beside it."
)


@dataclass(frozen=True)
class Candidate:
    """A card that may be looked at first. `score`: as LOOK_FIRST_RULE says, in cards."""

    service: str
    card: str
    issued: int
    rate: Rate
    score: float


@dataclass(frozen=True)
class Change:
    """One card before and after a change of content. The difference is after minus before, of override rates.

    `low` and `high`: its 95% interval; all three None where either has no answers.
    """

    service: str
    card: str
    before: VersionTally
    after: VersionTally
    difference: float | None
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """too-few, fell, rose, or unclear (the interval of the difference includes zero)."""
        if self.low is None or self.high is None:
            return "too-few"
        if min(self.before.tally.answered, self.after.tally.answered) < TOO_FEW:
            return "too-few"
        if self.high < 0:
            return "fell"
        return "rose" if self.low > 0 else "unclear"

    @property
    def intervals_overlap(self) -> bool | None:
        """Whether the intervals of the two rates overlap: then take the change with caution; None without both."""
        before, after = self.before.tally.overridden_of_answered, self.after.tally.overridden_of_answered
        return None if before is None or after is None else before.low <= after.high and after.low <= before.high

    @property
    def side_by_side(self) -> bool:
        """Whether the older version was still shown when the newer one already was, so that sites differ as well."""
        return self.before.last_at > self.after.first_at


def rank_cards(cards: Iterable[Group], never_silenced: Collection[CardKey]) -> tuple[Candidate, ...]:
    """The cards that may be looked at first, by LOOK_FIRST_RULE. `cards`: by service and card."""
    candidates = []
    for group in cards:
        (service, card), override = group.key, group.tally.overridden_of_answered
        if (service, card) in never_silenced or not override or override.too_few or not override.part:
            continue
        candidates.append(Candidate(service, card, group.tally.issued, override, override.low * override.whole))
    return tuple(sorted(candidates, key=lambda candidate: (-candidate.score, candidate.service, candidate.card)))


def most_overridden(candidates: Sequence[Candidate]) -> Candidate | None:
    """The card with the highest lower end of its override rate, however few were shown."""
    return max(candidates, key=lambda candidate: candidate.rate.low, default=None)


def find_changes(tallies: Sequence[VersionTally]) -> tuple[Change, ...]:
    """Each card across each change of content. `tallies`: by service and card, the older version first."""
    changes = []
    for _, versions in groupby(tallies, key=lambda tally: (tally.service, tally.card)):
        changes += [_change(before, after) for before, after in pairwise(versions)]
    return tuple(changes)


def _change(before: VersionTally, after: VersionTally) -> Change:
    old, new = before.tally.overridden_of_answered, after.tally.overridden_of_answered
    if old is None or new is None:
        return Change(after.service, after.card, before, after, None, None, None)
    low, high = newcombe(new.part, new.whole, old.part, old.whole)
    return Change(after.service, after.card, before, after, new.value - old.value, low, high)
