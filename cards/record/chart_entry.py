"""An entry of the chart that matches a value set: its standing today, its dates, and how certain the chart is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cards.fhir.dates import DateRange, read_date, read_period
from cards.fhir.resources import ChartResource, CodeableConcept, Condition, Period, Procedure, Reasons, Status
from cards.fhir.tolerant_reading import read_elements
from cards.terminology.match import Match

_NEVER = frozenset({"refuted", "entered-in-error"})
_UNCONFIRMED = frozenset({"unconfirmed", "provisional", "differential"})
_CURRENT = frozenset({"active", "recurrence", "relapse"})
_PAST = frozenset({"inactive", "remission", "resolved"})
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
    `confirmed` False: the chart or its words express doubt.
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
    verification = _codes(condition.verification_status)
    if verification & _NEVER:
        return None
    period = condition.abatement_period
    return ChartEntry(
        resource.resource_type,
        resource.id,
        resource.concept(),
        matches,
        _standing(condition, today),
        not verification & _UNCONFIRMED and _are_certain(matches),
        read_date(condition.onset_date_time or "") or _read_period(condition.onset_period),
        read_date(condition.recorded_date or condition.asserted_date or condition.date_recorded or ""),
        ended=read_date(condition.abatement_date_time or (period.end if period else None) or ""),
    )


def _procedure(resource: ChartResource, matches: tuple[Match, ...]) -> ChartEntry | None:
    """clinical.md 6, rule 4: what was begun; a Procedure without a status counts as done, as DSTU2 has them.

    One that was not done is kept where its reason is stated: the reason may be that it failed.
    """
    procedure = read_elements(resource, Procedure)
    status = (procedure.status or "").strip().lower()
    why_not = [procedure.status_reason, procedure.not_done_reason, *procedure.reason_not_performed]
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
        resource.concept(),
        matches,
        Standing.NOT_DONE if not_done else Standing.DONE if status in _DONE else Standing.UNFINISHED,
        _are_certain(matches),
        read_date(moment or words or "") or _read_period(period),
        None,
        reasons or stated.concepts(),
        () if not_done else stated.references(),
    )


def _are_certain(matches: tuple[Match, ...]) -> bool:
    return all(match.certain for match in matches)


def _standing(condition: Condition, today: date) -> Standing:
    """The abatement wins over the status: STU3 and DSTU2 charts say `active` beside an abatement years back."""
    if _has_abated(condition, today):
        return Standing.RESOLVED
    clinical = _codes(condition.clinical_status)
    if clinical & _PAST:
        return Standing.RESOLVED
    return Standing.CURRENT if clinical & _CURRENT else Standing.NOT_RECORDED


def _has_abated(condition: Condition, today: date) -> bool:
    if (
        condition.abatement_boolean
        or condition.abatement_string
        or condition.abatement_age
        or condition.abatement_range
    ):
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
    """The codes of a status, which is a plain code up to STU3 and a CodeableConcept since R4."""
    if status is None:
        return frozenset()
    if isinstance(status, str):
        return frozenset({status.strip().lower()})
    codes = [coding.code for coding in status.coding if coding.code] or [status.text or ""]
    return frozenset(code.strip().lower() for code in codes)
