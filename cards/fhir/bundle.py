"""Bundles of a chart: decoded in one pass where they are as FHIR has them, entry by entry where one is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cards.fhir.resources import Bundle, BundleEntry, BundleLink, BundleSearch, ChartResource, RawBundle, Reference
from cards.fhir.tolerant_reading import ABSENT, JsonBytes, Reader, Unreadable, is_null, read_elements

_BUNDLE = msgspec.json.Decoder(Bundle)
_RAW_BUNDLE = Reader(RawBundle)
_ENTRY = Reader(BundleEntry)
_RESOURCE = Reader(ChartResource)

Entries = Sequence[BundleEntry | None]  # None: an entry that could not be read


# A patient reference that is there and cannot be read: it must not pass for one that is not there.
_UNREADABLE = Reference(reference="")
_REFERENCES = ("subject", "patient")


@dataclass(frozen=True)
class BundleRead:
    """A Bundle, or (entries empty) whatever else names itself by `resource_type`."""

    resource_type: str
    total: int | None
    next_url: str | None
    entries: Entries


def read_bundle(raw: JsonBytes) -> BundleRead:
    """Read a Bundle. An entry that cannot be read does not affect the others.

    Raises Unreadable where this is no JSON object.
    """
    try:
        read = read_decoded(_BUNDLE.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read = None
    if read is not None:
        return read
    bundle, _ = _RAW_BUNDLE.read(raw)
    search = read_elements(bundle, BundleSearch)
    entries = [read_entry(entry) for entry in split_entries(bundle)]
    return BundleRead(bundle.resource_type, search.total, _next_url(search.link), entries)


def read_decoded(bundle: Bundle) -> BundleRead | None:
    """A Bundle that decoded at once; None where it holds entries that have to be looked at one by one."""
    if any(entry.resource is None for entry in bundle.entry):
        return None
    return BundleRead(bundle.resource_type, bundle.total, _next_url(bundle.link), bundle.entry)


def split_entries(bundle: RawBundle) -> list[msgspec.Raw]:
    """The entries as the bytes they are; a single one where a list belongs is taken for a list of one."""
    if bundle.entry is ABSENT:
        return []
    try:
        return msgspec.json.decode(bundle.entry, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return [] if is_null(bundle.entry) else [bundle.entry]
    except (msgspec.DecodeError, RecursionError):
        raise Unreadable("not JSON") from None


def read_entry(raw: JsonBytes) -> BundleEntry | None:
    """Read an entry, or a bare resource that stands in the place of one; None where it cannot be read."""
    try:
        entry, odd = _ENTRY.read(raw)
        if entry.resource is None and entry.resource_type:
            resource, odd = _RESOURCE.read(raw)
            entry = BundleEntry(resource=resource)
    except Unreadable:
        return None
    for name in _REFERENCES:
        if entry.resource and any(path.removeprefix("resource.").split(".")[0] == name for path in odd):
            setattr(entry.resource, name, _UNREADABLE)
    return entry


def count_matches(entries: Entries) -> int:
    """How many entries a search counts in its `total`: all but the remarks on the search."""
    types = [entry.resource.resource_type if entry and entry.resource else "" for entry in entries]
    return len(types) - types.count("OperationOutcome")


def _next_url(links: Sequence[BundleLink]) -> str | None:
    return next((link.url for link in links if link.relation == "next" and link.url), None)
