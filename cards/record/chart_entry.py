"""An entry of the chart that matches a value set: its standing today, its dates, and how certain the chart is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from cards.fhir.dates import DateRange, earliest, read_date, read_period
from cards.fhir.resources import ChartResource, CodeableConcept, Condition, Period, Procedure, Reasons, Status
from cards.fhir.tolerant_reading import ABSENT, read_elements
from cards.terminology.match import Match

_NEVER = frozenset({"refuted", "entered-in-error", "ruled-out"})
_UNCONFIRMED = frozenset({"unconfirmed", "provisional", "differential"})
_CURRENT = frozenset({"active", "recurrence", "relapse"})
# FHIR's codes, and those of SNOMED CT's "inactive" and "problem resolved", which C-CDA has
_PAST = frozenset({"inactive", "remission", "resolved", "problem-resolved", "73425007", "413322009"})
_STATUSES = _NEVER | _UNCONFIRMED | _CURRENT | _PAST | {"confirmed"}
_CERTAINTIES = {"A": "refuted", "V": "provisional", "Z": "resolved"}  # of ICD-10-GM, as FHIR's codes
_NOT_DONE = frozenset({"not-done"})
_DONE = frozenset({"completed", ""})
# Begun and not finished, or not known: in R4 and R5, and under the names of DSTU2 and STU3.
_UNFINISHED = frozenset({"in-progress", "stopped", "aborted", "on-hold", "suspended", "unknown"})


class Standing(StrEnum):
    """How a finding stands today."""

    CURRENT = "current"
    NOT_RECORDED = "not-recorded"  # neither a clinical status nor an abatement: counts as current, and says so
    RESOLVED = "resolved"
    DONE = "done"  # a Procedure
    UNFINISHED = "unfinished"  # a Procedure in progress or stopped: counts where something may have followed
    NOT_DONE = "not-done"  # a Procedure that was not done, for a reason that is stated: an attempt may have been made


ACTIVE = frozenset({Standing.CURRENT, Standing.NOT_RECORDED})


@dataclass(frozen=True, slots=True)
class ChartEntry:
    """What the rest of `cards` knows of a resource.

    `began`: the onset, or when a Procedure was performed. `recorded`: when it was entered. `reasons` and
    `reason_references`: why a Procedure was done, or was not. `ended`: the abatement, where it is a date.
    `onset_age`: in years. `confirmed` False: the chart or its words express doubt, or an unknown extension may.
    """

    resource_type: str
    id: str | None
    concept: CodeableConcept
    matches: tuple[Match, ...]
    standing: Standing
    confirmed: bool
    began: DateRange | None
    recorded: DateRange | None
    reasons: tuple[CodeableConcept, ...] = ()
    reason_references: tuple[str, ...] = ()
    ended: DateRange | None = None
    onset_age: int | None = None

    def in_life(self, born: DateRange) -> ChartEntry:
        """The same with its age at onset as a date, and without dates before birth, which stand for no date at all."""
        began, recorded = (day if day and day.last >= born.first else None for day in (self.began, self.recorded))
        if began is None and self.onset_age is not None:
            began = read_period(str(born.first.year + self.onset_age), str(born.last.year + self.onset_age + 1))
        is_changed = began is not self.began or recorded is not self.recorded
        return replace(self, began=began, recorded=recorded) if is_changed else self

    @property
    def is_active(self) -> bool:
        """Whether the chart shows this as a problem of today."""
        return self.standing in ACTIVE

    @property
    def value_sets(self) -> frozenset[str]:
        """The value sets that this belongs to."""
        return frozenset([match.value_set for match in self.matches])

    @property
    def best_known_date(self) -> DateRange | None:
        """When it began, else when it was recorded: by then it had begun."""
        return self.began or self.recorded

    def match_in(self, value_set: str) -> Match | None:
        """Why this belongs to a value set, by its longest code, for codings have no order. None: it does not."""
        matches = [match for match in self.matches if match.value_set == value_set]
        return min(
            matches,
            key=lambda match: (match.code is None, match.code_system or "", -len(match.code or ""), match.code or ""),
            default=None,
        )

    @property
    def words(self) -> str:
        """The chart's own words: of the coding that the user selected, else the text, else the longest display."""
        displays = [(bool(coding.user_selected), coding.display) for coding in self.concept.coding if coding.display]
        picked = [display for is_picked, display in displays if is_picked]
        choice = picked or ([self.concept.text] if self.concept.text else [display for _, display in displays])
        return max(choice, key=lambda words: (len(words), words), default="")


