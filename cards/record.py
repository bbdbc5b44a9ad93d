"""PatientRecord: what this call lets us know of one patient, read tolerantly and matched against the value sets.

Every entry of a chart is looked at once, in its slimmest shape; only what a value set holds is read further. An entry
that cannot be read is counted, with the reason, and costs the others nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cards.chart_entry import ChartEntry, Identity, condition_entry, procedure_entry
from cards.ownership import OtherPatient, Ownership
from cards.reading import JsonBytes, Reader, Unreadable
from cards.resources import Condition, OperationOutcome, Patient, Procedure, RawEntry, Reference, Subject, SubjectEntry
from cards.value_set import Terminology

_ENTRY = Reader(SubjectEntry)
_BARE = Reader(Subject)
_RAW_ENTRY = Reader(RawEntry)
_CONDITION = Reader(Condition)
_PROCEDURE = Reader(Procedure)
_PATIENT = Reader(Patient)
_OUTCOME = Reader(OperationOutcome)

__all__ = ["OtherPatient", "PatientRecord", "Section", "SectionRead", "read_language", "read_section"]


@dataclass(frozen=True)
class Section:
    """The Conditions, or the Procedures, as they were obtained: each a Bundle entry or a bare resource.

    `obtained` False: nobody could tell. `complete` False: there is more than this.
    """

    entries: Sequence[JsonBytes] = ()
    obtained: bool = True
    complete: bool = True


@dataclass(frozen=True)
class SectionRead:
    """What one Section held for us. `unread` counts the entries that could not be read, by reason."""

    found: tuple[ChartEntry, ...] = ()
    seen_count: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    obtained: bool = True
    complete: bool = True

    @property
    def unread_count(self) -> int:
        return sum(self.unread.values())


@dataclass(frozen=True)
class PatientRecord:
    """One patient in one call: the conditions and procedures that matter, and how much of the chart was seen.

    `language`: the patient's preferred language, two letters, or None where the chart does not say.
    """

    conditions: SectionRead
    procedures: SectionRead
    language: str | None = None


def read_section(
    section: Section, resource_type: str, patient_id: str, terminology: Terminology, today: date
) -> SectionRead:
    """Read the entries of one resource type ("Condition" or "Procedure"); other types are passed over.

    Raises OtherPatient at the first entry that is certainly about somebody else.
    """
    found: list[ChartEntry] = []
    unread: Counter[str] = Counter()
    seen_count = 0
    ownership = Ownership(patient_id, section.entries)
    complete = section.complete
    for index, raw in enumerate(section.entries):
        try:
            subject = _read_subject(raw)
            if subject.resource_type != resource_type:
                complete = complete and not _reports_error(subject, raw)
                continue
            seen_count += 1
            if not ownership.is_ours((subject.subject or subject.patient or _NOBODY).reference, index):
                raise Unreadable("patient not resolved")
            if subject.code is None or not subject.code.resolved().says_something():
                raise Unreadable("no code")
            matches = terminology.match(subject.code.resolved())
            if matches:
                identity = Identity(resource_type, subject.id, subject.code.resolved(), matches)
                entry = _read_entry(identity, raw, today)
                if entry is not None:
                    found.append(entry)
        except Unreadable as reason:
            unread[str(reason)] += 1
    return SectionRead(tuple(found), seen_count, dict(unread), section.obtained, complete)


_NOBODY = Reference()


def _read_subject(raw: JsonBytes) -> Subject:
    entry, _ = _ENTRY.read(raw)
    if entry.resource is not None:
        return entry.resource
    if not entry.resource_type:
        raise Unreadable("no resource")
    return _BARE.read(raw)[0]


def _reports_error(subject: Subject, raw: JsonBytes) -> bool:
    """Whether this is an OperationOutcome that says something went wrong, not just a remark on the search."""
    if subject.resource_type != "OperationOutcome":
        return False
    outcome, _ = _OUTCOME.read(_RAW_ENTRY.read(raw)[0].resource or raw)
    return any(issue.severity not in ("information", "warning") for issue in outcome.issue)


def _read_entry(identity: Identity, raw: JsonBytes, today: date) -> ChartEntry | None:
    resource = _RAW_ENTRY.read(raw)[0].resource or raw
    if identity.resource_type == "Condition":
        return condition_entry(identity, _CONDITION.read(resource)[0], today)
    return procedure_entry(identity, _PROCEDURE.read(resource)[0])


def read_language(patient: JsonBytes) -> tuple[str | None, str | None]:
    """The id of a Patient, and the language of its communication: the preferred one, else the first, two letters.

    Raises Unreadable where this is no Patient.
    """
    found, _ = _PATIENT.read(patient)
    if found.resource_type != "Patient":
        raise Unreadable("not a Patient")
    spoken = sorted(found.communication, key=lambda communication: not communication.preferred)
    tags = [coding.code for one in spoken if one.language for coding in one.language.coding if coding.code]
    return found.id, (tags[0].strip()[:2].lower() or None) if tags else None
