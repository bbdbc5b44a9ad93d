"""The law of cards/README.md: pure clinical logic, and a contract that can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

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


def test_the_contract_is_kept(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout
    assert "The law: cards is pure clinical logic" in done.stdout


@pytest.mark.parametrize(
    ("line", "module"),
    [
        pytest.param("import requests", "requests", id="a library with a plug in it"),
        pytest.param("from cds_service import wire", "cds_service", id="the package with everything that has a plug"),
        pytest.param("import os", "os", id="the environment"),
    ],
)
def test_the_contract_can_fail(copied: Path, line: str, module: str) -> None:
    dates = copied / "cards" / "fhir" / "dates.py"
    dates.write_text(f"{dates.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(copied)
    assert done.returncode != 0
    assert "The law: cards is pure clinical logic BROKEN" in done.stdout
    assert f"cards.fhir.dates -> {module}" in done.stdout
