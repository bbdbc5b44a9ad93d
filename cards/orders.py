"""What is being ordered: the draft orders of a hook call, read tolerantly, and told apart by FHIR version.

Only service orders are kept: ServiceRequest (R4, R4B, R5) and ProcedureRequest (DSTU2, STU3). Orders of any other type
are passed over in silence (R-2.73).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from cards.bundle import split_entries
from cards.ownership import OtherPatient, Ownership
from cards.reading import ABSENT, JsonBytes, Reader, Unreadable, read_elements
from cards.resources import CodeableConcept, EntryAddress, Order, RawBundle, RawEntry, Reference

_BUNDLE = Reader(RawBundle)
_RAW_ENTRY = Reader(RawEntry)
_ORDER = Reader(Order)

_SERVICE_ORDERS = frozenset({"ServiceRequest", "ProcedureRequest"})
# An order that is over, or was never meant (https://hl7.org/fhir/R4/valueset-request-status.html, DSTU2 and STU3 too).
_NOT_PLACED = frozenset({"revoked", "entered-in-error", "completed", "cancelled", "rejected", "aborted", "stopped"})
_R5_ELEMENTS = frozenset({"reason"})
_STU3_ELEMENTS = frozenset(
    {"intent", "reasonCode", "note", "requester", "authoredOn", "occurrenceDateTime", "occurrencePeriod", "context"}
)


class FhirVersion(StrEnum):
    """The FHIR version an order is written in, as far as its shape tells. R4 stands for R4B, too."""

    DSTU2 = "DSTU2"
    STU3 = "STU3"
    R4 = "R4"
    R5 = "R5"


class NotABundle(ValueError):
    """`draftOrders` is not a FHIR Bundle."""


@dataclass(frozen=True)
class DraftOrder:
    """One service order of the session. `raw`: the client's own draft, byte for byte."""

    raw: bytes
    resource_type: str
    id: str | None
    fhir_version: FhirVersion
    concept: CodeableConcept
    priority: str | None
    subject: Reference | None


def read_draft_orders(draft_orders: JsonBytes, selections: Iterable[str] | None) -> tuple[DraftOrder, ...]:
    """The service orders that are being placed; with `selections` (order-select), only the selected ones.

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
    selected = None if selections is None else frozenset(selections)
    orders = []
    for entry in entries:
        try:
            order, full_url = _read_order(entry)
        except Unreadable:
            continue
        if order is not None and (selected is None or _is_selected(order, full_url, selected)):
            orders.append(order)
    return tuple(orders)


def refuse_other_patients(orders: Iterable[DraftOrder], patient_id: str) -> None:
    """Raise OtherPatient where one of these orders certainly names another patient (R-4.51)."""
    is_ours = Ownership(patient_id, ()).is_ours
    for index, order in enumerate(orders):
        is_ours(order.subject, index)


def _read_order(entry: JsonBytes) -> tuple[DraftOrder | None, str | None]:
    wrapper, _ = _RAW_ENTRY.read(entry)
    raw = entry if wrapper.resource is ABSENT else wrapper.resource
    order, _ = _ORDER.read(raw)
    if order.resource_type not in _SERVICE_ORDERS or order.do_not_perform:
        return None, None
    if order.code is None or (order.status or "").strip().lower() in _NOT_PLACED:
        return None, None
    draft = DraftOrder(
        bytes(raw),
        order.resource_type,
        order.id,
        _fhir_version(order, raw),
        order.code.resolved(),
        (order.priority or "").strip().lower() or None,
        order.subject,
    )
    return draft, read_elements(wrapper, EntryAddress).full_url


def _is_selected(order: DraftOrder, full_url: str | None, selected: frozenset[str]) -> bool:
    if full_url is not None and full_url in selected:
        return True
    local = f"{order.resource_type}/{order.id}"
    return order.id is not None and any(chosen == local or chosen.endswith(f"/{local}") for chosen in selected)


def _fhir_version(order: Order, raw: JsonBytes) -> FhirVersion:
    """By resource type, then by the elements that only one version has.

    A ProcedureRequest without any of STU3's own elements is DSTU2: STU3 requires `intent`.
    """
    if order.resource_type == "ServiceRequest":
        if order.code is not None and order.code.concept is not None:
            return FhirVersion.R5
        return FhirVersion.R5 if _elements(raw) & _R5_ELEMENTS else FhirVersion.R4
    return FhirVersion.STU3 if _elements(raw) & _STU3_ELEMENTS else FhirVersion.DSTU2


def _elements(raw: JsonBytes) -> frozenset[str]:
    return frozenset(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))


__all__ = ["DraftOrder", "FhirVersion", "NotABundle", "OtherPatient", "read_draft_orders", "refuse_other_patients"]
