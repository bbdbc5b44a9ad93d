"""Numbness or tingling of the legs or the saddle area that is new since a puncture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cards.fhir.dates import DateRange, days_from, exactly
from cards.record.chart_entry import ChartEntry
from cards.record.problem import Evidence
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.problems import Problems
from cards.topics.lumbar_puncture.decision.punctures import Punctures


@dataclass(frozen=True)
class NerveSymptom:
    """Numbness or tingling that was not known before the puncture.

    `lasts`: whether it has lasted longer than nerve-symptom-warning-days; None where the dates do not tell.
    `began_late`: whether it certainly began more than late-onset-days after the puncture.
    """

    evidence: tuple[Evidence, ...]
    onset: DateRange | None
    lasts: bool | None
    began_late: bool

    @property
    def entries(self) -> tuple[ChartEntry, ...]:
        return tuple(source.entry for source in self.evidence)


def find_nerve_symptom(problems: Problems, punctures: Punctures, topic: Topic, today: date) -> NerveSymptom | None:
    """The numbness that may be new since the latest completed puncture; None where there is none."""
    if not punctures.completed:
        return None
    settings, on = topic.service.after_puncture, punctures.last_on
    problem = problems.of(*topic.service.complaints.nerve_symptom)
    evidence = problem.may_be_new_since(on)
    if not evidence:
        return None
    onset = problem.onset_since(on) if on else None
    lasting = [_lasts(source, settings.nerve_symptom_warning_days, today) for source in evidence]
    lasts = True if True in lasting else None if None in lasting else False
    late = on is not None and onset is not None and days_from(on, onset).exceed(settings.late_onset_days) is True
    return NerveSymptom(evidence, onset, lasts, late)


def _lasts(source: Evidence, days: int, today: date) -> bool | None:
    """Whether a symptom has lasted longer than so many days; one without an onset, at least since it was recorded."""
    now = exactly(today)
    if source.began is not None:
        return days_from(source.began, now).exceed(days)
    recorded = source.recorded
    return True if recorded is not None and days_from(recorded, now).exceed(days) else None
