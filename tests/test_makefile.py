"""`make setup` with a link as .venv: several worktrees may share one environment, and none of them may empty it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.places import ROOT


@pytest.mark.slow  # a whole setup: 10 s
def test_an_environment_behind_a_link_is_left_as_it_is(tmp_path: Path) -> None:
    shared, clone = tmp_path / "shared", tmp_path / "clone"
    for folder in (shared, clone):
        folder.mkdir()
    (shared / "kept").touch()
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, clone)
    (clone / ".venv").symlink_to(shared)
    result = subprocess.run(["make", "setup"], cwd=clone, capture_output=True, text=True, timeout=60, check=False)  # noqa: S607
    assert result.returncode != 0
    assert f".venv is a link to {shared}" in result.stderr
    assert [path.name for path in shared.iterdir()] == ["kept"]


def test_git_ignores_an_environment_that_is_a_link() -> None:
    """A pattern with a slash at its end is for folders only."""
    assert ".venv" in (ROOT / ".gitignore").read_text("ascii").splitlines()


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    old.chmod(0o755)
    command = ["make", "setup", f"PYTHON={old}"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed; found: Python 3.9.2" in result.stderr
    assert not (tmp_path / ".venv").exists()
