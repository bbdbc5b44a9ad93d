"""The files of a FHIR Bulk Data export, by resource type, in a folder or at any URL that fsspec knows.

https://hl7.org/fhir/uv/bulkdata/export.html: newline-delimited JSON, one or many files of a type. Names are taken as
servers write them: Condition.ndjson, Condition.000.ndjson.gz, 1.Condition.ndjson, or a folder for each type. A file
whose name does not tell its type is asked by its first line. Where a manifest.json lies in the folder, it decides.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
import msgspec

from cards.fhir.dates import read_date

MANIFEST = "manifest.json"
_LINES = re.compile(r"\.(?:ndjson|jsonl)(?:\.gz)?$", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z]+")
_GZIP = (".gz",)
_RESOURCE_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')
_FIRST_LINE_BYTES = 65_536
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)  # what a compressed file raises that was cut off or overwritten


class ExportRefused(Exception):
    """The export cannot be read. The message says what to do."""


@dataclass(frozen=True)
class ExportFile:
    """A file of one resource type. `url`: as fsspec opens it; `size`: in bytes, as stored."""

    url: str
    resource_type: str
    size: int

    @property
    def is_compressed(self) -> bool:
        return self.url.lower().endswith(_GZIP)


@dataclass(frozen=True)
class Export:
    """The files that a backtest reads, and the day to which they are true, where the manifest says it."""

    files: tuple[ExportFile, ...]
    exported_on: date | None

    def of(self, resource_type: str) -> tuple[ExportFile, ...]:
        return tuple(file for file in self.files if file.resource_type == resource_type)


class _Output(msgspec.Struct):
    type: str = ""
    url: str = ""


class _Manifest(msgspec.Struct, rename="camel"):
    """https://hl7.org/fhir/uv/bulkdata/export.html#response---output-manifest"""

    transaction_time: str = ""
    output: list[_Output] = []


def find_export(place: str, types: Collection[str]) -> Export:
    """The files of these resource types. `place`: a folder, or a URL such as s3://bucket/export.

    Raises ExportRefused where there are none, or where the manifest lists one that is not there.
    """
    try:
        system, root = fsspec.core.url_to_fs(place)
        if not system.isdir(root):
            raise ExportRefused(f"{place} is not a folder: name the folder that holds the NDJSON files of the export")
        sizes = {path: int(about["size"] or 0) for path, about in system.find(root, detail=True).items()}
        manifests = [path for path in sizes if path.removeprefix(root).strip("/") == MANIFEST]
        manifest = _read_manifest(system.cat_file(manifests[0]), place) if manifests else None
        if manifest is None:
            typed = {path: _type_of(system, path, root, types) for path in sorted(sizes) if _LINES.search(path)}
        else:
            typed = dict(_listed(manifest, root, sizes, types))
    except (ImportError, ValueError) as fault:  # a protocol that is not known, or whose package is not installed
        raise ExportRefused(f"{place} cannot be opened: {fault}") from None
    except OSError as fault:
        raise ExportRefused(f"{place} cannot be read: {fault}") from None
    files = [
        ExportFile(system.unstrip_protocol(path), name, sizes[path]) for path, name in typed.items() if name in types
    ]
    if not files:
        raise ExportRefused(
            f"{place} has no NDJSON file of {', '.join(sorted(types))}: files end in .ndjson or .ndjson.gz, and their "
            "name, their folder or manifest.json tells the resource type"
        )
    exported = read_date(manifest.transaction_time) if manifest else None
    return Export(tuple(sorted(files, key=lambda file: file.url)), exported.last if exported else None)


def _read_manifest(raw: bytes, place: str) -> _Manifest:
    try:
        return msgspec.json.decode(raw, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ExportRefused(
            f"{place}/{MANIFEST} is not a manifest of a Bulk Data export: correct it, or remove it"
        ) from None


def _listed(
    manifest: _Manifest, root: str, paths: Collection[str], types: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Each file that the manifest lists, with its type. Raises ExportRefused for one that is not in the folder."""
    for output in manifest.output:
        if output.type not in types:
            continue
        steps = [unquote(step) for step in urlsplit(output.url).path.split("/") if step not in ("", ".", "..")]
        ends = ["/".join(steps[at:]) for at in range(len(steps))]  # downloads keep the end of the address
        base = root.rstrip("/")
        candidates = [f"{base}/{end}{more}" for end in ends for more in ("", ".gz", ".ndjson", ".ndjson.gz")]
        path = next((path for path in candidates if path in paths), None)
        if path is None:
            name = steps[-1] if steps else output.url
            raise ExportRefused(
                f"{MANIFEST} lists {name} ({output.type}), which is not in the folder: fetch the whole export, or "
                "remove the manifest"
            )
        yield path, output.type


def _type_of(system: Any, path: str, root: str, types: Collection[str]) -> str:
    """The resource type of a file, by its name, else by its first line, else by the folders it is in."""
    *folders, name = path.removeprefix(root).strip("/").split("/")
    return (
        _named_type(_LINES.sub("", name), types)
        or _type_of_first_line(system, path)
        or next(filter(None, (_named_type(folder, types) for folder in reversed(folders))), "")
    )


def _named_type(name: str, types: Collection[str]) -> str:
    by_name = {each.lower(): each for each in types}
    return next((by_name[word.lower()] for word in _WORDS.findall(name) if word.lower() in by_name), "")


def _type_of_first_line(system: Any, path: str) -> str:
    first = b""
    with system.open(path, "rb") as stored, suppress(*DAMAGED):
        lines = gzip.GzipFile(fileobj=stored) if path.lower().endswith(_GZIP) else stored
        first = lines.read(_FIRST_LINE_BYTES).split(b"\n", 1)[0]
    match = _RESOURCE_TYPE.search(first)
    return match[1].decode() if match else ""
