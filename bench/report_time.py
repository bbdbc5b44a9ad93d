"""What `cds-service report` costs over many cards: time and memory of a fresh process, for each format.

SQLite in a temporary file; also PostgreSQL, given the URL of an empty database. Processor time and memory are
those of our process: a PostgreSQL server has its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.harness.report import machine, print_table
from bench.ledger_rows import Plan
from cds_service.report.counting.window import as_time

_COMMAND = "from cds_service.report.report_command import report; report()"
_FORMATS = ("table", "csv", "json", "html")


def main() -> None:
    """Make a ledger, report over all of it and over its last 30 days, print, and remove it."""
    parser = argparse.ArgumentParser(prog="python -m bench.report_time", description=__doc__)
    parser.add_argument("--cards", type=int, default=Plan.cards, help="issued cards (default: 1000000)")
    parser.add_argument("--postgresql-url", help="an empty database, which is filled and left so")
    options = parser.parse_args()
    print(machine())
    with TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/ledger.sqlite"]
        urls += [options.postgresql_url] if options.postgresql_url else []
        for url in urls:
            _measure(url, options.cards, Path(folder))


def _measure(url: str, cards: int, folder: Path) -> None:
    # in a process of its own: a child's peak begins at what its parent had
    filled = _run(["-m", "bench.ledger_rows", url, "--cards", str(cards), "--until-today"])
    rows = []
    since = as_time(Plan(cards, until_ms=int(time.time()) * 1000).since_ms).date().isoformat()
    for about, first in (("all", since), ("30 days", "30d")):
        for name in _FORMATS:
            output = folder / f"report.{name}"
            asked = ["--database-url", url, "--since", first, "--format", name, "--output", str(output)]
            cost = _run(["-c", _COMMAND, *asked])
            size = output.stat().st_size / 1000
            figures = (f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_mb:.0f}", f"{size:,.0f}")
            rows.append((f"{name}, {about}", *figures))
    notes = [f"{cards:,} cards over {Plan.days} days, written in {filled.wall_s:.0f} s; a process of its own each time"]
    kind = url.partition(":")[0]
    print_table(f"cds-service report, {kind}", notes, ("format, window", "s", "CPU s", "peak MB", "output kB"), rows)


@dataclass(frozen=True)
class _Cost:
    """Seconds by the clock and of the processor, and peak resident megabytes, of one process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def _run(arguments: Sequence[str]) -> _Cost:
    """What one run of Python costs. Raises SystemExit where it fails."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("it failed")
    # ru_maxrss is in kB on Linux
    return _Cost(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


if __name__ == "__main__":
    main()
