"""What one chart means for the orders at hand: punctures, red flags, pain, nerve symptoms, findings. No words yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cards.fhir.dates import days_from, exactly
from cards.record.patient_record import PatientRecord
from cards.topics.lumbar_puncture.content import LumbarPunctureContent as Topic
from cards.topics.lumbar_puncture.decision.escalators import Escalator, find_escalators
from cards.topics.lumbar_puncture.decision.findings import Finding, find_contributors
from cards.topics.lumbar_puncture.decision.nerve_symptoms import NerveSymptom, find_nerve_symptom
from cards.topics.lumbar_puncture.decision.pain import Pain, class_pain
from cards.topics.lumbar_puncture.decision.problems import Problems
from cards.topics.lumbar_puncture.decision.punctures import Punctures, find_punctures
from cards.topics.lumbar_puncture.decision.red_flags import RedFlag, RedFlagRule, RedFlags
from cards.topics.lumbar_puncture.decision.triage import Basis, Triage, WorkUp
from cards.topics.lumbar_puncture.settings import UNSPECIFIED, ContributorKind


class WhySilent(StrEnum):
    """Why there is nothing to say of what followed a puncture, or of what to expect of the next."""

    CHILD = "the patient is under 18: red flags only"
    NO_PUNCTURE = "no completed lumbar puncture within the look-back"
    URGENT = "the puncture that is ordered is urgent"
    OTHER_REASON = "every work-up states another reason, and no complaint or red flag began since the puncture"
    NO_COMPLAINT = "no complaint, and the puncture is too long ago to ask about one"
    NO_COMPLAINT_SINCE = "no complaint began since the last puncture"
    SERIAL = "serial punctures without a complaint since the first: this patient knows what to expect"


@dataclass(frozen=True)
class Assessment:
    """Everything the cards are written from.

    `why_silent_after`: why what followed a puncture is not to be spoken of; None: it is. `why_silent_before`: the same
    for the puncture that is ordered. `findings`: without the complaint that is to be explained.
    """

    today: date
    triage: Triage
    record: PatientRecord
    punctures: Punctures
    problems: Problems
    flag_rule: RedFlagRule
    flags: RedFlags
    escalators: tuple[Escalator, ...]
    is_child: bool
    why_silent_after: WhySilent | None
    why_silent_before: WhySilent | None
    pain: Pain
    nerve_symptom: NerveSymptom | None
    findings: tuple[Finding, ...]

    @property
    def red_flags(self) -> tuple[RedFlag, ...]:
        """The red flags that count, the gravest first."""
        return self.flags.counting

    @property
    def shows_pain(self) -> bool:
        """Pain has the card where there is pain, or where there is nothing else to speak of."""
        return self.why_silent_after is None and (self.pain.evidence is not None or self.nerve_symptom is None)

    @property
    def shows_nerve_symptom(self) -> bool:
        """Numbness without pain has a card of its own."""
        return self.why_silent_after is None and not self.shows_pain

    @property
    def is_nerve_symptom_lasting(self) -> bool:
        """Whether numbness has certainly lasted longer than nerve-symptom-warning-days."""
        return self.nerve_symptom is not None and self.nerve_symptom.lasts is True

    @property
    def is_complaint_known(self) -> bool:
        """Whether chart or orders tell of pain or a nerve symptom: what a referral would be for."""
        return self.pain.evidence is not None or self.nerve_symptom is not None

    def lists_contributors(self, topic: Topic) -> bool:
        """Whether the card on what followed the puncture lists the findings, which are then not listed twice."""
        settings = topic.service.after_puncture.classes[self.pain.pain_class]
        return self.shows_nerve_symptom or (self.shows_pain and settings.contributors)


def assess(triage: Triage, record: PatientRecord, topic: Topic, today: date) -> Assessment:
    """Read a record for these orders."""
    punctures = find_punctures(record, triage, topic, today)
    problems = Problems(record, triage.words, topic, today)
    flag_rule = RedFlagRule(problems, punctures, triage.ordered, topic, today)
    flags = flag_rule.find()
    escalators = find_escalators(triage, record, topic)
    pain = class_pain(problems, punctures, escalators, record, topic, today)
    nerve_symptom = find_nerve_symptom(problems, punctures, topic, today)
    is_child = _is_child(record, topic, today)
    silent_after = (
        WhySilent.CHILD if is_child else _why_silent_after(triage, punctures, problems, flag_rule, topic, today)
    )
    silent_before = WhySilent.CHILD if is_child else _why_silent_before(punctures, problems, topic, today)
    findings = find_contributors(record, topic, today)
    if silent_after is None:
        findings = tuple(finding for finding in findings if _explains(finding, punctures, problems))
    findings += tuple(_past_flags(flags, findings))
    return Assessment(
        today,
        triage,
        record,
        punctures,
        problems,
        flag_rule,
        flags,
        escalators,
        is_child,
        silent_after,
        silent_before,
        pain,
        nerve_symptom,
        findings,
    )


def counts(work_up: WorkUp, punctures: Punctures, problems: Problems, flag_rule: RedFlagRule, topic: Topic) -> bool:
    """Whether this order works up what may have followed a puncture, now that the chart is known."""
    if work_up.basis is Basis.COMPLAINT:
        return True
    if work_up.basis is Basis.ITSELF and not work_up.states_other_reasons:
        return True
    if work_up.basis is Basis.RED_FLAG:  # counts only as the flag it may be, which has a card of its own
        return False
    last = punctures.last
    has_complaint = problems.began_since(topic.service.complaints.value_sets, punctures.last_on)
    return has_complaint or (last is not None and flag_rule.began_since(last))


def all_kinds(topic: Topic) -> tuple[str, ...]:
    """The value sets of every complaint and red flag."""
    service = topic.service
    return (*service.complaints.value_sets, *(flag.value_set for flag in service.red_flags))


def _is_child(record: PatientRecord, topic: Topic, today: date) -> bool:
    born = record.birth_date
    adult_years = topic.service.patients.adult_years
    return (
        born is not None
        and born.first.year + adult_years >= today.year
        and not _has_birthday(born.first, adult_years, today)
    )


def _has_birthday(born: date, years: int, today: date) -> bool:
    """Whether a birthday has come; that of February 29 is March 1 in other years."""
    return (born.year + years, born.month, born.day) <= (today.year, today.month, today.day)


def _why_silent_after(
    triage: Triage,
    punctures: Punctures,
    problems: Problems,
    flag_rule: RedFlagRule,
    topic: Topic,
    today: date,
) -> WhySilent | None:
    """Why there is nothing to say of what followed a puncture; None where there is.

    A work-up asks for it, if it counts. Another puncture does only where a complaint is new since the last one.
    """
    if not punctures.completed:
        return WhySilent.NO_PUNCTURE
    if triage.urgent:
        return WhySilent.URGENT
    complaints = topic.service.complaints
    if not triage.work_ups:
        has_new = any(problems.of(*sets).new_since(punctures.last_on) for sets in complaints.each)
        return None if has_new else WhySilent.NO_COMPLAINT_SINCE
    if not any(counts(work_up, punctures, problems, flag_rule, topic) for work_up in triage.work_ups):
        return WhySilent.OTHER_REASON
    has_complaint = any(problems.of(*sets).present for sets in complaints.each)
    on, limit = punctures.last_on, topic.service.after_puncture.ask_days
    if not has_complaint and on is not None and days_from(on, exactly(today)).exceed(limit) is True:
        return WhySilent.NO_COMPLAINT
    return None


def _why_silent_before(punctures: Punctures, problems: Problems, topic: Topic, today: date) -> WhySilent | None:
    """Serial punctures: who is punctured weekly knows what to expect, unless something began since the first."""
    patients = topic.service.patients
    recent = punctures.completed_within(patients.serial_days, today)
    if len(recent) < patients.serial_punctures:
        return None
    first = min((puncture.on for puncture in recent if puncture.on), key=lambda on: (on.first, on.last))
    return None if problems.began_since(all_kinds(topic), first) else WhySilent.SERIAL


def _past_flags(flags: RedFlags, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Red flags whose latest evidence is too long ago: no flags any more, and nothing to reassure beside."""
    listed = {finding.kind.value_set for finding in findings}
    for flag in flags.long_ago:
        entries = tuple(entry for entry in flag.entries if entry.resource_type == "Condition")
        if entries and flag.kind.value_set not in listed:
            kind = ContributorKind(flag.kind.value_set, flag.kind.label, lasting=True, serious=True)
            yield Finding(kind, UNSPECIFIED, entries)


def _explains(finding: Finding, punctures: Punctures, problems: Problems) -> bool:
    """A complaint never explains itself; one that was known before the puncture is its baseline."""
    if not finding.kind.complaint:
        return True
    return bool(problems.of(finding.kind.value_set).known_before(punctures.last_on))
