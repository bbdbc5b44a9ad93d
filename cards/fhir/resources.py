"""The slim shapes of the FHIR resources we read: DSTU2, STU3, R4, R4B and R5 at once, only the elements we use.

Each element that changed its name between versions stands here under all its names (hl7.org/fhir, the page of each
resource).
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from cards.fhir.tolerant_reading import ABSENT, JsonBytes, Reader, Unreadable


class _Element(msgspec.Struct, rename="camel", gc=False):
    """gc=False: these trees have no cycles, so the garbage collector need not visit them."""


class Extension(_Element):
    url: str | None = None
    value_date_time: str | None = None
    value_coding: Coding | None = None


class Coding(_Element):
    system: str | None = None
    code: str | None = None
    display: str | None = None
    user_selected: bool | None = None
    extension: list[Extension] = []


class CodeableConcept(_Element):
    coding: list[Coding] = []
    text: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All its words: the text and the displays, as far as there are any."""
        return tuple(text for text in (self.text, *(coding.display for coding in self.coding)) if text)

    def certainties(self) -> frozenset[str | None]:
        """How certain a diagnosis is, as German charts say by a letter (ICD-10-GM, Diagnosesicherheit)."""
        stated = [one for coding in self.coding for one in coding.extension if "diagnosesicherheit" in (one.url or "")]
        return frozenset(one.value_coding.code for one in stated if one.value_coding)

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


class Reason(CodeableConcept):
    """Why an order was placed or a Procedure done: a CodeableConcept, or since R5 a CodeableReference."""

    concept: CodeableConcept | None = None
    reference: Reference | None = None


class Period(_Element):
    start: str | None = None
    end: str | None = None


class Age(_Element):
    value: int | float | None = None
    code: str | None = None  # of UCUM: "a" for years


class ResourceCode(_Element):
    """What a resource of a chart is about, its codings still bytes: the same ones come back in chart after chart."""

    coding: msgspec.Raw = ABSENT
    text: str | None = None
    concept: msgspec.Raw = ABSENT  # since R5, whose CodeableReference holds the concept one level down

    def resolved(self) -> CodeableConcept:
        """The concept, decoded."""
        if self.concept is not ABSENT:
            with suppress(Unreadable):
                concept, _ = _CONCEPT.read(self.concept)
                return concept
        return CodeableConcept(read_codings(self.coding), self.text)


_CODINGS = Reader(list[Coding])
_CONCEPT = Reader(CodeableConcept)


def read_codings(raw: JsonBytes) -> list[Coding]:
    """The codings in these bytes; what cannot be read is left out."""
    try:
        return _CODINGS.read(raw)[0]
    except Unreadable:
        return []


