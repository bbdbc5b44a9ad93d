"""`python -m bench.backtest_scale --patients N`: what a backtest of a generated export costs, as one Markdown table.

For comparison: `orjson.loads` of the same lines, in one process. Exit status 1 if two runs have different digests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from bench.backtest_scale.cluster import RunningCluster, running_cluster
from bench.bulk_export.files import Plan, write_export
from bench.harness.report import machine, print_table
from bench.sampling import Sampler

_COMMAND = "from cds_service.backtest.backtest_command import backtest; backtest()"
_PATIENTS_IN_A_FILE = 25_000


@dataclass(frozen=True)
class Run:
    """One way to read the whole export: wall-clock and processor seconds, and the results."""

    name: str
    wall_s: float
    processor_s: float
    peak_mb: float
    digest: str
    content_version: str = ""
    note: str = ""


def main() -> int:
    """Write the export, read it in each way, print. Needs the extra `backtest`."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest_scale", description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000, help="of the export (default: 100000; 13 kB each)")
    parser.add_argument("--export", type=Path, help="use this existing export of bench.bulk_export")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4], help="local processes (default: 1 2 4)")
    parser.add_argument(
        "--no-cluster", action="store_true", help="leave out the cluster, and the worker that is killed"
    )
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        export = options.export or _written(Path(folder) / "export", options.patients)
        notes = [machine()]
        lines, size = _count(export)
        notes.append(f"{lines:,} lines, {size / 1e9:.2f} GB, plain NDJSON, in the page cache as far as it fits")
        runs = []
        for run in _runs(export, Path(folder), options.workers, with_cluster=not options.no_cluster):
            runs.append(run)
            print(f"{run.name}: {run.wall_s:.0f} s", file=sys.stderr, flush=True)
    reference = runs[0]
    rows = [
        [
            run.name,
            f"{run.wall_s / 60:.1f}",
            f"{run.processor_s / 60:.1f}",
            f"{lines / run.wall_s:,.0f}",
            f"{lines / run.processor_s:,.0f}",
            f"{reference.processor_s / run.processor_s:.2f}",
            f"{run.peak_mb:,.0f}",
            run.digest[:12],
            run.note,
        ]
        for run in runs
    ]
    head = [
        "",
        "minutes",
        "processor minutes",
        "lines/s",
        "lines/s of processor",
        "of orjson",
        "peak RSS, MB",
        "digest",
        "",
    ]
    print_table("Backtest", notes, head, rows)
    if len({run.content_version for run in runs if run.content_version}) > 1:
        print("the content changed while this ran: digests cannot be compared; run it again", file=sys.stderr)
        return 1
    digests = {run.digest for run in runs if run.digest}
    if len(digests) > 1:
        print(f"{len(digests)} different digests: the answers depend on how it was run", file=sys.stderr)
    return int(len(digests) > 1)


def _written(folder: Path, patients: int) -> Path:
    write_export(Plan(folder, patients, files=-(-patients // _PATIENTS_IN_A_FILE)))
    return folder


def _count(export: Path) -> tuple[int, int]:
    files = sorted(export.glob("*.ndjson"))
    lines = 0
    for path in files:
        with path.open("rb") as file:
            lines += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b""))
    return lines, sum(path.stat().st_size for path in files)


def _runs(export: Path, folder: Path, workers: Sequence[int], *, with_cluster: bool) -> Iterator[Run]:
    yield _orjson(export)
    for number in workers:
        name = f"{number} worker{'s' * (number > 1)}"
        yield _backtest(name, export, folder, ["--workers", str(number)])
    if not with_cluster:
        return
    whole = None
    for name in ("tcp:// URL, 2 workers", "tcp:// URL, 2 workers, one killed"):
        with running_cluster(2) as cluster:
            kill_after_s = whole.wall_s / 2 if whole else None
            whole = _backtest(name, export, folder, ["--scheduler", cluster.url], cluster, kill_after_s)
        yield whole


def _orjson(export: Path) -> Run:
    began, processor = time.monotonic(), time.process_time()
    for path in sorted(export.glob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                try:
                    orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
    return Run("orjson.loads, 1 process", time.monotonic() - began, time.process_time() - processor, 0, "")


def _backtest(
    name: str,
    export: Path,
    folder: Path,
    arguments: Sequence[str],
    cluster: RunningCluster | None = None,
    kill_after_s: float | None = None,
) -> Run:
    output = folder / f"results-{time.monotonic_ns()}"
    command = [sys.executable, "-c", _COMMAND, str(export), "--from", "2025-01-01", "--to", "2025-12-31"]
    began = time.monotonic()
    note = ""
    process = subprocess.Popen(
        [*command, *arguments, "--output", str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with Sampler([process.pid, *([cluster.process.pid] if cluster else [])]) as sampler:
        if cluster and kill_after_s:
            time.sleep(kill_after_s)
            still_running = process.poll() is None
            note = f"worker {cluster.kill_a_worker()} killed after {kill_after_s:.0f} s"
            assert still_running, "the backtest ended before a worker could be killed"
        status = process.wait()
    if status:
        raise SystemExit(f"{name}: the backtest ended with status {status}")
    summary = json.loads((output / "summary.json").read_text())
    digest, version = summary["digest"], summary["content_version"]
    return Run(name, time.monotonic() - began, sampler.processor_s, sampler.peak_mb, digest, version, note)


if __name__ == "__main__":
    sys.exit(main())
