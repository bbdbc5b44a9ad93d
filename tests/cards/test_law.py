"""The import rules of cards/README.md and the layers of its folders: contracts that can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

LAW = "cards is pure clinical logic"
LAYERS = "The layers of cards"
PLUGS = ["flask", "werkzeug", "requests", "urllib3", "sqlite3", "structlog", "granian"]
IMPORT_ALL = """
import importlib, pkgutil, sys, cards
names = [module.name for module in pkgutil.walk_packages(cards.__path__, "cards.")]
for name in names:
    importlib.import_module(name)
print(len(names), sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603


def test_importing_all_of_cards_loads_nothing_with_a_plug_in_it() -> None:
    """design.md 2."""
    done = run(sys.executable, "-c", IMPORT_ALL, *PLUGS, folder=ROOT)
    assert done.returncode == 0, done.stderr
    count, loaded = done.stdout.strip().split(" ", 1)
    assert int(count) >= len(list((ROOT / "cards").rglob("*.py"))) - 1
    assert loaded == "[]"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Both packages and the contract, to be broken."""
    for package in ("cards", "cds_service"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache", folder=folder)


def test_the_contracts_are_kept(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout
    assert "cards is pure clinical logic KEPT" in done.stdout
    assert "The layers of cards KEPT" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken", "imported"),
    [
        pytest.param("fhir.dates", "import requests", LAW, "requests", id="a library with a plug in it"),
        pytest.param("fhir.dates", "import os", LAW, "os", id="the environment"),
        pytest.param(
            "fhir.dates", "from cds_service import version", LAW, "cds_service", id="the package that does I/O"
        ),
        pytest.param(
            "record.chart_entry",
            "import cards.topics.lumbar_puncture.rule",
            LAYERS,
            "cards.topics.lumbar_puncture.rule",
            id="the layers: a generic module that knows a topic",
        ),
        pytest.param(
            "content.texts", "import cards.fhir.dates", LAYERS, "cards.fhir.dates", id="the layers: a folder beside it"
        ),
        pytest.param("topic", "import cards.catalogue", LAYERS, "cards.catalogue", id="the layers: a layer above it"),
    ],
)
def test_a_contract_can_fail(copied: Path, module: str, line: str, broken: str, imported: str) -> None:
    path = copied / "cards" / f"{module.replace('.', '/')}.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(copied)
    assert done.returncode != 0
    assert f"{broken} BROKEN" in done.stdout
    assert f"cards.{module} -> {imported}" in done.stdout


def test_a_folder_that_no_layer_has_is_refused(copied: Path) -> None:
    (copied / "cards" / "utilities.py").write_text("", encoding="utf-8")
    done = lint(copied)
    assert done.returncode != 0
    assert "utilities" in done.stdout