def read_chart_entry(resource: ChartResource, matches: tuple[Match, ...], today: date) -> ChartEntry | None:
    """The resource as an entry; None where it is refuted, entered in error, or was not performed.

    Resources of any other type than Procedure are read as a Condition is, whose elements many share: clinicalStatus,
    verificationStatus, onset, recordedDate (https://hl7.org/fhir/R4/allergyintolerance.html).
    """
    if resource.resource_type == "Procedure":
        return _procedure(resource, matches)
    return _condition(resource, matches, today)


def _condition(resource: ChartResource, matches: tuple[Match, ...], today: date) -> ChartEntry | None:
    """clinical.md 6, rules 1 to 3: what is refuted or entered in error is left out, what is unconfirmed labeled."""
    condition = read_elements(resource, Condition)
    concept = resource.concept()
    certainty = _certainty(concept)
    verification = _codes(condition.verification_status) | certainty
    if verification & _NEVER:
        return None
    period, age = condition.abatement_period, condition.onset_age
    return ChartEntry(
        resource.resource_type,
        resource.id,
        concept,
        matches,
        _standing(condition, _codes(condition.clinical_status) | certainty, today),
        not verification & _UNCONFIRMED and _are_certain(resource, matches),
        read_date(condition.onset_date_time or condition.onset_string or "") or _read_period(condition.onset_period),
        earliest(day for day in map(read_date, condition.entered()) if day),
        ended=read_date(condition.abatement_date_time or (period.end if period else None) or ""),
        onset_age=int(age.value) if age and age.value is not None and age.code == "a" else None,
    )


def _procedure(resource: ChartResource, matches: tuple[Match, ...]) -> ChartEntry | None:
    """clinical.md 6, rule 4: what was begun; a Procedure without a status counts as done, as DSTU2 has them.

    One that was not done is kept where its reason or its name says something: it may say that it failed.
    """
    procedure, concept = read_elements(resource, Procedure), resource.concept()
    status = (procedure.status or "").strip().lower()
    why_not = [procedure.status_reason, procedure.not_done_reason, *procedure.reason_not_performed, concept]
    not_done = bool(procedure.not_done or procedure.not_performed) or status in _NOT_DONE
    reasons = tuple(why for why in why_not if why is not None and why.says_something()) if not_done else ()
    if (not_done and not reasons) or (not not_done and status not in _DONE | _UNFINISHED):
        return None
    moment = procedure.performed_date_time or procedure.occurrence_date_time
    words = procedure.performed_string or procedure.occurrence_string
    period = procedure.performed_period or procedure.occurrence_period
    stated = read_elements(resource, Reasons)
    return ChartEntry(
        resource.resource_type,
        resource.id,
        concept,
        matches,
        Standing.NOT_DONE if not_done else Standing.DONE if status in _DONE else Standing.UNFINISHED,
        _are_certain(resource, matches),
        read_date(moment or words or "") or _read_period(period),
        None,
        reasons or stated.concepts(),
        () if not_done else stated.references(),
    )


def _certainty(concept: CodeableConcept) -> frozenset[str]:
    """The status that a German chart states by a letter, as FHIR's code; none where its codings state several."""
    letters = concept.certainties()
    return frozenset(_CERTAINTIES[one] for one in letters if one in _CERTAINTIES) if len(letters) == 1 else frozenset()


def _are_certain(resource: ChartResource, matches: tuple[Match, ...]) -> bool:
    return resource.modifier_extension is ABSENT and all(match.certain for match in matches)


def _standing(condition: Condition, clinical: frozenset[str], today: date) -> Standing:
    """The abatement wins over the status: STU3 and DSTU2 charts say `active` beside an abatement years back."""
    if clinical & _PAST or _has_abated(condition, today):
        return Standing.RESOLVED
    return Standing.CURRENT if clinical & _CURRENT else Standing.NOT_RECORDED


def _has_abated(condition: Condition, today: date) -> bool:
    if condition.abatement_boolean or condition.abatement_string:
        return True
    if condition.abatement_age or condition.abatement_range:
        return True
    if condition.abatement_date_time:
        abated = read_date(condition.abatement_date_time)
        return abated is None or abated.first <= today  # a date that does not exist still says: it abated
    period = condition.abatement_period
    ended = read_date(period.end or "") if period else None
    return ended is not None and ended.first <= today


def _read_period(period: Period | None) -> DateRange | None:
    return read_period(period.start, period.end) if period else None


def _codes(status: Status | None) -> frozenset[str]:
    """The codes of a status that we know; without any, its words: "Entered in Error" is entered-in-error."""
    if status is None:
        return frozenset()
    if isinstance(status, str):
        return _known([status])
    return _known([coding.code or "" for coding in status.coding]) or _known(status.texts)


def _known(words: Iterable[str]) -> frozenset[str]:
    return _STATUSES.intersection(["-".join(word.lower().split()) for word in words])
