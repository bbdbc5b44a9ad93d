"""What one chart means for the orders at hand: punctures, red flags, pain, nerve symptoms, findings. No words yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cards.fhir.dates import DateRange, days_from, exactly, until
from cards.record.chart_entry import ChartEntry
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.findings import Finding, find_contributors
from cards.topics.lumbar_puncture.decision.pain import Pain, class_pain, find_pain
from cards.topics.lumbar_puncture.decision.punctures import Punctures, began_since, by_onset, find_punctures, onset_of
from cards.topics.lumbar_puncture.decision.red_flags import RedFlag, find_red_flags
from cards.topics.lumbar_puncture.decision.triage import Triage


class WhyQuiet(StrEnum):
    """Why there is nothing to say of what followed a puncture."""

    NO_PUNCTURE = "no completed lumbar puncture within the look-back"
    URGENT = "the puncture that is ordered is urgent"
    OTHER_REASON = "every work-up states another reason, and the chart holds no complaint"
    NO_COMPLAINT_SINCE = "another puncture is ordered, and no complaint is dated since the last one"


@dataclass(frozen=True)
class NerveSymptom:
    """Numbness or tingling that did not certainly begin before the puncture.

    `lasts`: whether it has lasted longer than nerve-symptom-warning-days; None where the dates do not tell.
    """

    entries: tuple[ChartEntry, ...]
    lasts: bool | None


@dataclass(frozen=True)
class Assessment:
    """Everything the cards are written from.

    `complaints`: whatever is active and, by its kind, pain, a nerve symptom or a red flag, whenever it began.
    `why_quiet`: why what followed a puncture is not to be spoken of; None: it is. `findings`: without the complaint
    that is to be explained.
    """

    today: date
    found: Triage
    record: PatientRecord
    punctures: Punctures
    red_flags: tuple[RedFlag, ...]
    complaints: tuple[ChartEntry, ...]
    why_quiet: WhyQuiet | None
    pain: Pain
    nerve_symptom: NerveSymptom | None
    findings: tuple[Finding, ...]

    @property
    def is_pain_told(self) -> bool:
        """Pain has the card where there is pain, or where there is nothing else to speak of."""
        return self.why_quiet is None and (self.pain.entry is not None or self.nerve_symptom is None)

    @property
    def is_nerve_symptom_lasting(self) -> bool:
        """Whether numbness has certainly lasted longer than nerve-symptom-warning-days."""
        return self.nerve_symptom is not None and self.nerve_symptom.lasts is True

    @property
    def is_complaint_known(self) -> bool:
        """Whether chart or orders tell of pain or a nerve symptom: what a referral would be for."""
        return self.pain.entry is not None or self.nerve_symptom is not None or self.found.for_complaint

    def are_contributors_told(self, topic: Topic) -> bool:
        """Whether the card on what followed the puncture tells the findings, which are then not told twice."""
        settings = topic.service.after_puncture.classes[self.pain.pain_class]
        return self.is_nerve_symptom_told or (self.is_pain_told and settings.contributors)

    @property
    def is_nerve_symptom_told(self) -> bool:
        """Numbness without pain has a card of its own."""
        return self.why_quiet is None and not self.is_pain_told


def assess(found: Triage, record: PatientRecord, topic: Topic, today: date) -> Assessment:
    """Read a record for these orders."""
    punctures = find_punctures(record, topic, today)
    pains = find_pain(record, topic)
    nerve = _find_nerve_symptom(record, punctures, topic, today)
    why_quiet = _why_quiet(found, punctures, pains, nerve, today)
    findings = find_contributors(record, topic, today)
    if why_quiet is None:
        findings = tuple(one for one in findings if _explains(one, punctures.last_on, today))
    return Assessment(
        today,
        found,
        record,
        punctures,
        find_red_flags(found, record, punctures, topic, today),
        _find_complaints(record, topic),
        why_quiet,
        class_pain(pains, punctures, record, topic, today),
        nerve,
        findings,
    )


def _why_quiet(
    found: Triage, punctures: Punctures, pains: Sequence[ChartEntry], nerve: NerveSymptom | None, today: date
) -> WhyQuiet | None:
    """Why there is nothing to say of what followed a puncture; None where there is.

    A work-up asks for it, unless it is for something else and nobody complains. Another puncture does only where a
    complaint is dated since the last one: weekly intrathecal treatment stays quiet.
    """
    if not punctures.completed:
        return WhyQuiet.NO_PUNCTURE
    if found.urgent:
        return WhyQuiet.URGENT
    if found.work_ups:
        return WhyQuiet.OTHER_REASON if found.explained and not pains and not nerve else None
    complaints = [*pains, *(nerve.entries if nerve else ())]
    dated = [one for one in complaints if one.best_known_date] if punctures.last_on else []
    since = any(began_since(one, punctures.last_on, today) is not False for one in dated)
    return None if since else WhyQuiet.NO_COMPLAINT_SINCE


def _find_complaints(record: PatientRecord, topic: Topic) -> tuple[ChartEntry, ...]:
    settings = topic.service.after_puncture
    kinds = {settings.pain, settings.nerve_symptom, *(flag.value_set for flag in topic.service.red_flags)}
    return tuple(
        one for one in record.section("Condition").matched if one.is_active and not kinds.isdisjoint(one.value_sets)
    )


def _find_nerve_symptom(record: PatientRecord, punctures: Punctures, topic: Topic, today: date) -> NerveSymptom | None:
    settings = topic.service.after_puncture
    entries = [
        one
        for one in record.section("Condition").matched
        if one.is_active and one.match_in(settings.nerve_symptom)
        if punctures.completed and began_since(one, punctures.last_on, today) is not False
    ]
    if not entries:
        return None
    lasting = [_lasts(one, settings.nerve_symptom_warning_days, today) for one in entries]
    lasts = True if True in lasting else None if None in lasting else False
    return NerveSymptom(tuple(sorted(entries, key=by_onset)), lasts)


def _lasts(entry: ChartEntry, days: int, today: date) -> bool | None:
    """Whether a symptom has lasted longer than so many days; one without an onset, at least since it was recorded."""
    now = exactly(today)
    began, recorded = onset_of(entry, today), until(entry.recorded, today)
    if began is not None:
        return days_from(began, now).exceed(days)
    return True if recorded is not None and days_from(recorded, now).exceed(days) else None


def _explains(finding: Finding, puncture_on: DateRange | None, today: date) -> bool:
    """A complaint never explains itself, unless it was there before the puncture."""
    if not finding.kind.complaint:
        return True
    return any(began_since(one, puncture_on, today) is False for one in finding.entries)
