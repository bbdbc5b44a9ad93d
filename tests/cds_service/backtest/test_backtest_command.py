"""`cds-service backtest`: what it refuses and, as slow tests, what it writes."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from tests.cds_service.backtest.exports import born, of, write_export, write_lines
from tests.charts import ASTHMA, STENOSIS, condition, order, procedure
from tests.places import FIXTURES, ROOT
from tests.server_process import COMMAND

PERIOD = ("--from", "2025-01-01", "--to", "2025-12-31")


def command(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["backtest", *arguments])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two orders for a lumbar puncture and one for a laboratory test, of two patients."""
    return write_export(
        tmp_path / "export",
        born("p1", name=[{"family": "Secret"}]),
        born("=p2"),
        order(id="o1", subject=of("p1"), authoredOn="2025-03-01T10:00:00Z", status="completed"),
        order(id="o2", subject=of("=p2"), authoredOn="2025-12-31", status="active"),
        order(ASTHMA, id="o3", subject=of("p1"), authoredOn="2025-03-01", status="active"),
        condition(STENOSIS, id="c1", subject=of("p1"), onsetDateTime="2019-03"),
        procedure(ASTHMA, subject=of("p1")),
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--from", "2025-02-01", "--to", "2025-01-01"), "--to is before --from", id="an empty period"),
        pytest.param((*PERIOD, "--topic", "other"), "there are lumbar-puncture-back-pain", id="an unknown service"),
        pytest.param(
            (*PERIOD, "--workers", "2", "--scheduler", "tcp://x:1"), "leave it out", id="both kinds of workers"
        ),
    ],
)
def test_a_wrong_question_is_explained(export: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = command(str(export), *arguments, "--output", str(tmp_path / "out"))
    assert result.exit_code in (1, 2)
    assert words in result.output
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_refused(export: Path, tmp_path: Path) -> None:
    kept = write_lines(tmp_path / "out" / "orders.csv", "of another run")
    result = command(str(export), *PERIOD, "--output", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert kept.read_text() == "of another run\n"


def test_an_export_without_orders_says_what_to_do(export: Path, tmp_path: Path) -> None:
    (export / "ServiceRequest.ndjson").unlink()
    result = command(str(export), *PERIOD, "--output", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "--orders-from Procedure" in result.output


def test_without_dask_it_says_what_to_install(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = command(str(export), *PERIOD, "--output", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "pip install '.[backtest]'" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.slow
def test_the_results_are_private_and_name_no_patient_but_by_id(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = command(str(export), *PERIOD, "--workers", "1", "--output", str(out))
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {path.name for path in out.iterdir()} == {"report.html", "summary.json", "orders.csv", "sample.csv"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    with (out / "orders.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["order"] for row in rows] == ["ServiceRequest/o1", "ServiceRequest/o2"]
    assert rows[0]["cards"] == "what-to-expect confounders"
    assert rows[0]["indicators"] == "info info"
    assert rows[1] == {
        "order": "ServiceRequest/o2",
        "patient": "'=p2",  # no formula
        "date": "2025-12-31",
        "cards": "what-to-expect",
        "class": "",
        "indicators": "info",
    }
    summary = json.loads((out / "summary.json").read_text())
    assert summary["orders_seen"] == 3
    assert summary["orders_ours"] == summary["orders_with_cards"] == 2
    assert summary["patients_seen"] == 2
    assert summary["silent"] == {"order-not-ours": 1}
    for path in out.iterdir():
        assert "Secret" not in path.read_text()
        assert "1970" not in path.read_text()
    for name in ("report.html", "summary.json"):
        assert "p1" not in (out / name).read_text()


def restore_interrupts() -> None:
    """As in a terminal: who starts tests in the background has the signal ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def has_workers(process: subprocess.Popen[bytes]) -> bool:
    return len(psutil.Process(process.pid).children(recursive=True)) > 1


@pytest.mark.slow
def test_ctrl_c_ends_it_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The terminal sends the signal to the workers, too."""
    out = tmp_path / "out"
    command_line = [COMMAND, "backtest", FIXTURES / "bulk_export", *PERIOD, "--workers", "2", "--output", out]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [str(part) for part in command_line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=restore_interrupts,
    )
    while process.poll() is None and not has_workers(process):
        time.sleep(0.05)
    assert out.exists()
    os.killpg(process.pid, signal.SIGINT)
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.decode() == "cds-service: interrupted: nothing was written\n"
    assert not printed
    assert not out.exists()


@pytest.mark.slow
def test_a_changed_threshold_shows_which_orders_change(tmp_path: Path) -> None:
    other = tmp_path / "cards" / "topics" / "lumbar_puncture"
    shutil.copytree(ROOT / "cards" / "topics" / "lumbar_puncture", other)
    service = other / "service.yaml"
    text = service.read_text(encoding="utf-8")
    assert "look-back-days: 365" in text
    service.write_text(text.replace("look-back-days: 365", "look-back-days: 5"), encoding="utf-8")
    out = tmp_path / "out"
    export = FIXTURES / "bulk_export"
    result = command(str(export), *PERIOD, "--workers", "2", "--against", str(other), "--output", str(out))
    assert result.exit_code == 0, result.output
    summary = json.loads((out / "summary.json").read_text())
    against = summary["against"]
    assert against["content_version"] != summary["content_version"]
    assert 0 < against["orders_with_cards"] < summary["orders_with_cards"]
    with (out / "changed.csv").open(newline="") as file:
        changed = list(csv.DictReader(file))
    assert len(changed) == against["orders_changed"] == sum(change["orders"] for change in against["changes"])
    columns = ("cards", "class", "indicators")
    assert all([row[name] for name in columns] != [row[f"{name}_before"] for name in columns] for row in changed)
