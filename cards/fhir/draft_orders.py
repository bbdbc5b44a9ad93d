"""The draft orders of a hook call, read tolerantly, with the FHIR version of each.

Service orders are kept: ServiceRequest (R4, R4B, R5), ProcedureRequest and ReferralRequest (DSTU2, STU3) and
DiagnosticOrder (DSTU2). Medication orders (MedicationRequest; MedicationOrder in DSTU2) are kept, too, for
what they say of the patient; other types are passed over in silence (R-2.73).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import msgspec

from cards.fhir.bundle import split_entries
from cards.fhir.patient_check import OtherPatient, Ownership
from cards.fhir.resources import ChartResource, CodeableConcept, EntryAddress, Order, RawBundle, RawEntry, Reference
from cards.fhir.tolerant_reading import ABSENT, JsonBytes, Reader, Unreadable, read_elements

_BUNDLE = Reader(RawBundle)
_RAW_ENTRY = Reader(RawEntry)
_ORDER = Reader(Order)
_CONTAINED = Reader(ChartResource)

_SERVICE_ORDERS = frozenset({"ServiceRequest", "ProcedureRequest", "ReferralRequest", "DiagnosticOrder"})
_MEDICATION_ORDERS = frozenset({"MedicationRequest", "MedicationOrder"})
_ORDERS = _SERVICE_ORDERS | _MEDICATION_ORDERS
# An order that is over, or was never meant (https://hl7.org/fhir/R4/valueset-request-status.html, DSTU2 and STU3 too).
_NOT_PLACED = frozenset({"revoked", "entered-in-error", "completed", "cancelled", "rejected", "aborted", "stopped"})
_R5_ELEMENTS = frozenset({"reason"})
_PROCEDURE_REQUEST_STU3 = frozenset(
    {"intent", "reasonCode", "note", "requester", "authoredOn", "occurrenceDateTime", "occurrencePeriod", "context"}
)
_STU3_ELEMENTS = {
    "ProcedureRequest": _PROCEDURE_REQUEST_STU3,
    "ReferralRequest": _PROCEDURE_REQUEST_STU3 - {"requester"},  # which DSTU2 has, too
    "DiagnosticOrder": frozenset[str](),  # STU3 has none
}
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_CONDITION_REFERENCE = re.compile(r"(?:.*/)?Condition/([A-Za-z0-9.-]{1,64})(?:/_history/[^/]+)?")


class FhirVersion(StrEnum):
    """The FHIR version of an order, as far as its elements show. R4 stands for R4B, too."""

    DSTU2 = "DSTU2"
    STU3 = "STU3"
    R4 = "R4"
    R5 = "R5"


class NotABundle(ValueError):
    """`draftOrders` is not a FHIR Bundle."""


@dataclass(frozen=True)
class DraftOrder:
    """One order of the session.

    `raw`: the client's own draft, byte for byte. `what`: what is ordered, under each name it has. `reasons`: those
    that stand in the order or the session; `reason_references`: the others. `selected`: it is among the selections of
    order-select, or the hook has none. `notes`: the free text of its notes and details. `beside`: words that belong to
    what is ordered, such as its body site.
    """

    raw: bytes
    resource_type: str
    id: str | None
    what: tuple[CodeableConcept, ...]
    reasons: tuple[CodeableConcept, ...]
    reason_references: tuple[str, ...]
    priority: str | None
    subject: Reference | None
    selected: bool = True
    categories: tuple[CodeableConcept, ...] = ()
    notes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def reference(self) -> str | None:
        """The order as "ServiceRequest/order-1"; None where it has no valid id."""
        return f"{self.resource_type}/{self.id}" if self.id and _ID.fullmatch(self.id) else None

    @property
    def is_medication(self) -> bool:
        """Whether it orders a medication; such an order is never one that a topic speaks about."""
        return self.resource_type in _MEDICATION_ORDERS

    @cached_property
    def fhir_version(self) -> FhirVersion:
        """By resource type, then by the elements that only one version has.

        A ProcedureRequest or ReferralRequest without any of STU3's own elements is DSTU2: STU3 requires `intent`.
        """
        if self.is_medication:
            return FhirVersion.DSTU2 if self.resource_type == "MedicationOrder" else FhirVersion.R4
        # some servers write a list of one where FHIR has a single element, and _ORDER reads that
        elements = msgspec.json.decode(self.raw, type=dict[str, msgspec.Raw] | list[dict[str, msgspec.Raw]])
        names = set(elements if isinstance(elements, dict) else elements[0])
        if self.resource_type == "ServiceRequest":
            code = _ORDER.read(self.raw)[0].code
            is_r5 = names & _R5_ELEMENTS or (code is not None and code.concept is not None)
            return FhirVersion.R5 if is_r5 else FhirVersion.R4
        return FhirVersion.STU3 if names & _STU3_ELEMENTS[self.resource_type] else FhirVersion.DSTU2


def read_draft_orders(draft_orders: JsonBytes, selections: Iterable[str] | None) -> tuple[DraftOrder, ...]:
    """The service orders of the session that are not over; with `selections` (order-select), some are `selected`.

    `selections` are "Type/id" (R-2.33); an entry's fullUrl, or an absolute reference that ends in "Type/id", is
    tolerated. An entry that cannot be read is no order. Raises NotABundle.
    """
    try:
        bundle, _ = _BUNDLE.read(draft_orders)
        entries = split_entries(bundle)
    except Unreadable:
        raise NotABundle from None
    if bundle.resource_type != "Bundle":
        raise NotABundle
    selected = None if selections is None else _addresses(selections)
    drafts = list(_read_entries(entries))
    conditions = {address: code for order, _, full_url in drafts for address, code in _condition(order, full_url)}
    return tuple(
        _draft_order(order, raw, conditions, selected is None or _is_selected(order, full_url, selected))
        for order, raw, full_url in drafts
        if order.resource_type in _ORDERS and not order.do_not_perform
        if (order.status or "").strip().lower() not in _NOT_PLACED
    )


def read_placed_order(raw: JsonBytes) -> DraftOrder | None:
    """An order that was placed some time ago, as it was then: what its status is today does not count.

    None where it is an order not to do something. Raises Unreadable.
    """
    order, _ = _ORDER.read(raw)
    return None if order.do_not_perform else _draft_order(order, raw, {}, True)


def refuse_other_patients(orders: Iterable[DraftOrder], patient_id: str) -> None:
    """Raise OtherPatient where one of these orders certainly names another patient (R-4.51)."""
    is_ours = Ownership(patient_id, ()).is_ours
    for index, order in enumerate(orders):
        is_ours(order.subject, index)


def condition_id(reference: str) -> str | None:
    """The id of the Condition that a reference, relative or absolute, names; None where it names anything else."""
    match = _CONDITION_REFERENCE.fullmatch(reference.strip())
    return match[1] if match else None


def _read_entries(entries: Iterable[JsonBytes]) -> Iterator[tuple[Order, JsonBytes, str | None]]:
    """Every entry that can be read: its resource in the shape of an order, the bytes of it, its fullUrl."""
    for entry in entries:
        try:
            wrapper, _ = _RAW_ENTRY.read(entry)
            raw = entry if wrapper.resource is ABSENT else wrapper.resource
            order, _ = _ORDER.read(raw)
        except Unreadable:
            continue
        yield order, raw, read_elements(wrapper, EntryAddress).full_url


def _condition(resource: Order, full_url: str | None) -> Iterator[tuple[str, CodeableConcept]]:
    """A Condition among the drafts, under the addresses an order may refer to it by."""
    if resource.resource_type == "Condition" and resource.code is not None:
        if resource.id:
            yield f"Condition/{resource.id}", resource.code.resolved()
        if full_url:
            yield full_url, resource.code.resolved()


def _draft_order(order: Order, raw: JsonBytes, conditions: Mapping[str, CodeableConcept], selected: bool) -> DraftOrder:
    reasons = list(order.concepts())
    elsewhere = []
    references = order.references()
    contained = dict(_contained(order)) if any(reference.startswith("#") for reference in references) else {}
    for reference in references:
        concept = contained.get(reference) or conditions.get(reference)
        if concept is None:
            elsewhere.append(reference)
        else:
            reasons.append(concept)
    return DraftOrder(
        bytes(raw),
        order.resource_type,
        order.id,
        order.what(),
        tuple(reasons),
        tuple(elsewhere),
        (order.priority or "").strip().lower() or None,
        order.subject or order.patient,
        selected,
        tuple(order.category),
        order.note_texts(),
        order.beside(),
    )


def _contained(order: Order) -> Iterator[tuple[str, CodeableConcept]]:
    """What an order contains, by the reference it uses for it."""
    for raw in order.contained:
        with suppress(Unreadable):
            resource, _ = _CONTAINED.read(raw)
            yield f"#{resource.id}", resource.concept()


def _is_selected(order: Order, full_url: str | None, selected: frozenset[str]) -> bool:
    if full_url is not None and full_url in selected:
        return True
    return order.id is not None and f"{order.resource_type}/{order.id}" in selected


def _addresses(selections: Iterable[str]) -> frozenset[str]:
    """The selections as they stand, and each as the "Type/id" it ends in."""
    chosen = frozenset(selections)
    return chosen.union("/".join(reference.rsplit("/", 2)[-2:]) for reference in chosen)


__all__ = [
    "DraftOrder",
    "FhirVersion",
    "NotABundle",
    "OtherPatient",
    "condition_id",
    "read_draft_orders",
    "read_placed_order",
    "refuse_other_patients",
]
