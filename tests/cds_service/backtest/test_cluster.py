"""Dask: the same digest however many workers there are, wherever they are, and when one is killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster

from cds_service.backtest.cluster import (
    ClusterRefused,
    DaskWorkers,
    cluster_workers,
    local_workers,
    require_same_versions,
)
from cds_service.backtest.content import ContentPlace, versions
from cds_service.backtest.engine import run
from cds_service.backtest.plan import ORDER_TYPES, Plan
from cds_service.backtest.reading.export_files import Export, find_export
from cds_service.backtest.results.counting import summarize
from cds_service.cli.main import main
from tests.cds_service.backtest.exports import (
    CHART_TYPES,
    FIRST_DAY,
    LAST_DAY,
    SERVICE_ID,
    Unwatched,
    backtest,
    make_plan,
)
from tests.places import FIXTURES, ROOT

BLOCK_BYTES = 20_000  # about 30 blocks
FOLDER = FIXTURES / "bulk_export"
PLACE = ContentPlace(SERVICE_ID)


class Stub:
    """A client whose workers say what a test has them say."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def run(self, task: Any, *arguments: Any, on_error: str) -> dict[str, Any]:
        return self._answers


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param({"code": "0" * 12}, "worker w1 has code 000000000000, this process has", id="other code"),
        pytest.param({"content": "0" * 12}, "worker w1 has content 000000000000, this process has", id="other content"),
        pytest.param(ModuleNotFoundError("cds_service"), "worker w1 cannot run this program", id="no program"),
        pytest.param(
            {"code": None, "fault": "cannot load the content: x"}, "w1 cannot load the content: x", id="no content"
        ),
    ],
)
def test_a_worker_with_another_version_is_named(answer: Any, words: str) -> None:
    theirs = versions(PLACE) | answer if isinstance(answer, dict) else answer
    with pytest.raises(ClusterRefused, match=words):
        require_same_versions(Stub(w0=versions(PLACE), w1=theirs), PLACE)  # type: ignore[arg-type]


def test_workers_with_the_same_versions_are_taken() -> None:
    require_same_versions(Stub(w0=versions(PLACE), w1=versions(PLACE)), PLACE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def digest() -> str:
    """Of the fixture, judged in this process."""
    summary = backtest(FOLDER)[1]
    assert summary.orders_with_cards > 20
    return summary.digest


def planned() -> tuple[Plan, Export]:
    export = find_export(str(FOLDER), {*ORDER_TYPES, *CHART_TYPES})
    return make_plan(export), export


def digest_with(client: Client, watcher: Any = None) -> str:
    plan, export = planned()
    results = run(plan, export, DaskWorkers(client), watcher or Unwatched(), BLOCK_BYTES)
    return summarize(results, plan, export, sample_orders=5).digest


def test_the_digest_does_not_depend_on_the_blocks(digest: str) -> None:
    assert backtest(FOLDER, block_bytes=BLOCK_BYTES)[1].digest == digest


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 4])
def test_the_digest_does_not_depend_on_the_number_of_workers(digest: str, number: int) -> None:
    with local_workers(number) as client:
        require_same_versions(client, PLACE)
        assert digest_with(client) == digest


@contextmanager
def running_cluster(number: int, **elements: Any) -> Iterator[LocalCluster]:
    """A cluster that was there before, as a hospital has one."""
    with LocalCluster(
        n_workers=number, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0", **elements
    ) as cluster:
        yield cluster


@pytest.mark.slow
def test_a_cluster_is_reached_by_its_url(digest: str) -> None:
    with running_cluster(2) as cluster:
        assert cluster.scheduler_address.startswith("tcp://")
        with cluster_workers(cluster.scheduler_address) as client:
            require_same_versions(client, PLACE)
            assert digest_with(client) == digest


@pytest.mark.slow
def test_the_command_runs_on_a_cluster(digest: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    period = ("--from", str(FIRST_DAY), "--to", str(LAST_DAY))
    with running_cluster(1) as cluster:
        arguments = [str(FOLDER), *period, "--scheduler", cluster.scheduler_address, "--output", str(out)]
        result = CliRunner().invoke(main, ["backtest", *arguments])
    assert result.exit_code == 0, result.output
    assert json.loads((out / "summary.json").read_text())["digest"] == digest


class Killer(Unwatched):
    """Kills a worker while its third, and then its twentieth block is worked on."""

    def __init__(self, find_worker: Callable[[], int]) -> None:
        self._find_worker = find_worker
        self._advances = 0
        self.killed: list[int] = []

    def advance(self, read: int, found: int) -> None:
        self._advances += 1
        if self._advances in (3, 20):
            self.killed.append(self._find_worker())
            os.kill(self.killed[-1], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_the_digest_is_the_same_after_workers_were_killed(digest: str, number: int) -> None:
    with local_workers(number) as client:
        require_same_versions(client, PLACE)
        killer = Killer(lambda: next(iter(client.run(os.getpid).values())))
        assert digest_with(client, killer) == digest
        assert len(set(killer.killed)) == 2


@pytest.mark.slow
def test_nobody_else_reaches_the_workers_on_this_machine() -> None:
    """Every port is on loopback, and takes only who has the certificate of the run."""
    with local_workers(1) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        here = psutil.Process()
        processes = [here, *here.children(recursive=True)]
        listening = [port for each in processes for port in each.net_connections("tcp") if port.status == "LISTEN"]
        assert listening
        assert {port.laddr.ip for port in listening} == {"127.0.0.1"}
        with (
            pytest.raises(ClusterRefused, match="no Dask scheduler answers"),
            cluster_workers(address.replace("tls://", "tcp://")),
        ):
            pass


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(ClusterRefused, match="no Dask scheduler answers"), cluster_workers("no-url://x"):
        pass


@pytest.mark.slow
def test_a_worker_with_another_program_is_refused(tmp_path: Path) -> None:
    """A worker process that really runs a changed copy."""
    for package in ("cards", "cds_service"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    evaluate = tmp_path / "cards" / "evaluate.py"
    evaluate.write_text(evaluate.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    with running_cluster(0) as cluster:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address, "--no-dashboard"]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        worker = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            with Client(cluster.scheduler_address) as client:
                client.wait_for_workers(1, timeout=60)
                with pytest.raises(
                    ClusterRefused, match=r"worker tcp://127\.0\.0\.1:\d+ has code \w+, this process has"
                ):
                    require_same_versions(client, PLACE)
        finally:
            worker.terminate()
            worker.wait(timeout=30)
