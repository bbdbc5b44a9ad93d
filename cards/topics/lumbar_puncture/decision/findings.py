"""Findings: what of a chart may contribute to back pain, each problem told once, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cards.record.chart_entry import ChartEntry, Standing
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.settings import UNSPECIFIED, ContributorKind


@dataclass(frozen=True)
class Finding:
    """One problem of the patient: all chart entries of one kind at one level of the spine, the best witness first."""

    kind: ContributorKind
    level: str
    entries: tuple[ChartEntry, ...]

    @property
    def entry(self) -> ChartEntry:
        return self.entries[0]


def split_serious(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """The possible contributors, and those that are never called so."""
    found = list(findings)
    return [one for one in found if not one.kind.serious], [one for one in found if one.kind.serious]


def find_contributors(record: PatientRecord, topic: Topic, today: date) -> tuple[Finding, ...]:
    """Every finding that counts today, ranked: current before resolved, then by level of the spine, then by kind.

    Entries of one kind at one level are one finding; so are those that name no level, where the kind is known at
    another.
    """
    kinds = [kind for kind in topic.service.contributors if kind.enabled]
    levels = topic.service.settings.levels
    counted: list[tuple[int, ChartEntry]] = []
    for entry in (*record.section("Condition").matched, *record.section("Procedure").matched):
        place = _kind_of(entry, kinds)
        if place is not None and _counts(entry, kinds[place], today):
            counted.append((place, entry))
    grouped: dict[tuple[int, str], list[ChartEntry]] = {}
    for (place, entry), level in zip(counted, _levels_of([entry for _, entry in counted], topic), strict=True):
        if level in levels:
            grouped.setdefault((place, level), []).append(entry)
    findings = [
        Finding(kinds[place], level, tuple(sorted(entries, key=_worth)))
        for (place, level), entries in _without_twins(grouped, levels).items()
    ]
    return tuple(sorted(findings, key=lambda finding: _rank(finding, kinds, levels)))


def _kind_of(entry: ChartEntry, kinds: Sequence[ContributorKind]) -> int | None:
    """The first kind, the most specific, whose value set holds the entry."""
    value_sets = entry.value_sets
    return next((place for place, kind in enumerate(kinds) if kind.value_set in value_sets), None)


def _counts(entry: ChartEntry, kind: ContributorKind, today: date) -> bool:
    """Structural disease counts for life; what heals counts while it lasts, and an injury for its look-back."""
    if entry.standing is Standing.UNFINISHED:
        return False
    if kind.lasting:
        return True
    if entry.standing is Standing.RESOLVED:
        return False
    if kind.look_back_days is None:
        return True
    return (
        entry.best_known_date is None
        or entry.best_known_date.is_before(today - timedelta(days=kind.look_back_days)) is not True
    )


def _levels_of(entries: Sequence[ChartEntry], topic: Topic) -> Iterator[str]:
    """The level of the spine that the codes or words of each entry name; the lowest where they name several."""
    for matches in topic.levels.match_all([entry.concept for entry in entries]):
        value_sets = {match.value_set for match in matches}
        yield next((level for level, name in topic.service.levels.items() if name in value_sets), UNSPECIFIED)


def _without_twins(
    grouped: Mapping[tuple[int, str], list[ChartEntry]], levels: Sequence[str]
) -> dict[tuple[int, str], list[ChartEntry]]:
    """Entries without a level join those of the same kind at the foremost level: one problem, told less precisely."""
    joined = dict(grouped)
    for place, level in grouped:
        at = next((other for other in levels if other != UNSPECIFIED and (place, other) in grouped), None)
        if level == UNSPECIFIED and at is not None:
            joined[place, at] = joined[place, at] + joined.pop((place, UNSPECIFIED))
    return joined


_STANDINGS = [Standing.CURRENT, Standing.NOT_RECORDED, Standing.DONE, Standing.RESOLVED, Standing.UNFINISHED]


def _worth(entry: ChartEntry) -> tuple[object, ...]:
    """The best witness of a problem: standing, confirmed, dated early, coded; the id, so that order never matters."""
    began = entry.began.first if entry.began else date.max
    coded = all(match.code is None for match in entry.matches)
    identity = (entry.resource_type, entry.id or "", entry.words)
    return (_STANDINGS.index(entry.standing), not entry.confirmed, began, coded, identity)


def _rank(finding: Finding, kinds: Sequence[ContributorKind], levels: Sequence[str]) -> tuple[object, ...]:
    past = finding.entry.standing is Standing.RESOLVED
    return (past, levels.index(finding.level), kinds.index(finding.kind))
