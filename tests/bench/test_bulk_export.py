"""bench.bulk_export: a small export is valid, repeatable, and as its README says."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bench.bulk_export.files import Plan, Written, write_export
from bench.bulk_export.stories import STORIES
from cards.evaluate import triage
from cards.fhir.draft_orders import read_draft_orders
from tests.content import loaded
from tests.places import FIXTURES

FIXTURE = FIXTURES / "bulk_export"
PACKAGES = {"R4": "fhir.resources.R4B", "STU3": "fhir.resources.STU3"}


def _lines(folder: Path, resource_type: str) -> list[bytes]:
    return [line for path in sorted(folder.glob(f"{resource_type}.*")) for line in path.read_bytes().splitlines()]


def _readable(line: bytes) -> Any | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


@pytest.mark.parametrize("fhir", PACKAGES)
def test_every_line_that_is_not_counted_as_broken_is_valid(fhir: str, tmp_path: Path) -> None:
    """By the strict models of fhir.resources."""
    written = write_export(Plan(tmp_path / "export", patients=30, fhir=fhir, every_kind=True), processes=1)
    for resource_type, lines in written.by_type().items():
        model = getattr(import_module(f"{PACKAGES[fhir]}.{resource_type.lower()}"), resource_type)
        found = [_readable(line) for line in _lines(tmp_path / "export", resource_type)]
        assert len(found) == lines
        valid = [one for one in found if one is not None and one.get("id") not in ("no-subject", None)]
        assert len(valid) == lines - written.broken[resource_type]
        for one in valid:
            model.model_validate(one)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_whoever_writes_them(tmp_path: Path) -> None:
    for name, seed, processes in (("one", 3, 1), ("two", 3, 2), ("other", 4, 1)):
        write_export(Plan(tmp_path / name, patients=60, seed=seed, files=3), processes)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    assert _bytes(tmp_path / "one") != _bytes(tmp_path / "other")


def test_a_compressed_export_holds_the_same_lines(tmp_path: Path) -> None:
    write_export(Plan(tmp_path / "plain", patients=20), 1)
    write_export(Plan(tmp_path / "gz", patients=20, gzip=True), 1)
    for path in (tmp_path / "plain").glob("*.ndjson"):
        assert gzip.decompress((tmp_path / "gz" / f"{path.name}.gz").read_bytes()) == path.read_bytes()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(FileExistsError):
        write_export(Plan(tmp_path, patients=1), 1)


def test_the_manifest_lists_every_file_with_its_lines(tmp_path: Path) -> None:
    write_export(Plan(tmp_path, patients=40, files=2), 1)
    output = json.loads((tmp_path / "manifest.json").read_text())["output"]
    listed = {one["url"].rpartition("/")[2]: one["count"] for one in output}
    assert listed == {path.name: path.read_bytes().count(b"\n") for path in tmp_path.glob("*.ndjson")}


def _is_ours(line: bytes) -> bool:
    order = json.loads(line) | {"status": "draft"}  # whatever its status was
    bundle = json.dumps({"resourceType": "Bundle", "entry": [{"resource": order}]}).encode()
    return triage(loaded(), read_draft_orders(bundle, None)) is not None


@pytest.mark.slow
def test_half_a_percent_of_the_orders_are_ours(tmp_path: Path) -> None:
    """As the README has it: 0.5 %, within what chance does to 5,000 patients."""
    written = write_export(Plan(tmp_path, patients=5_000), 1)
    orders = [line for line in _lines(tmp_path, "ServiceRequest") if _readable(line)]
    assert len(orders) / 5_000 == pytest.approx(7.9, rel=0.1)
    assert 0.003 < sum(map(_is_ours, orders)) / len(orders) < 0.008
    assert written.by_type()["Condition"] / 5_000 == pytest.approx(6.3, rel=0.1)
    assert written.by_type()["Procedure"] / 5_000 == pytest.approx(3.2, rel=0.1)


def test_the_stories_of_100_000_patients_add_up() -> None:
    assert sum(story.patients for story in STORIES.values()) == 100_000
    assert STORIES["ordinary"].patients == 96_400


def test_the_fixture_is_what_the_generator_writes(tmp_path: Path) -> None:
    """With one patient of each story, and each fault in each type. After a change: the command in the README."""
    written: Written = write_export(Plan(tmp_path, patients=40, seed=21, files=2, every_kind=True), 1)
    assert set(written.stories) == set(STORIES)
    assert written.broken == Counter(dict.fromkeys(written.by_type(), 4))
    assert _bytes(tmp_path) == _bytes(FIXTURE)
