"""Where the time of a start goes, in processor ms: the steps of `cds-service serve` one after the other in one process.

`python -m bench.measurements.start_stages` is that process; it prints milliseconds by step as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.harness.figures import spread
from bench.harness.report import print_table
from bench.harness.server import ROOT

_SECONDS = 60


def print_stages(rounds: int) -> None:
    """Run a process for each round, and print."""
    in_rounds = [_in_child() for _ in range(rounds)]
    rows = [[step, spread([one[step] for one in in_rounds], 0)] for step in in_rounds[0]]
    rows.append(["all", spread([sum(one.values()) for one in in_rounds], 0)])
    notes = [f"processor milliseconds, least / median / greatest of {rounds} processes, each with a new ledger"]
    print_table("Where the time of a start goes", notes, ["", "ms"], rows)


def _in_child() -> dict[str, float]:
    with TemporaryDirectory() as folder:
        settings = {"CDS_DATABASE_URL": f"sqlite:///{Path(folder) / 'ledger.sqlite'}", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "bench.measurements.start_stages"]
        done = subprocess.run(command, env=os.environ | settings, stdout=subprocess.PIPE, check=True, timeout=_SECONDS)
    milliseconds: dict[str, float] = json.loads(done.stdout)
    return milliseconds


def _run_steps() -> dict[str, float]:
    """The steps with what each of them imports; the first begins with the process, and has the imports of this file."""
    laps: dict[str, float] = {}

    def lap(step: str) -> None:
        laps[step] = time.process_time() * 1000 - sum(laps.values())

    from cds_service.cli.main import main
    from cds_service.settings.settings import read_settings

    assert main  # its import is what is measured

    lap("Python, the command and its imports")
    gc.disable()  # as `serve` does
    settings = read_settings(os.environ)
    from cds_service.cli.doctor import examine

    examine(os.environ, ask_issuers=False)
    lap("settings, doctor, the ledger's tables")
    from cds_service.served_content import whole_topics

    topics = list(whole_topics(settings.value_sets_dir, settings.topics).values())
    lap("content: loaded")
    from cards.checks.run_all import find_faults, find_stale

    today = datetime.now(UTC).date()
    find_faults(topics, today)
    for topic in topics:
        find_stale(topic, today)
    lap("content: checked")
    from cds_service.server.preloading import preload

    preload(settings)
    lap("application's imports, FHIR models")
    from cds_service.server.door import create_door_from_environment

    create_door_from_environment()
    lap("application of a worker")
    return laps


if __name__ == "__main__":
    json.dump(_run_steps(), sys.stdout)
