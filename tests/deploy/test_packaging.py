"""What is installed is what was tested: the wheel has the content and the pages, and the locks pin every byte."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.places import ROOT

SERVED, DEVELOPED, BUILT = "requirements.lock", "requirements-dev.lock", "requirements-build.lock"
PIN = re.compile(r"([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([\w.]+)(?: ; [^#]+)?")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def requirements(lock: str) -> list[list[str]]:
    """Each requirement of a lock file: what is required, then its options."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [[part.strip() for part in re.split(r"\s+(?=--)", line)] for line in lines]


def pinned(lock: str) -> dict[tuple[str, str], set[str]]:
    """Name and version of each requirement, with the hashes of its files."""
    return {
        (pin[1], pin[2]): {option for option in options if HASH.fullmatch(option)}
        for requirement, *options in requirements(lock)
        if (pin := PIN.fullmatch(requirement))
    }


@pytest.mark.parametrize(("lock", "least"), [(SERVED, 30), (DEVELOPED, 60), (BUILT, 5)])
def test_every_requirement_is_pinned_to_one_version_and_the_hashes_of_its_files(lock: str, least: int) -> None:
    """So a package index can serve nothing else; and it is not named, so that a hospital's mirror may be one."""
    assert len(requirements(lock)) > least
    for requirement, *options in requirements(lock):
        assert PIN.fullmatch(requirement), requirement
        assert options, requirement
        assert [option for option in options if not HASH.fullmatch(option)] == [], requirement


@pytest.mark.parametrize("lock", [SERVED, BUILT])
def test_tests_run_with_the_versions_that_are_served_and_build_with_those_that_build(lock: str) -> None:
    """And with the same files of them."""
    served, developed = pinned(lock), pinned(DEVELOPED)
    assert {name: developed.get(name) for name in served} == served
    versions = {name: {version for one, version in served if one == name} for name, _ in served}
    assert [name for name, version in developed if name in versions and version not in versions[name]] == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("flask>=3.1", id="a range"),
        pytest.param("flask==3.*", id="any of a series"),
        pytest.param("flask", id="any version"),
        pytest.param("flask @ https://example.org/flask.whl", id="a file from somewhere"),
        pytest.param("git+https://example.org/flask", id="a repository"),
        pytest.param("-e .", id="an editable folder"),
        pytest.param("--index-url https://example.org", id="a package index"),
    ],
)
def test_a_pin_is_seen_for_what_it_is(line: str) -> None:
    assert PIN.fullmatch("coverage[toml]==7.1.2 ; python_full_version < '3.12'")
    assert not PIN.fullmatch(line)


def test_the_wheel_holds_every_file_of_both_packages(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*build, tmp_path, ROOT], check=True, capture_output=True)  # noqa: S603 - our own arguments
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    for package in ("cards", "cds_service"):
        files = (path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        assert [name for path in files if (name := path.relative_to(ROOT).as_posix()) not in packed] == []