class ChartResource(_Element):
    """Any resource of a chart: what it is, whose it is, what it is about; every other element stays bytes until asked.

    So a bad date never fails the decoding of a chart, and resources without a match are not decoded further.
    """

    # in the order in which servers write them, which is the order in which msgspec looks for them
    resource_type: str = ""
    id: str | None = None
    status: msgspec.Raw = ABSENT
    clinical_status: msgspec.Raw = ABSENT
    verification_status: msgspec.Raw = ABSENT
    category: msgspec.Raw = ABSENT
    code: ResourceCode | None = None
    subject: Reference | None = None
    patient: Reference | None = None  # Condition in DSTU2
    onset_date_time: msgspec.Raw = ABSENT
    onset_period: msgspec.Raw = ABSENT
    abatement_date_time: msgspec.Raw = ABSENT
    recorded_date: msgspec.Raw = ABSENT
    performed_date_time: msgspec.Raw = ABSENT
    performed_period: msgspec.Raw = ABSENT
    performed_string: msgspec.Raw = ABSENT
    occurrence_date_time: msgspec.Raw = ABSENT
    occurrence_period: msgspec.Raw = ABSENT
    occurrence_string: msgspec.Raw = ABSENT
    abatement_period: msgspec.Raw = ABSENT
    abatement_boolean: msgspec.Raw = ABSENT
    abatement_string: msgspec.Raw = ABSENT
    abatement_age: msgspec.Raw = ABSENT
    abatement_range: msgspec.Raw = ABSENT
    asserted_date: msgspec.Raw = ABSENT
    date_recorded: msgspec.Raw = ABSENT
    not_done: msgspec.Raw = ABSENT
    not_performed: msgspec.Raw = ABSENT
    status_reason: msgspec.Raw = ABSENT  # Procedure since R4; before, the two below
    not_done_reason: msgspec.Raw = ABSENT
    reason_not_performed: msgspec.Raw = ABSENT
    reason_code: msgspec.Raw = ABSENT  # Procedure, as the three below
    reason_reference: msgspec.Raw = ABSENT
    reason: msgspec.Raw = ABSENT
    reason_codeable_concept: msgspec.Raw = ABSENT
    birth_date: msgspec.Raw = ABSENT  # Patient
    communication: msgspec.Raw = ABSENT  # Patient
    issue: msgspec.Raw = ABSENT  # OperationOutcome
    onset_age: msgspec.Raw = ABSENT
    onset_string: msgspec.Raw = ABSENT
    extension: msgspec.Raw = ABSENT
    modifier_extension: msgspec.Raw = ABSENT

    def concept(self) -> CodeableConcept:
        """What the resource is about; a concept that says nothing where it has no code."""
        return self.code.resolved() if self.code else CodeableConcept()


class Present(_Element):
    """An element of which it matters only that it is there."""


Status = CodeableConcept | str  # a code up to STU3, a CodeableConcept since R4


class Condition(_Element):
    """https://hl7.org/fhir/R4/condition.html and its DSTU2, STU3 and R5 sisters: the elements read once it matters."""

    clinical_status: Status | None = None
    verification_status: Status | None = None
    onset_date_time: str | None = None
    onset_period: Period | None = None
    onset_age: Age | None = None
    onset_string: str | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_boolean: bool | None = None  # up to STU3
    abatement_string: str | None = None
    abatement_age: Present | None = None
    abatement_range: Present | None = None
    recorded_date: str | None = None
    asserted_date: str | None = None  # STU3
    date_recorded: str | None = None  # DSTU2
    extension: list[Extension] = []

    def entered(self) -> tuple[str, ...]:
        """When it was entered or asserted; an assertion is an extension since R4 (US Core)."""
        dates = [one.value_date_time for one in self.extension if (one.url or "").endswith("condition-assertedDate")]
        return tuple(day for day in (self.recorded_date, self.asserted_date, self.date_recorded, *dates) if day)


class Procedure(_Element):
    """https://hl7.org/fhir/R4/procedure.html and its DSTU2, STU3 and R5 sisters: the elements read once it matters."""

    status: str | None = None
    not_done: bool | None = None  # STU3
    not_performed: bool | None = None  # DSTU2
    status_reason: CodeableConcept | None = None
    not_done_reason: CodeableConcept | None = None  # STU3
    reason_not_performed: list[CodeableConcept] = []  # DSTU2
    performed_date_time: str | None = None
    performed_period: Period | None = None
    performed_string: str | None = None
    occurrence_date_time: str | None = None  # R5
    occurrence_period: Period | None = None
    occurrence_string: str | None = None


class Reasons(_Element):
    """Why, under the names it has had: `reason` is DSTU2 (ReferralRequest) and R5, reasonCodeableConcept is DSTU2."""

    reason_code: list[CodeableConcept] = []
    reason_reference: list[Reference] = []
    reason: list[Reason] = []
    reason_codeable_concept: CodeableConcept | None = None

    def concepts(self) -> tuple[CodeableConcept, ...]:
        """Every reason that has a code or words."""
        concepts = [*self.reason_code, *(reason.concept or reason for reason in self.reason)]
        if self.reason_codeable_concept is not None:
            concepts.append(self.reason_codeable_concept)
        return tuple(concept for concept in concepts if concept.says_something())

    def references(self) -> tuple[str, ...]:
        """Every reference to a reason."""
        references = [*self.reason_reference, *(reason.reference for reason in self.reason if reason.reference)]
        return tuple(reference.reference for reference in references if reference.reference)


