"""Which files of an export are read, and as what: the names that servers write, manifests, compressed files, URLs."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import fsspec
import pytest

from cds_service.backtest.reading.blocks import cut, read_lines
from cds_service.backtest.reading.export_files import ExportFile, ExportRefused, find_export
from tests.cds_service.backtest.exports import backtest, born, of, write_export, write_lines
from tests.charts import Json, condition, order

TYPES = {"ServiceRequest", "Condition", "Procedure", "Patient"}
CONDITION = condition(subject=of("p1"))


def found(folder: Path) -> dict[str, str]:
    """The resource types by the path of the file in the folder."""
    export = find_export(str(folder), TYPES)
    return {file.url.split(f"{folder.name}/", 1)[1]: file.resource_type for file in export.files}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Condition.ndjson", id="a file for each type"),
        pytest.param("Condition.000.ndjson.gz", id="numbered and compressed"),
        pytest.param("1.Condition.ndjson", id="the number first"),
        pytest.param("Condition/part-00000.ndjson", id="a folder for each type"),
        pytest.param("condition_3.jsonl", id="in lower case, under another ending"),
        pytest.param("f3a9c2.ndjson", id="a name that tells nothing: the first line does"),
        pytest.param("out/Condition.000.NDJSON", id="in a folder below, in capitals"),
    ],
)
def test_a_file_is_found_under_the_names_that_servers_write(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / name, CONDITION)
    assert found(tmp_path) == {name: "Condition"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Observation.ndjson", id="another type"),
        pytest.param("Condition.csv", id="not NDJSON"),
        pytest.param("notes.txt", id="not of the export"),
    ],
)
def test_other_files_are_passed_over(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / "Condition.ndjson", CONDITION)
    write_lines(tmp_path / name, {"resourceType": "Observation"})
    assert found(tmp_path) == {"Condition.ndjson": "Condition"}


def test_a_file_whose_first_line_is_damaged_has_the_type_of_its_folder(tmp_path: Path) -> None:
    write_lines(tmp_path / "Condition" / "part-0.ndjson", "<html>", CONDITION)
    assert found(tmp_path) == {"Condition/part-0.ndjson": "Condition"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param("https://ehr.example.org/bulk/7/file-1.ndjson", "file-1.ndjson", id="the end of an address"),
        pytest.param("https://ehr.example.org/bulk/7/a%201.ndjson", "a 1.ndjson", id="an escaped address"),
        pytest.param("data/file-1.ndjson", "data/file-1.ndjson", id="a relative address"),
        pytest.param("../../file-1.ndjson", "file-1.ndjson", id="never above the folder"),
        pytest.param("https://ehr.example.org/bulk/file-1.ndjson", "file-1.ndjson.gz", id="compressed since"),
        pytest.param("https://ehr.example.org/bulk/42", "42.ndjson", id="an address without an ending"),
    ],
)
def test_a_manifest_tells_the_types(tmp_path: Path, url: str, name: str) -> None:
    write_lines(tmp_path / name, CONDITION)
    write_lines(tmp_path / "Patient.old.ndjson", born("p1"))  # not listed
    write_manifest(tmp_path, ("Condition", url), ("Observation", "https://ehr.example.org/bulk/observations.ndjson"))
    assert found(tmp_path) == {name: "Condition"}


def write_manifest(folder: Path, *output: tuple[str, str]) -> None:
    listed = [{"type": name, "url": url} for name, url in output]
    manifest = {"transactionTime": "2026-01-15T03:00:00Z", "output": listed, "error": []}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_manifest_tells_the_day_of_the_export(tmp_path: Path) -> None:
    write_lines(tmp_path / "Condition.ndjson", CONDITION)
    write_manifest(tmp_path, ("Condition", "Condition.ndjson"))
    exported_on = find_export(str(tmp_path), TYPES).exported_on
    assert exported_on is not None
    assert exported_on.isoformat() == "2026-01-15"


def refused(folder: Path) -> str:
    with pytest.raises(ExportRefused) as refusal:
        find_export(str(folder), TYPES)
    return str(refusal.value)


def test_a_file_that_the_manifest_lists_and_is_not_there_is_no_empty_chart(tmp_path: Path) -> None:
    write_lines(tmp_path / "Condition.1.ndjson", CONDITION)
    write_manifest(tmp_path, ("Condition", "x/Condition.1.ndjson"), ("Condition", "x/Condition.2.ndjson"))
    assert "Condition.2.ndjson (Condition), which is not in the folder" in refused(tmp_path)


def test_what_is_no_export_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "no NDJSON file of" in refused(tmp_path)
    assert "is not a folder" in refused(tmp_path / "missing")
    write_lines(tmp_path / "manifest.json", "{")
    assert "not a manifest of a Bulk Data export" in refused(tmp_path)


def test_a_url_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ExportRefused, match="cannot be opened"):
        find_export("unknown://bucket/export", TYPES)


def test_an_export_is_read_from_any_file_system_of_fsspec(tmp_path: Path) -> None:
    folder = write_export(
        tmp_path / "export", born("p1"), order(subject=of("p1"), authoredOn="2025-05-01", status="active")
    )
    fsspec.filesystem("memory").put(str(folder), "/backtest-export", recursive=True)
    try:
        _, summary = backtest("memory://backtest-export")
    finally:
        fsspec.filesystem("memory").rm("/backtest-export", recursive=True)
    assert summary.orders_with_cards == 1


LINES = [json.dumps({"id": number, "text": "é" * (number % 7)}, ensure_ascii=False) for number in range(40)]


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 100, 1_000, 1_000_000])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lines end in LF", "lines end in CR LF"])
def test_every_line_is_in_exactly_one_block(tmp_path: Path, block_bytes: int, end: str) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(end.join(LINES).encode())
    blocks = list(cut([ExportFile(str(path), "Condition", path.stat().st_size)], block_bytes))
    unread: Counter[str] = Counter()
    assert [line.decode() for block in blocks for line in read_lines(block, unread)] == LINES
    assert not unread


def test_a_compressed_file_is_one_block(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.ndjson.gz", *LINES)
    (block,) = cut([ExportFile(str(path), "Condition", path.stat().st_size)], 10)
    assert [line.decode() for line in read_lines(block, Counter())] == LINES


def test_a_compressed_file_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.ndjson.gz", *(line + " " * 999 for line in LINES))
    path.write_bytes(path.read_bytes()[:-20])
    (block,) = cut([ExportFile(str(path), "Condition", path.stat().st_size)])
    unread: Counter[str] = Counter()
    lines = [line.decode() for line in read_lines(block, unread)]
    assert lines == LINES[: len(lines)]
    assert unread["file-damaged"] == 1


def test_what_is_no_line_of_json_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"id":"1"}\n\n  {"id":"2"}  \n<html>\n{"id":"3"\n[]\n')
    (block,) = cut([ExportFile(str(path), "Condition", path.stat().st_size)])
    unread: Counter[str] = Counter()
    assert list(read_lines(block, unread)) == [b'{"id":"1"}', b'{"id":"2"}']
    assert unread == {"line-not-json": 3}


def test_compressed_and_plain_files_give_the_same_digest(tmp_path: Path) -> None:
    resources: list[Json] = [born("p1"), order(subject=of("p1"), authoredOn="2025-05-01", status="active"), CONDITION]
    plain = write_export(tmp_path / "plain", *resources)
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in plain.iterdir():
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert backtest(plain)[1].digest == backtest(packed)[1].digest
