"""Small Bulk Data exports, written by a test, and workers that run in its own process."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from cds_service.backtest.content import ContentPlace
from cds_service.backtest.engine import Results, run
from cds_service.backtest.plan import ORDER_TYPES, PROCEDURE, Plan
from cds_service.backtest.reading.export_files import Export, find_export
from cds_service.backtest.results.counting import summarize
from cds_service.backtest.results.summary import Summary
from cds_service.backtest.rows import Row
from tests.charts import Json

SERVICE_ID = "lumbar-puncture-back-pain"
FIRST_DAY, LAST_DAY = date(2025, 1, 1), date(2025, 12, 31)
EXPORTED_ON = date(2026, 1, 15)
CHART_TYPES = ("Patient", "Condition", "Procedure")


class InProcess:
    """Runs tasks in this process, one after the other."""

    def map(self, task: Callable[[Any, Any], Any], shared: Any, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for item in items:
            yield item, task(shared, item)


class Unwatched:
    """Nobody looks on."""

    def begin(self, what: str, total: int) -> None:
        pass

    def advance(self, read: int, found: int) -> None:
        pass


def write_lines(path: Path, *resources: Json | str) -> Path:
    """A file of NDJSON, compressed if its name says so; a string is written as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in resources]
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_export(folder: Path, *resources: Json) -> Path:
    """An export with one file for each resource type; the types of a chart have one in any case."""
    by_type: dict[str, list[Json]] = {name: [] for name in CHART_TYPES}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    for name, of_type in by_type.items():
        write_lines(folder / f"{name}.ndjson", *of_type)
    return folder


def born(patient: str, birth_date: str = "1970-05-01", **elements: Any) -> Json:
    """A Patient of an export."""
    return {"resourceType": "Patient", "id": patient, "birthDate": birth_date} | elements


def of(patient: str) -> Json:
    """The subject of a resource."""
    return {"reference": f"Patient/{patient}"}


def make_plan(export: Export, **elements: Any) -> Plan:
    """A plan for the year 2025; `elements` replace parts of it."""
    parts: dict[str, Any] = {
        "content": ContentPlace(SERVICE_ID),
        "first_day": FIRST_DAY,
        "last_day": LAST_DAY,
        "orders_from": "ServiceRequest",
        "exported_on": EXPORTED_ON,
        "present_types": frozenset(file.resource_type for file in export.files),
        "hash_key": b"made up",
    }
    return Plan(**(parts | elements))


def backtest(folder: Path | str, *, block_bytes: int = 1_000_000, **elements: Any) -> tuple[Results, Summary]:
    """All rows and numbers of an export, judged in this process."""
    orders = (PROCEDURE,) if elements.get("orders_from") == PROCEDURE else ORDER_TYPES
    export = find_export(str(folder), {*orders, *CHART_TYPES})
    plan = make_plan(export, **elements)
    results = run(plan, export, InProcess(), Unwatched(), block_bytes)
    return results, summarize(results, plan, export, sample_orders=5)


def rows_of(folder: Path | str, **elements: Any) -> dict[str, Row]:
    """The rows by order."""
    return {row.order: row for row in backtest(folder, **elements)[0].rows}


def cards_of(row: Row) -> list[str]:
    return [card.key for card in row.answer.cards]
