"""docs/configuration.md: the table is made from the settings, and matches what production requires."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cds_service.cli.main import main
from cds_service.errors import NotReady
from cds_service.settings.reference import BEGIN, END, flag, with_table
from cds_service.settings.settings import FROM_FILE, PREFIX, Settings, read_settings
from tests.places import ROOT

DOCUMENT = (ROOT / "docs/configuration.md").read_text("utf-8")
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]+\b")
TEMPLATES = re.compile(r"CDS_SERVICE_SERVICE_\w+")  # set by Kubernetes, and refused


def test_the_table_is_what_the_settings_say() -> None:
    assert with_table(DOCUMENT) == DOCUMENT, "run `make docs`"


def test_a_setting_that_is_not_in_the_table_is_noticed() -> None:
    without = "".join(line for line in DOCUMENT.splitlines(keepends=True) if "`CDS_PORT`" not in line)
    assert without != DOCUMENT
    assert with_table(without) == DOCUMENT


@pytest.mark.parametrize("mark", [BEGIN, END])
def test_a_document_without_its_marks_is_left_alone(mark: str) -> None:
    with pytest.raises(ValueError, match="must hold the line"):
        with_table(DOCUMENT.replace(mark, ""))


def test_every_row_has_its_cells_and_every_flag_is_one() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith(f"| `{PREFIX}")]
    options = {name for parameter in main.commands["serve"].params for name in parameter.opts}
    assert len(rows) == len(fields(Settings))
    for row, setting in zip(rows, fields(Settings), strict=True):
        assert len(re.findall(r"(?<!\\)\|", row)) == 5
        assert f"`{flag(setting.name)}`" in row
        assert flag(setting.name) in options
        assert (f"`{PREFIX}{setting.name.upper()}{FROM_FILE}`" in row) == setting.metadata["secret"]


def test_what_is_called_required_is_what_production_does_not_start_without() -> None:
    with pytest.raises(NotReady) as refusal:
        read_settings({"CDS_PROFILE": "production"})
    refused = {reason.partition(" ")[0] for reason in refusal.value.reasons}
    assert refused == {PREFIX + one.name.upper() for one in fields(Settings) if one.metadata["required"]}


def _written() -> list[Path]:
    folders = [one for name in ("docs", "deploy") for one in (ROOT / name).rglob("*")]
    files = [*ROOT.glob("*.md"), ROOT / "Dockerfile", ROOT / "compose.yaml", *folders]
    return [one for one in files if one.is_file() and one.suffix not in (".png", ".pyc")]


@pytest.mark.parametrize("file", _written(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_variable_that_is_written_about_is_a_setting(file: Path) -> None:
    known = {PREFIX + one.name.upper() for one in fields(Settings)}
    known |= {PREFIX + one.name.upper() + FROM_FILE for one in fields(Settings) if one.metadata["secret"]}
    named = set(VARIABLE.findall(file.read_text("utf-8")))
    assert {one for one in named if not TEMPLATES.fullmatch(one)} - known == set()
