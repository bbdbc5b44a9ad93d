"""Bundles of a chart: decoded in one pass where they are as FHIR has them, entry by entry where one is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cards.reading import JsonBytes, Reader, Unreadable
from cards.resources import Bundle, BundleEntry, BundleLink, ChartResource, RawBundle

_BUNDLE = msgspec.json.Decoder(Bundle)
_RAW_BUNDLE = Reader(RawBundle)
_ENTRY = Reader(BundleEntry)
_RESOURCE = Reader(ChartResource)

Entries = Sequence[BundleEntry | None]  # None: an entry that could not be read


@dataclass(frozen=True)
class BundleRead:
    """A Bundle, or (entries empty) whatever else names itself by `resource_type`."""

    resource_type: str
    total: int | None
    next_url: str | None
    entries: Entries


def read_bundle(raw: JsonBytes) -> BundleRead:
    """Read a Bundle. An odd entry costs the others nothing. Raises Unreadable where this is no JSON object."""
    try:
        bundle = _BUNDLE.decode(raw)
        if all(entry.resource is not None for entry in bundle.entry):
            return BundleRead(bundle.resource_type, bundle.total, _next_url(bundle.link), bundle.entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    found, _ = _RAW_BUNDLE.read(raw)
    entries = [_read_entry(entry) for entry in found.entry]
    return BundleRead(found.resource_type, found.total, _next_url(found.link), entries)


def read_resource(raw: JsonBytes) -> BundleEntry:
    """Read one resource that stands alone, as an entry. Raises Unreadable where this is no JSON object."""
    return BundleEntry(resource=_RESOURCE.read(raw)[0])


def _read_entry(raw: JsonBytes) -> BundleEntry | None:
    try:
        entry, _ = _ENTRY.read(raw)
        return read_resource(raw) if entry.resource is None and entry.resource_type else entry
    except Unreadable:
        return None


def _next_url(links: Sequence[BundleLink]) -> str | None:
    return next((link.url for link in links if link.relation == "next" and link.url), None)
