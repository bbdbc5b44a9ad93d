"""Several worker processes are one server to Prometheus: any of them reports for all, including ended ones."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest

from cds_service.operations.metrics_folder import metrics_folder
from tests.charts import SERVICE, hook_call, order
from tests.databases import LiveDatabase
from tests.exposition import samples_in
from tests.killable_server import killable_server
from tests.server_process import ask

PATIENCE_S = 30
WORKERS = """
import os, sys
from cds_service.operations.metrics_folder import metrics_folder

with metrics_folder():
    from cards.catalogue import load_topic
    from cds_service.clients.registry import Registry
    from cds_service.operations.metrics import Metrics

    metrics = Metrics([load_topic()], Registry())  # in the parent, before it forks

    def work(number, busy):
        if os.fork() == 0:
            metrics.requests_in_progress = lambda: busy
            for _ in range(number):
                metrics.on_event("fault")
            metrics.publish()
            if busy == 2:  # the one that goes on living
                print(metrics.exposition().decode())
                sys.stdout.flush()
            os._exit(0)
        os.wait()

    work(3, 7)
    work(4, 2)
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    assert oct(os.stat(folder).st_mode)[-3:] == "700"
assert not os.path.exists(folder)
assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
"""


@pytest.mark.slow
def test_a_dead_worker_leaves_its_counts_and_takes_its_gauges_along() -> None:
    """And the folder is nobody else's, and gone with the server."""
    done = subprocess.run([sys.executable, "-c", WORKERS], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    told = samples_in(done.stdout)
    assert told["cds_hooks_faults_total"] == 7
    assert told["cds_hooks_requests_in_progress"] == 2


def test_a_folder_that_comes_too_late_is_refused() -> None:
    """prometheus_client would keep its numbers in the memory of each process, and nobody would notice."""
    assert "prometheus_client" in sys.modules
    with pytest.raises(RuntimeError, match="imported before"), metrics_folder():
        pass


@pytest.mark.slow
def test_any_worker_of_a_server_tells_for_all(sqlite_database: LiveDatabase, tmp_path: Path) -> None:
    with killable_server(sqlite_database.url, tmp_path, workers=2) as server:
        for number in range(20):
            call = hook_call(order({"text": "Chest X-ray"}), hookInstance=str(UUID(int=number)))
            assert ask(server.port, "POST", SERVICE, call)[0] == 200
        deadline = time.monotonic() + PATIENCE_S
        told = []
        while told[-5:] != [20] * 5:  # each worker publishes every second; then all of them agree
            assert time.monotonic() < deadline, told
            status, body = ask(server.port, "GET", "/metrics")
            assert status == 200
            told.append(samples_in(body.decode())['cds_hooks_client_calls_total{client="unidentified",mode="visible"}'])
            time.sleep(0.1)
        assert json.loads(ask(server.port, "GET", "/health/ready")[1])["state"] == "ready"
        server.stop()
    log = "".join(one.read_text("utf-8") for one in tmp_path.glob("*.log"))
    assert log.count("cds_hooks.call") == 20
    assert len(log.splitlines()) == 21  # the start, and each call: neither probes nor scrapes leave a line
