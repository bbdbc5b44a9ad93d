"""What is counted of a group of cards, and the rates that follow."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.report.counting.intervals import wilson
from cds_service.terminal import in_one_line

TOO_FEW = 20  # below so many, a rate is shown and not judged


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95% Wilson interval."""

    part: int
    whole: int
    value: float
    low: float
    high: float

    @property
    def too_few(self) -> bool:
        """Whether it rests on too few to be judged."""
        return self.whole < TOO_FEW


def rate(part: int, whole: int) -> Rate | None:
    """A proportion; None where there is nothing it could be of, or less than the part (counts that were lost)."""
    return Rate(part, whole, part / whole, *wilson(part, whole)) if 0 < whole >= part else None


@dataclass(frozen=True)
class Tally:
    """Cards by outcome. `median_action_s`: seconds from shown to the first answer, of `timed` cards."""

    issued: int = 0
    accepted: int = 0
    overridden: int = 0
    timed: int = 0
    median_action_s: float | None = None

    @property
    def answered(self) -> int:
        """Cards about which any feedback came."""
        return self.accepted + self.overridden

    @property
    def unanswered(self) -> int:
        """Cards without feedback: perhaps ignored, perhaps of a client that sends none."""
        return self.issued - self.answered

    @property
    def accepted_of_answered(self) -> Rate | None:
        """Accepted cards, of those with feedback."""
        return rate(self.accepted, self.answered)

    @property
    def overridden_of_answered(self) -> Rate | None:
        """Overridden cards, of those with feedback: the override rate of this report."""
        return rate(self.overridden, self.answered)

    @property
    def accepted_of_issued(self) -> Rate | None:
        """Accepted cards, of all that were shown: at least so many."""
        return rate(self.accepted, self.issued)

    @property
    def overridden_of_issued(self) -> Rate | None:
        """Overridden cards, of all that were shown: at least so many."""
        return rate(self.overridden, self.issued)

    @property
    def answered_of_issued(self) -> Rate | None:
        """Cards with feedback, of all that were shown."""
        return rate(self.answered, self.issued)


@dataclass(frozen=True)
class Group:
    """A row of a breakdown. `key`: its names, as of a client and a tenant, or of a service and a card."""

    key: tuple[str, ...]
    tally: Tally

    @property
    def label(self) -> str:
        """The key in words."""
        return in_one_line(" / ".join(part or "(no tenant)" for part in self.key))
