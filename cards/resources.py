"""The slim shapes of the FHIR resources we read: DSTU2, STU3, R4, R4B and R5 at once, only the elements we ask for.

Each element that changed its name between versions stands here under all its names (hl7.org/fhir, the page of each
resource).
"""

from __future__ import annotations

import msgspec


class _Element(msgspec.Struct, rename="camel", gc=False):
    """gc=False: these trees hold no cycles, and a thousand of them should not wake the garbage collector."""


class Coding(_Element):
    system: str | None = None
    code: str | None = None
    display: str | None = None
    user_selected: bool | None = None


class CodeableConcept(_Element):
    coding: list[Coding] = []
    text: str | None = None

    def says_something(self) -> bool:
        """Whether there is a code or a word to judge by."""
        return bool(self.text) or any(coding.code or coding.display for coding in self.coding)


class CodeableReference(CodeableConcept):
    """A CodeableConcept up to R4; since R5 the concept may stand one level down."""

    concept: CodeableConcept | None = None

    def resolved(self) -> CodeableConcept:
        return self.concept or self


class Reference(_Element):
    reference: str | None = None


class Period(_Element):
    start: str | None = None
    end: str | None = None


class Subject(_Element):
    """What every entry of a chart must tell: what it is, whose it is, and what it is about."""

    resource_type: str = ""
    id: str | None = None
    code: CodeableReference | None = None
    subject: Reference | None = None
    patient: Reference | None = None  # Condition in DSTU2


class SubjectEntry(_Element):
    """A Bundle entry, or (resource None) the resource itself where an entry was expected."""

    full_url: str | None = None
    resource_type: str = ""
    resource: Subject | None = None


class RawEntry(_Element):
    full_url: str | None = None
    resource: msgspec.Raw | None = None


class Present(_Element):
    """An element of which it matters only that it is there."""


Status = CodeableConcept | str  # a code up to STU3, a CodeableConcept since R4


class Condition(_Element):
    """https://hl7.org/fhir/R4/condition.html and its DSTU2, STU3 and R5 sisters."""

    clinical_status: Status | None = None
    verification_status: Status | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_boolean: bool | None = None  # up to STU3
    abatement_string: str | None = None
    abatement_age: Present | None = None
    abatement_range: Present | None = None
    recorded_date: str | None = None
    asserted_date: str | None = None  # STU3
    date_recorded: str | None = None  # DSTU2


class Procedure(_Element):
    """https://hl7.org/fhir/R4/procedure.html and its DSTU2, STU3 and R5 sisters."""

    status: str | None = None
    not_done: bool | None = None  # STU3
    not_performed: bool | None = None  # DSTU2
    performed_date_time: str | None = None
    performed_period: Period | None = None
    performed_string: str | None = None
    occurrence_date_time: str | None = None  # R5
    occurrence_period: Period | None = None
    occurrence_string: str | None = None


class Communication(_Element):
    language: CodeableConcept | None = None
    preferred: bool | None = None


class Patient(_Element):
    resource_type: str = ""
    id: str | None = None
    communication: list[Communication] = []


class Order(_Element):
    """ServiceRequest (R4, R5: https://hl7.org/fhir/R5/servicerequest.html), ProcedureRequest (DSTU2, STU3)."""

    resource_type: str = ""
    id: str | None = None
    status: str | None = None
    priority: str | None = None
    do_not_perform: bool | None = None
    code: CodeableReference | None = None
    subject: Reference | None = None


class Issue(_Element):
    severity: str | None = None


class OperationOutcome(_Element):
    issue: list[Issue] = []


class BundleLink(_Element):
    relation: str | None = None
    url: str | None = None


class Bundle(_Element):
    """A Bundle of any type, its entries left as bytes."""

    resource_type: str = ""
    total: int | None = None
    link: list[BundleLink] = []
    entry: list[msgspec.Raw] = []
