"""PatientRecord: what is known of a patient in one call, read tolerantly and matched against the value sets.

Every entry of a chart is looked at once, in its slimmest shape; only an entry that matches a value set is read
further. An entry that cannot be read is counted, with the reason, and does not affect the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from cards.fhir.bundle import Entries
from cards.fhir.dates import DateRange, read_date
from cards.fhir.patient_check import OtherPatient, Ownership
from cards.fhir.resources import BundleEntry, ChartResource, OperationOutcome, Patient, Reference
from cards.fhir.tolerant_reading import read_elements
from cards.record.chart_entry import ChartEntry, read_chart_entry
from cards.terminology.value_set_index import Terminology

__all__ = ["OtherPatient", "PatientFacts", "PatientRecord", "Section", "SectionRead", "read_patient", "read_section"]


@dataclass(frozen=True)
class Section:
    """The resources of one type, as they were obtained.

    `obtained` False: neither prefetch nor the FHIR server gave them. `complete` False: there are more than these.
    """

    entries: Entries = ()
    obtained: bool = True
    complete: bool = True


@dataclass(frozen=True)
class SectionRead:
    """A Section, read. `matched`: the entries that belong to a value set. `unread` counts the entries that could not be
    read, by reason; `seen_count` counts all."""

    matched: tuple[ChartEntry, ...] = ()
    seen_count: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    obtained: bool = True
    complete: bool = True

    @property
    def unread_count(self) -> int:
        return sum(self.unread.values())


_NOT_OBTAINED = SectionRead(obtained=False)


@dataclass(frozen=True)
class PatientRecord:
    """A patient in one call: the entries that matter, and how much of the chart was seen.

    `sections`: by FHIR resource type, one for each search of the service's prefetch. `language`: the patient's
    preferred language as a primary subtag ("es"), None where the chart does not say; so is `birth_date`.
    """

    patient_id: str
    sections: Mapping[str, SectionRead]
    language: str | None = None
    birth_date: DateRange | None = None

    def __post_init__(self) -> None:
        if born := self.birth_date:
            lived = ((name, [entry.in_life(born) for entry in read.matched]) for name, read in self.sections.items())
            sections = {name: replace(self.sections[name], matched=tuple(matched)) for name, matched in lived}
            object.__setattr__(self, "sections", sections)

    def section(self, resource_type: str) -> SectionRead:
        """The section of this type; not obtained where the call has none."""
        return self.sections.get(resource_type, _NOT_OBTAINED)


def read_section(
    section: Section, resource_type: str, patient_id: str, terminology: Terminology, today: date
) -> SectionRead:
    """Read the entries of one resource type, such as "Condition"; other types are passed over.

    Raises OtherPatient at the first entry that is certainly about another patient.
    """
    unread: Counter[str] = Counter()
    other_types = failed = False
    readable: list[ChartResource] = []
    ownership = Ownership(patient_id, section.entries)
    ours = ownership.ours
    for index, entry in enumerate(section.entries):
        resource = entry.resource if entry else None
        if resource is None or not resource.resource_type:
            unread["not a resource"] += 1
        elif resource.resource_type == resource_type:
            subject = resource.subject  # compared here first: a thousand calls are a fortieth of an answer
            if (subject is not None and subject.reference in ours) or ownership.is_ours(_subject(resource), index):
                readable.append(resource)
            else:
                unread["patient not resolved"] += 1
        elif resource.resource_type == "OperationOutcome":
            failed = failed or _reports_error(resource)
        else:
            other_types = True
    matches_by_index, unread["no code"] = terminology.sift(resource.code for resource in readable)
    chart_entries = (read_chart_entry(readable[at], matches, today) for at, matches in sorted(matches_by_index.items()))
    entries = tuple(entry for entry in chart_entries if entry is not None)
    seen_count = len(readable) + unread["not a resource"] + unread["patient not resolved"]
    obtained = section.obtained and (
        seen_count > 0 or not (other_types or failed)
    )  # an error instead of data is no answer
    return SectionRead(entries, seen_count, dict(+unread), obtained, section.complete and not failed)


def _subject(resource: ChartResource) -> Reference | None:
    """The reference to the patient: `subject`, or `patient` in DSTU2; the one that has a value."""
    if resource.subject is None or (resource.subject.reference is None and resource.patient is not None):
        return resource.patient
    return resource.subject


def _reports_error(resource: ChartResource) -> bool:
    """Whether an OperationOutcome says that something went wrong, and is not just a remark on the search."""
    issues = read_elements(resource, OperationOutcome).issue
    return not issues or any(issue.severity not in ("information", "warning") for issue in issues)


@dataclass(frozen=True)
class PatientFacts:
    """What a Patient resource says: its id, the preferred language ("es") and the date of birth, as far as known."""

    id: str | None
    language: str | None = None
    birth_date: DateRange | None = None


def read_patient(entry: BundleEntry | None) -> PatientFacts | None:
    """The facts of a Patient; None where this is no Patient.

    The language is the preferred one, else the first, as its primary subtag; None where it is given in words only.
    """
    resource = entry.resource if entry else None
    if resource is None or resource.resource_type != "Patient":
        return None
    patient = read_elements(resource, Patient)
    return PatientFacts(resource.id, _language(patient), read_date(patient.birth_date or ""))


def _language(patient: Patient) -> str | None:
    spoken = sorted(patient.communication, key=lambda language: not language.preferred)
    tags = [coding.code for coding in spoken[0].language.coding if coding.code] if spoken and spoken[0].language else []
    if not tags:
        return None
    subtag = re.split("[-_]", tags[0].strip().lower())[0]
    return _ISO_639_2.get(subtag, subtag)


_ISO_639_2 = {"eng": "en", "spa": "es"}  # three-letter codes of the languages we have pages in
