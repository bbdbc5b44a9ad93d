"""The lines of docs/backtest.md for Spark, run on a stand-in for its context: this project installs no Spark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cds_service.backtest.engine import run
from cds_service.backtest.reading.export_files import find_export
from cds_service.backtest.results.counting import digest
from tests.cds_service.backtest.exports import CHART_TYPES, ORDER_TYPES, InProcess, Unwatched, make_plan
from tests.places import FIXTURES, ROOT


class StandIn:
    """What those lines use of SparkContext and RDD, for one partition after the other."""

    def __init__(self) -> None:
        self.partitions: list[list[Any]] = []
        self.functions: list[Callable[[Iterable[Any]], Iterable[Any]]] = []

    def broadcast(self, value: Any) -> Any:
        return type("Broadcast", (), {"value": value})

    def parallelize(self, items: list[Any], partitions: int) -> StandIn:
        made = StandIn()
        made.partitions = [items[number::partitions] for number in range(partitions)]
        return made

    def mapPartitions(self, function: Callable[[Iterable[Any]], Iterable[Any]]) -> StandIn:  # noqa: N802 - Spark's
        self.functions.append(function)
        return self

    def toLocalIterator(self) -> Iterator[Any]:  # noqa: N802 - Spark's
        for partition in self.partitions:
            for function in self.functions:
                yield from function(iter(partition))


def test_the_documented_lines_give_the_digest_of_dask() -> None:
    text = (ROOT / "docs" / "backtest.md").read_text("utf-8")
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class SparkWorkers" in block)
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - our own documentation
    export = find_export(str(FIXTURES / "bulk_export"), {*ORDER_TYPES, *CHART_TYPES})
    plan = make_plan(export)
    digests = {
        digest(run(plan, export, workers, Unwatched(), 50_000).rows, plan.topics[0].version)
        for workers in (InProcess(), names["SparkWorkers"](StandIn()))
    }
    assert len(digests) == 1