class Communication(_Element):
    language: CodeableConcept | None = None
    preferred: bool | None = None


class Patient(_Element):
    birth_date: str | None = None
    communication: list[Communication] = []


class Issue(_Element):
    severity: str | None = None


class OperationOutcome(_Element):
    issue: list[Issue] = []


class Annotation(_Element):
    text: str | None = None


class OrderItem(_Element):
    code: CodeableConcept | None = None


class Order(Reasons):
    """ServiceRequest (R4, R5), ProcedureRequest and ReferralRequest (DSTU2, STU3), DiagnosticOrder (DSTU2).

    https://hl7.org/fhir/R5/servicerequest.html and the pages of its forerunners.
    """

    resource_type: str = ""
    id: str | None = None
    status: str | None = None
    priority: str | None = None
    do_not_perform: bool | None = None
    code: CodeableReference | None = None
    item: list[OrderItem] = []  # DiagnosticOrder
    type: CodeableConcept | None = None  # ReferralRequest, as the two below
    service_requested: list[CodeableConcept] = []
    specialty: CodeableConcept | None = None
    subject: Reference | None = None
    patient: Reference | None = None  # ReferralRequest in DSTU2
    category: list[CodeableConcept] = []
    note: list[Annotation] = []
    notes: list[Annotation] = []  # ProcedureRequest in DSTU2
    medication_codeable_concept: CodeableConcept | None = None  # MedicationRequest, MedicationOrder
    medication: CodeableReference | None = None  # MedicationRequest in R5
    body_site: list[CodeableConcept] = []
    order_detail: list[CodeableConcept] = []
    description: str | None = None  # ReferralRequest
    contained: list[msgspec.Raw] = []

    def what(self) -> tuple[CodeableConcept, ...]:
        """What is ordered, under each name it has."""
        concepts = [self.code.resolved() if self.code else None, *(item.code for item in self.item)]
        concepts += [*self.service_requested, self.type, self.specialty, self.medication_codeable_concept]
        concepts.append(self.medication.resolved() if self.medication else None)
        return tuple(concept for concept in concepts if concept is not None and concept.says_something())

    def beside(self) -> tuple[str, ...]:
        """Words that belong to what is ordered: that it is a referral, and its body sites."""
        sites = tuple(text for site in self.body_site for text in site.texts[:1])
        return ("referral", *sites) if self.resource_type == "ReferralRequest" else sites

    def note_texts(self) -> tuple[str, ...]:
        """The words of its notes and details."""
        details = [text for detail in self.order_detail for text in detail.texts[:1]]
        notes = [note.text for note in (*self.note, *self.notes)]
        return tuple(text for text in (*notes, *details, self.description) if text)


class BundleLink(_Element):
    relation: str | None = None
    url: str | None = None


class BundleEntry(_Element):
    """`resource_type` is there where a bare resource stands in the place of an entry."""

    full_url: str | None = None
    resource_type: str = ""
    resource: ChartResource | None = None


class Bundle(_Element):
    """A Bundle of a chart, of any type."""

    resource_type: str = ""
    total: int | None = None
    link: list[BundleLink] = []
    entry: list[BundleEntry] = []


class RawEntry(_Element):
    """Raw, not `Raw | None`: msgspec refuses every value of such a union."""

    full_url: msgspec.Raw = ABSENT
    resource: msgspec.Raw = ABSENT


class EntryAddress(_Element):
    """Where a RawEntry says its resource lives."""

    full_url: str | None = None


class RawBundle(_Element):
    """A Bundle whose elements stay bytes, whatever they turn out to be."""

    resource_type: str = ""
    total: msgspec.Raw = ABSENT
    link: msgspec.Raw = ABSENT
    entry: msgspec.Raw = ABSENT


class BundleSearch(_Element):
    """What a RawBundle says of the search it answers."""

    total: int | None = None
    link: list[BundleLink] = []
