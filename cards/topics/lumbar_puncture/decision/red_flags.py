"""Red flags: problems that may have come of a puncture and silence every reassurance (ADR 19: red flags)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from cards.content.service import INDICATORS
from cards.fhir.dates import DateRange, days_from, exactly, until
from cards.record.chart_entry import ChartEntry
from cards.record.problem import Evidence, Problem, is_of_both_sides
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.problems import Problems
from cards.topics.lumbar_puncture.decision.punctures import Puncture, Punctures
from cards.topics.lumbar_puncture.settings import FoundDisease, RedFlagKind


class Ruling(StrEnum):
    """What the rule says of one kind of red flag and one puncture, and why."""

    COUNTS = "counts"
    NOT_PRESENT = "not present today"
    UNDATED_PUNCTURE = "its window needs the date of the puncture"
    KNOWN_BEFORE = "known before the puncture"
    REASON_OF_PUNCTURE = "it is, or is explained by, what the puncture was done to find"
    OUTSIDE_WINDOW = "its onset lies outside the window after the puncture"
    LONG_AGO = "its latest evidence is too long ago for a red flag"
    ONE_SIDED = "of one side of the body only"
    ALONE = "only beside another problem that is new since the puncture"


@dataclass(frozen=True)
class RedFlag:
    """One kind of red flag, with the evidence that shows it, the earliest first, and the puncture it may come of."""

    kind: RedFlagKind
    evidence: tuple[Evidence, ...]
    puncture: Puncture

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        return tuple(source.entry for source in self.evidence)


@dataclass(frozen=True)
class RedFlags:
    """The flags that count, the gravest first; and those whose latest evidence is too long ago."""

    counting: tuple[RedFlag, ...]
    long_ago: tuple[RedFlag, ...]


class RedFlagRule:
    """Judges the red flags of one call."""

    def __init__(
        self, problems: Problems, punctures: Punctures, ordered: frozenset[str], topic: Topic, today: date
    ) -> None:
        self._problems = problems
        self._punctures = punctures
        self._ordered = ordered
        self._topic = topic
        self._today = today
        oldest = today - timedelta(days=topic.service.after_puncture.look_back_days)
        self._look_back = DateRange(oldest, today, "")  # an undated puncture was done at some time in it

    def find(self) -> RedFlags:
        """Every flag, each piece of evidence under the first, the gravest, of the kinds that it counts for; what counts
        for none is listed under the first kind for which it is too long ago.
        """
        if not self._punctures.all:
            return RedFlags((), ())
        kinds = sorted(self._topic.service.red_flags, key=lambda kind: INDICATORS.index(kind.indicator))
        rulings = [
            (kind, [(puncture, *self.judge(kind, puncture)) for puncture in self._punctures.all]) for kind in kinds
        ]
        used: set[int] = set()
        counting, long_ago = ([*_flags(rulings, ruling, used)] for ruling in (Ruling.COUNTS, Ruling.LONG_AGO))
        return RedFlags(tuple(counting), tuple(long_ago))

    def began_since(self, puncture: Puncture) -> bool:
        """Whether a red flag is certainly new since this puncture and is not what the puncture was done to find."""
        return any(
            self._problems.of(kind.value_set).new_since(puncture.on)
            and self.judge(kind, puncture)[0] not in (Ruling.KNOWN_BEFORE, Ruling.REASON_OF_PUNCTURE)
            for kind in self._topic.service.red_flags
        )

    def judge(self, kind: RedFlagKind, puncture: Puncture) -> tuple[Ruling, tuple[Evidence, ...]]:
        """Whether this kind of flag may have come of this puncture, and the evidence on which that rests."""
        problem = self._problems.of(kind.value_set)
        if not problem.present:
            return Ruling.NOT_PRESENT, ()
        if puncture.on is None and kind.within_days is not None and kind.indicator != "critical":
            return Ruling.UNDATED_PUNCTURE, problem.present
        evidence = self._new_evidence(kind, problem, puncture)
        if not evidence:
            return Ruling.KNOWN_BEFORE, problem.present
        unexplained = tuple(source for source in evidence if not self._is_reason(source, kind, puncture))
        if not unexplained:
            return Ruling.REASON_OF_PUNCTURE, evidence
        inside = tuple(source for source in unexplained if self._is_in_window(source, kind, puncture))
        if not inside:
            return Ruling.OUTSIDE_WINDOW, unexplained
        if kind.both_sides and not is_of_both_sides(inside):
            return Ruling.ONE_SIDED, inside
        if days_from(problem.latest_evidence(inside), exactly(self._today)).exceed(kind.present_days) is True:
            return Ruling.LONG_AGO, inside
        if kind.beside and not self._stands_beside(kind, puncture):
            return Ruling.ALONE, inside
        return Ruling.COUNTS, inside

    def _new_evidence(self, kind: RedFlagKind, problem: Problem, puncture: Puncture) -> tuple[Evidence, ...]:
        """What is new since the puncture, or was not known before.

        Another old problem makes a flag known before, unless the flag has an onset of its own, is said to be new, or is
        of the other side of the body.
        """
        on = puncture.on or self._look_back
        causes = self._known_causes(kind, on)
        if not causes:
            return problem.may_be_new_since(on)
        new = problem.new_since(on)
        return tuple(
            source
            for source in problem.may_be_new_since(on)
            if (source in new and (source.began is not None or source.since_event or source.is_changed))
            or all(source.is_on_other_side(cause) for cause in causes)
        )

    def _known_causes(self, kind: RedFlagKind, on: DateRange) -> tuple[Evidence, ...]:
        """The problems known before the puncture that explain this kind of flag; what words only suspect does not."""
        return tuple(
            cause
            for name in kind.known_by
            for cause in self._problems.of(name).known_before(on)
            if not any(match.value_set == name and match.is_suspected for match in cause.entry.matches)
        )

    def _is_in_window(self, source: Evidence, kind: RedFlagKind, puncture: Puncture) -> bool:
        """Whether the onset is not certainly outside the window; a recorded date stands for it, else today does."""
        if puncture.on is None:
            return True
        days = days_from(puncture.on, source.best_known_date or exactly(self._today))
        too_late = kind.within_days is not None and days.exceed(kind.within_days) is True
        return not too_late and days.most >= kind.from_day

    def _stands_beside(self, kind: RedFlagKind, puncture: Puncture) -> bool:
        if kind.with_order is not None and kind.with_order not in self._ordered:
            return False
        return any(self._problems.of(name).may_be_new_since(puncture.on) for name in kind.beside)

    def _is_reason(self, source: Evidence, kind: RedFlagKind, puncture: Puncture) -> bool:
        """Whether the puncture was done for this, or to find a disease that is this or explains it."""
        if source.entry.id is not None and source.entry.id in puncture.reason_ids:
            return True
        settings = self._topic.service.lp_finds
        if kind.value_set in puncture.reason_sets and self._is_seen_by(source, puncture, settings.within_days, None):
            return True
        return any(
            self._was_found_by(disease, source, puncture)
            for disease in settings.diseases
            if kind.value_set in disease.explains or self._is_named_as(disease, source, kind)
        ) or any(
            self._is_sought_now(disease, source, puncture)
            for disease in settings.diseases
            if kind.value_set in (disease.value_set, *disease.explains) and kind.value_set not in settings.imaging_first
        )

    def _is_named_as(self, disease: FoundDisease, source: Evidence, kind: RedFlagKind) -> bool:
        """Whether the entry that shows this flag calls it the disease. A disease that is a flag of its own kind stands
        only for what a puncture is done to find: in "SDH with SAH" the SDH is no such thing.
        """
        service = self._topic.service
        sought = {found.value_set for found in service.lp_finds.diseases}
        is_flag = any(flag.value_set == disease.value_set for flag in service.red_flags)
        is_other = is_flag or source.is_order  # an order names several things in one text
        return disease.value_set in source.entry.value_sets and (kind.value_set in sought or not is_other)

    def _was_found_by(self, disease: FoundDisease, source: Evidence, puncture: Puncture) -> bool:
        """Whether the disease began or was recorded around the puncture, which does not state another as its reason.

        A new episode of the disease itself has an onset of its own, which decides.
        """
        settings = self._topic.service.lp_finds
        stated = puncture.reason_sets & {found.value_set for found in settings.diseases}
        if stated:
            return disease.value_set in stated
        is_episode = source.began is not None and disease.value_set in source.entry.value_sets
        evidence = (source,) if is_episode else self._problems.of(disease.value_set).evidence
        return any(self._is_seen_by(one, puncture, settings.within_days, disease.lead_days) for one in evidence)

    def _is_sought_now(self, disease: FoundDisease, source: Evidence, puncture: Puncture) -> bool:
        """Whether an order tells of this, and another puncture, long after this one, is ordered to find the disease."""
        punctures = self._topic.service.orders.ordered_punctures
        if not source.is_order or source.since_event or puncture.on is None or self._ordered.isdisjoint(punctures):
            return False
        is_named = any(one.is_order for one in self._problems.of(disease.value_set).evidence)
        return is_named and days_from(puncture.on, exactly(self._today)).exceed(disease.lead_days) is True

    def _is_seen_by(self, source: Evidence, puncture: Puncture, days: int, lead_days: int | None) -> bool:
        """Whether this was there, by its onset or record, so many days after the puncture, and no longer than
        `lead_days` before it. Without any date only a stated reason (`lead_days` None) counts.
        """
        if source.is_order:
            return False
        dates = [day for day in (source.began, until(source.recorded, self._today)) if day is not None]
        if puncture.on is None or not dates:
            return lead_days is None
        since = [days_from(puncture.on, day) for day in dates]
        is_recent = lead_days is None or any(one.most >= -lead_days for one in since)
        return is_recent and any(one.exceed(days) is False for one in since)


def _flags(
    rulings: Iterable[tuple[RedFlagKind, Sequence[tuple[Puncture, Ruling, tuple[Evidence, ...]]]]],
    wanted: Ruling,
    used: set[int],
) -> Iterator[RedFlag]:
    """The kinds of which this was ruled for some puncture, with their evidence that is not `used`, which they use."""
    for kind, rulings_of_kind in rulings:
        puncture, evidence = next(
            ((puncture, evidence) for puncture, ruling, evidence in rulings_of_kind if ruling is wanted), (None, ())
        )
        unused = tuple(source for source in evidence if id(source.entry) not in used)
        if puncture and unused:
            used.update(id(source.entry) for source in unused)
            yield RedFlag(kind, unused, puncture)
