"""The state of a prefetch value: satisfied, empty, failed, missing or partial (R-2.80 to R-2.90, R-3.13)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

import msgspec

from cards.fhir.bundle import BundleRead, Entries, count_matches, read_bundle, read_entry
from cards.fhir.resources import RawEntry
from cards.fhir.tolerant_reading import ABSENT, JsonBytes, Reader, Unreadable, is_null

_WRAPPED = Reader(RawEntry)


class State(StrEnum):
    """The five states of a prefetch key."""

    SATISFIED = "satisfied"
    EMPTY = "empty"  # the client found nothing: not fetched
    FAILED = "failed"  # an error instead of data: not fetched
    MISSING = "missing"  # fetched by us
    PARTIAL = "partial"  # the rest is fetched by us


@dataclass(frozen=True)
class PrefetchValue:
    """One value with its state. `next_url`: the next page of a PARTIAL one; `total`: as the server counted."""

    state: State
    entries: Entries = ()
    next_url: str | None = None
    total: int = 0


def sort_value(raw: JsonBytes | BundleRead | None) -> PrefetchValue:
    """The state and entries of any prefetch value; a list of resources is read like a Bundle of them."""
    if isinstance(raw, BundleRead):
        return _sort_bundle(raw)
    if raw is None:
        return PrefetchValue(State.MISSING)
    if is_null(raw):
        return PrefetchValue(State.EMPTY)
    if bytes(memoryview(raw)[:8]).lstrip()[:1] != b"[":
        return sort_resource(raw)
    try:
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return PrefetchValue(State.FAILED)
    if len(items) == 1:  # a list of one Bundle, or of one resource
        return sort_resource(items[0])
    return _sort_list([read_entry(item) for item in items]) if items else PrefetchValue(State.EMPTY)


def sort_resource(raw: JsonBytes, *, unwrap: bool = True) -> PrefetchValue:
    """The state and entries of what should be a FHIR resource: a prefetch value, or the answer of a FHIR server.

    One wrapper `{"resource": ...}` around it is removed.
    """
    try:
        bundle = read_bundle(raw)
        if bundle.resource_type == "Bundle":
            return _sort_bundle(bundle)
        if not bundle.resource_type:
            wrapped, _ = _WRAPPED.read(raw)
            if not unwrap or wrapped.resource is ABSENT:
                return PrefetchValue(State.FAILED)
            return sort_resource(wrapped.resource, unwrap=False)
        if bundle.resource_type == "OperationOutcome":
            return PrefetchValue(State.FAILED)
        return _sort_list([read_entry(raw)])
    except (Unreadable, RecursionError):
        return PrefetchValue(State.FAILED)


def _sort_list(entries: Entries) -> PrefetchValue:
    """Resources without a Bundle; failed where none of them can be read."""
    return PrefetchValue(State.SATISFIED, entries) if any(entries) else PrefetchValue(State.FAILED)


def _sort_bundle(bundle: BundleRead) -> PrefetchValue:
    total = bundle.total or 0
    if bundle.next_url or total > count_matches(bundle.entries):
        return PrefetchValue(State.PARTIAL, bundle.entries, bundle.next_url, total)
    return PrefetchValue(State.SATISFIED if bundle.entries else State.EMPTY, bundle.entries, total=total)


def fill_template(template: str, patient_id: str) -> str:
    """The relative FHIR URL of one of our prefetch templates, with the id percent-encoded."""
    return template.replace("{{context.patientId}}", quote(patient_id, safe=""))
