"""`make test` leaves the slow tests to `make check`: together, in CI, they run every test, and none twice."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.places import ROOT

CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
# Of the run of which this test is a part: its own options must not reach the commands that are looked at.
_OUTER = re.compile("MAKE|MFLAGS|PYTEST_")


pytestmark = pytest.mark.slow


def run(command: list[str]) -> str:
    environment = {name: text for name, text in os.environ.items() if not _OUTER.match(name)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pytest_arguments(make: str) -> list[str]:
    """What a `make` command gives to pytest."""
    said = run([*shlex.split(make, comments=True), "--dry-run"])
    (arguments,) = re.findall(r"^\S+ -m pytest\b(.*)", said, re.MULTILINE)
    return shlex.split(arguments)


def collect(make: str) -> list[str]:
    """The tests that a `make` command runs."""
    said = run([sys.executable, "-m", "pytest", *pytest_arguments(make), "--collect-only", "--quiet"])
    return sorted(line for line in said.split("\n") if "::" in line)


def test_make_check_alone_leaves_no_test_out() -> None:
    assert pytest_arguments("make check") == ["--cov", "--cov-report=term"]


def test_ci_runs_every_test_once() -> None:
    test, check = re.findall(r"^make (?:test|check)\b.*", CI, re.MULTILINE)
    in_test, in_check = collect(test), collect(check)
    assert in_test
    assert in_check
    assert sorted(in_test + in_check) == collect("make check")
