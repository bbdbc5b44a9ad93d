"""deploy/systemd, as far as it can be checked where systemd does not run: by `systemd-analyze`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from cds_service.settings.settings import read_settings
from tests.places import ROOT
from tests.server_process import COMMAND

UNIT = (ROOT / "deploy/systemd/cds-service.service").read_text("utf-8")
PAGE = (ROOT / "docs/production.md").read_text("utf-8")
INSTALLED = "/opt/cds-service/bin/cds-service"
MOST_EXPOSED = 20  # tenths, of 100: 0 is best


def analyze(unit: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze` on this unit, with the command of this environment in place of the one to be installed."""
    file = folder / "cds-service.service"
    file.write_text(unit.replace(INSTALLED, str(COMMAND)), "utf-8")
    command = ["systemd-analyze", *arguments, str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def test_the_unit_has_no_fault(tmp_path: Path) -> None:
    result = analyze(UNIT, tmp_path, "verify")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "change", [("ProtectHome=", "ProtectHom="), ("Type=exec", "Type=exe"), (INSTALLED, "/nowhere")]
)
def test_a_fault_is_noticed(tmp_path: Path, change: tuple[str, str]) -> None:
    assert UNIT.count(change[0])
    assert analyze(UNIT.replace(*change), tmp_path, "verify").stderr


def test_the_unit_leaves_little_of_the_machine_within_reach(tmp_path: Path) -> None:
    rate = ("security", "--offline=true", f"--threshold={MOST_EXPOSED}")
    assert analyze(UNIT, tmp_path, *rate).returncode == 0
    assert analyze(UNIT.replace("CapabilityBoundingSet=\n", ""), tmp_path, *rate).returncode != 0


def test_the_settings_of_the_page_are_all_that_production_takes(tmp_path: Path) -> None:
    (block,) = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    settings = dict(line.split("=", 1) for line in block.splitlines())
    clients = Path(settings["CDS_CLIENTS_FILE"])
    (tmp_path / clients.name).touch()
    read = read_settings(settings | {"CDS_CLIENTS_FILE": str(tmp_path / clients.name)})
    assert read.is_production
    assert f"EnvironmentFile={clients.parent}/settings.env" in UNIT
    assert str(read.database.database).startswith("/var/lib/cds-service/")
    assert "StateDirectory=cds-service\n" in UNIT
