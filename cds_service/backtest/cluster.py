"""Dask: worker processes on this machine, or a cluster that is already there.

The workers on this machine talk over loopback with certificates made for the run, so that no other user of the machine
reaches them, and serve no dashboard.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from multiprocessing import resource_tracker
from typing import Any, TypeVar

import dask
from distributed import Client, LocalCluster, as_completed

from cards.content.files import ContentError
from cds_service.backtest.content import ContentPlace, versions

_TASKS_PER_THREAD = 3  # in flight: enough that none waits, few enough that memory stays bounded
_CONNECT_S = 15
_CONFIG = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.admin.large-graph-warning-threshold": "1 GB",
}

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class ClusterRefused(Exception):
    """The cluster cannot be used. The message says what to do."""


class DaskWorkers:
    """Runs tasks on the workers of a Dask client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._numbers = count(1)

    def map(
        self, task: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """As `engine.Workers` describes. A task whose worker died is run again on another one."""
        # a task, not scattered data: what was lost with a worker is made again
        sent = self._client.submit(_same, shared, key=f"shared-{next(self._numbers)}", pure=False)
        waiting = iter(items)
        of_future: dict[Any, Item] = {}

        def submit(most: int) -> list[Any]:
            futures = []
            for item in islice(waiting, most):
                key = f"{task.__name__}-{next(self._numbers)}"
                future = self._client.submit(task, sent, item, key=key, pure=False)
                of_future[future] = item
                futures.append(future)
            return futures

        done = as_completed(submit(_TASKS_PER_THREAD * max(1, sum(self._client.nthreads().values()))))
        for future in done:
            item = of_future.pop(future)
            result = future.result()
            future.release()
            done.update(submit(1))
            yield item, result


@contextmanager
def local_workers(number: int) -> Iterator[Client]:
    """A client of so many processes on this machine."""
    with dask.config.set(_CONFIG), _local_cluster(number) as cluster, Client(cluster) as client:
        yield client


def _local_cluster(number: int) -> LocalCluster:
    """Workers that Ctrl-C does not reach: this process ends them.

    The thread that starts them, also again after one died, and they themselves inherit that the signal is blocked.
    """
    resource_tracker.ensure_running()  # which would unblock the signal, were it started with the first worker
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cluster_workers(url: str) -> Iterator[Client]:
    """A client of the cluster whose scheduler is at this URL. Raises ClusterRefused."""
    with dask.config.set(_CONFIG):
        try:
            client = Client(url, timeout=_CONNECT_S)
        except (OSError, ValueError, TypeError) as fault:
            raise ClusterRefused(
                f"no Dask scheduler answers at {url}: give its address, such as tcp://scheduler:8786 ({fault})"
            ) from None
        with client:
            if not client.nthreads():
                raise ClusterRefused(f"the scheduler at {url} has no workers: start some, then run this again")
            yield client


def require_same_versions(client: Client, place: ContentPlace) -> None:
    """Raises ClusterRefused where a worker has other code or other content than this process."""
    ours = versions(place)
    for worker, theirs in client.run(_versions_or_fault, place, on_error="return").items():
        if not isinstance(theirs, dict):
            raise ClusterRefused(
                f"worker {worker} cannot run this program: install the same version there ({theirs!r})"
            )
        for what, version in ours.items():
            if theirs.get(what) != version:
                words = theirs.get("fault") or f"has {what} {theirs.get(what)}, this process has {version}"
                raise ClusterRefused(
                    f"worker {worker} {words}: install the same version of program, content and site codes there"
                )


def _versions_or_fault(place: ContentPlace) -> dict[str, str]:
    """The versions in a worker; or what is wrong there, in words that can be sent."""
    try:
        return versions(place)
    except (ContentError, KeyError, OSError) as fault:
        return {"fault": f"cannot load the content: {fault}"}


def _same(shared: Shared) -> Shared:
    return shared
