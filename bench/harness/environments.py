"""Virtual environments of the programs we compare with: their dependencies never enter ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

_BENCH = Path(__file__).parents[1]
_CACHE = _BENCH / ".environments"  # ignored by git
_INSTALL_SECONDS = 300


class NotInstalled(Exception):
    """The environment could not be made, most likely because no package index was reachable."""


def environment(name: str) -> Path:
    """The folder of the environment that `bench/<name>/requirements.lock` describes; created if it does not exist.

    Raises NotInstalled.
    """
    lock = _BENCH / name / "requirements.lock"
    folder = _CACHE / name
    made_of = folder / "made-of"
    version = f"{sys.version_info[:2]} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    if made_of.exists() and made_of.read_text() == version:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"]
    try:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "python"), *install, str(lock)])
    except (OSError, subprocess.SubprocessError) as fault:
        output = getattr(fault, "stderr", b"") or b""
        told = output.decode(errors="replace").strip().splitlines()
        raise NotInstalled(told[-1] if told else str(fault)) from None
    made_of.write_text(version)
    return folder


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
