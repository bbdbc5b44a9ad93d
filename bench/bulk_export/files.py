"""The files of an export: several of each type, written by several processes, with or without their manifest."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bench.bulk_export.block import write_block
from bench.bulk_export.chart import Hospital
from bench.bulk_export.resources import FHIR_VERSIONS

_MOST_IN_A_BLOCK = 1000  # patients whose lines are in memory and in no order
_EXPORTED_FROM = "https://ehr.example.org/fhir"


@dataclass(frozen=True)
class Plan:
    """What to write. `files`: of each type; `every_kind`: as `write_block` has it, in the first block."""

    folder: Path
    patients: int
    seed: int = 1
    year: int = 2025
    fhir: str = "R4"
    files: int = 1
    gzip: bool = False
    manifest: bool = True
    every_kind: bool = False

    @property
    def patients_in_a_block(self) -> int:
        """Few enough for every file to get a block."""
        return min(_MOST_IN_A_BLOCK, -(-self.patients // self.files))


@dataclass
class Written:
    """How many lines are in which file, how many are broken, by type, and how many patients have which story."""

    lines: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    stories: Counter[str] = field(default_factory=Counter)

    def add(self, other: Written) -> None:
        """Count another part of the export, too."""
        self.lines += other.lines
        self.broken += other.broken
        self.stories += other.stories

    def by_type(self) -> Counter[str]:
        """Lines by resource type."""
        counts: Counter[str] = Counter()
        for name, lines in self.lines.items():
            counts[name.split(".")[0]] += lines
        return counts


def write_export(plan: Plan, processes: int | None = None) -> Written:
    """Write the whole export. Raises FileExistsError where its folder is there and not empty."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    if any(plan.folder.iterdir()):
        raise FileExistsError(f"{plan.folder} is not empty")
    written = Written()
    with ProcessPoolExecutor(min(processes or os.cpu_count() or 1, plan.files)) as pool:
        for part in pool.map(_write_part, [plan] * plan.files, range(plan.files)):
            written.add(part)
    if plan.manifest:
        (plan.folder / "manifest.json").write_text(_manifest(plan, written), "utf-8")
    return written


def _write_part(plan: Plan, number: int) -> Written:
    """One file of each type: the blocks whose turn it is."""
    hospital = Hospital.of(FHIR_VERSIONS[plan.fhir], plan.year, plan.patients)
    files: dict[str, BinaryIO] = {}
    written = Written()
    try:
        size = plan.patients_in_a_block
        for first in range(number * size, plan.patients, plan.files * size):
            count = min(size, plan.patients - first)
            every_kind = plan.every_kind and first == 0
            block = write_block(hospital, plan.seed, first, count, every_kind=every_kind)
            written.broken += block.broken
            written.stories += block.stories
            for resource_type, lines in block.lines.items():
                name = _file_name(plan, resource_type, number)
                if name not in files:
                    files[name] = _open(plan.folder / name)
                files[name].write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
                written.lines[name] += len(lines)
    finally:
        for file in files.values():
            file.close()
    return written


def _file_name(plan: Plan, resource_type: str, part: int) -> str:
    """The parts of the types are numbered from different places: no two files of one number hold the same patients."""
    shift = sum(resource_type.encode()) % plan.files
    return f"{resource_type}.{(part + shift) % plan.files:03}.ndjson" + (".gz" if plan.gzip else "")


def _open(path: Path) -> BinaryIO:
    """A file to write; compressed without a time in it, so that the same seed gives the same bytes."""
    if path.suffix == ".gz":
        return gzip.GzipFile(path, "wb", compresslevel=1, mtime=0)  # type: ignore[return-value]
    return path.open("wb")


def _manifest(plan: Plan, written: Written) -> str:
    """As https://hl7.org/fhir/uv/bulkdata/export.html has it, of a server that is not there."""
    output = [
        {"type": name.split(".")[0], "url": f"{_EXPORTED_FROM}/bulk/{name}", "count": lines}
        for name, lines in sorted(written.lines.items())
    ]
    manifest = {
        "transactionTime": f"{plan.year + 1}-01-15T03:00:00Z",
        "request": f"{_EXPORTED_FROM}/$export?_type=" + ",".join(sorted(written.by_type())),
        "requiresAccessToken": True,
        "output": output,
        "error": [],
    }
    return json.dumps(manifest, indent=2) + "\n"
