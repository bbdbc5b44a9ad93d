"""The passes of a backtest over an export: orders first, then only the charts of their patients, then one row an order.

The tasks below are what other processes run; each is pure, so that one that was lost with its process is run again.
What this process keeps is bounded by the orders that are ours and the charts of their patients.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol, TypeVar

import msgspec

from cds_service.backtest.judging import PatientOrders, judge_patient, names_ours
from cds_service.backtest.plan import Plan
from cds_service.backtest.reading.blocks import BLOCK_BYTES, Block, cut, read_lines
from cds_service.backtest.reading.export_files import Export
from cds_service.backtest.reading.partition import (
    CONDITION,
    PATIENT,
    ChartRead,
    OrdersRead,
    Wanted,
    partition_chart,
    partition_orders,
    partition_reasons,
)
from cds_service.backtest.rows import PlacedOrder, Row

_PATIENTS_IN_A_TASK = 50
_LENGTH_BYTES = 8

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Processes that run tasks."""

    def map(
        self, task: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result]]:
        """Run a task on each item, with what all of them share; results come as they are ready."""


class Watcher(Protocol):
    """Who is shown how far the work is: what was read of a pass (bytes, or patients), and how many were found."""

    def begin(self, what: str, total: int) -> None: ...

    def advance(self, read: int, found: int) -> None: ...


@dataclass
class Results:
    """All rows, and what was counted on the way. `lines`: read, by resource type; `seen`, `not_placed`: orders."""

    rows: list[Row] = field(default_factory=list)
    lines: Counter[str] = field(default_factory=Counter)
    seen: int = 0
    not_placed: int = 0
    by_month: Counter[str] = field(default_factory=Counter)
    by_category: Counter[str] = field(default_factory=Counter)
    clinician_weeks: set[tuple[int, str]] = field(default_factory=set)
    patients: set[int] = field(default_factory=set)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def patients_seen(self) -> int:
        return self.lines[PATIENT] or len(self.patients)


def run(plan: Plan, export: Export, workers: Workers, watcher: Watcher, block_bytes: int = BLOCK_BYTES) -> Results:
    """Read the export and judge every order of the period. Raises ExportRefused, OSError."""
    results = Results()
    passes = _Passes(plan, export, workers, watcher, block_bytes, results)
    orders = passes.find_orders()
    charts, entries_seen = passes.read_charts(orders)
    results.rows = sorted(passes.judge(orders, charts, entries_seen), key=lambda row: (row.on, row.order))
    return results


@dataclass
class _Passes:
    plan: Plan
    export: Export
    workers: Workers
    watcher: Watcher
    block_bytes: int
    results: Results

    def find_orders(self) -> list[PlacedOrder]:
        """The orders that are ours, each once."""
        ours: dict[str, PlacedOrder] = {}
        wanted: set[str] = set()
        with tempfile.TemporaryFile() as undecided:  # without a name, and gone with this process
            for block, read in self._pass("Orders", self.plan.order_types, read_orders, self.plan):
                self._count_orders(block, read)
                self._keep(ours, read.ours)
                for order in read.undecided:
                    wanted.update(order.conditions)
                    _write(undecided, order)
                self.watcher.advance(block.stored_bytes, len(ours))
            if wanted:
                self._keep(ours, self._decide(undecided, frozenset(wanted)))
        return list(ours.values())

    def _count_orders(self, block: Block, read: OrdersRead) -> None:
        results = self.results
        results.lines[block.resource_type] += read.lines
        results.seen += read.seen
        results.not_placed += read.not_placed
        results.by_month += read.by_month
        results.by_category += read.by_category
        results.clinician_weeks |= read.clinician_weeks
        results.patients |= read.patients
        results.unread += read.unread

    def _keep(self, ours: dict[str, PlacedOrder], orders: Iterable[PlacedOrder]) -> None:
        for order in orders:
            known = ours.setdefault(order.reference, order)
            if known is not order:  # whichever block came first, the same one stays
                self.results.unread["order-twice"] += 1
                self.results.seen -= 1
                ours[order.reference] = max(known, order, key=lambda each: each.raw)

    def _decide(self, undecided: IO[bytes], conditions: frozenset[str]) -> Iterator[PlacedOrder]:
        """The orders that one of the Conditions they name makes ours."""
        matching: dict[str, bytes] = {}
        for block, read in self._pass("Reasons", (CONDITION,), read_reasons, (self.plan, conditions)):
            matching |= read
            self.watcher.advance(block.stored_bytes, len(matching))
        undecided.seek(0)
        for order in _read_all(undecided):
            lines = [matching[id_] for id_ in order.conditions if id_ in matching]
            if lines and names_ours(order, lines, self.plan):
                yield order

    def read_charts(self, orders: Sequence[PlacedOrder]) -> tuple[dict[str, dict[str, list[bytes]]], Counter[str]]:
        """The lines that matter, by patient and resource type; and how many entries each patient has in all."""
        wanted = Wanted(
            frozenset(order.patient for order in orders),
            frozenset(id_ for order in orders for id_ in order.conditions),
        )
        charts: dict[str, dict[str, list[bytes]]] = {patient: {} for patient in wanted.patients}
        seen: Counter[str] = Counter()
        types = sorted({PATIENT, *self.plan.topics[0].service.resource_types.values()})
        for block, read in self._pass("Charts", types, read_chart, (self.plan, wanted)):
            if block.resource_type not in self.plan.order_types:  # Procedures that stand for orders were counted
                self.results.lines[block.resource_type] += read.lines
                self.results.unread += read.unread
            seen += read.entries_seen
            for patient, lines in read.by_patient.items():
                charts[patient].setdefault(block.resource_type, []).extend(lines)
            self.watcher.advance(block.stored_bytes, len(seen))
        return charts, seen

    def judge(
        self, orders: Sequence[PlacedOrder], charts: dict[str, dict[str, list[bytes]]], seen: Counter[str]
    ) -> Iterator[Row]:
        """The rows of all orders; each chart is let go once it is sent."""
        of_patient: dict[str, list[PlacedOrder]] = {}
        for order in orders:
            of_patient.setdefault(order.patient, []).append(order)

        def batches() -> Iterator[list[PatientOrders]]:
            batch = []
            for patient in sorted(of_patient):
                lines = {name: sorted(each) for name, each in charts.pop(patient).items()}
                batch.append(PatientOrders(patient, tuple(of_patient[patient]), lines, seen[patient]))
                if len(batch) == _PATIENTS_IN_A_TASK:
                    yield batch
                    batch = []
            if batch:
                yield batch

        self.watcher.begin("Decisions", len(of_patient))
        with_cards = 0
        for batch, rows in self.workers.map(judge_patients, self.plan, batches()):
            with_cards += sum(bool(row.answer.cards) for row in rows)
            self.watcher.advance(len(batch), with_cards)
            yield from rows

    def _pass(self, what: str, types: Sequence[str], task: Any, shared: Any) -> Iterator[tuple[Block, Any]]:
        files = [file for name in types for file in self.export.of(name)]
        self.watcher.begin(what, sum(file.size for file in files))
        yield from self.workers.map(task, shared, cut(files, self.block_bytes))


def read_orders(plan: Plan, block: Block) -> OrdersRead:
    """Task: the orders of a block."""
    unread: Counter[str] = Counter()
    read = partition_orders(read_lines(block, unread), plan)
    read.unread += unread
    return read


def read_reasons(shared: tuple[Plan, frozenset[str]], block: Block) -> dict[str, bytes]:
    """Task: the Conditions of a block that may make an order ours."""
    plan, conditions = shared
    return partition_reasons(read_lines(block, Counter()), plan, conditions)


def read_chart(shared: tuple[Plan, Wanted], block: Block) -> ChartRead:
    """Task: the entries of a block that matter."""
    plan, wanted = shared
    unread: Counter[str] = Counter()
    read = partition_chart(read_lines(block, unread), block.resource_type, plan, wanted)
    read.unread += unread
    return read


def judge_patients(plan: Plan, patients: Sequence[PatientOrders]) -> list[Row]:
    """Task: the rows of some patients."""
    return [row for patient in patients for row in judge_patient(patient, plan)]


def _write(file: IO[bytes], order: PlacedOrder) -> None:
    encoded = msgspec.msgpack.encode(order)
    file.write(len(encoded).to_bytes(_LENGTH_BYTES, "big"))
    file.write(encoded)


def _read_all(file: IO[bytes]) -> Iterator[PlacedOrder]:
    decoder = msgspec.msgpack.Decoder(PlacedOrder)
    while length := file.read(_LENGTH_BYTES):
        yield decoder.decode(file.read(int.from_bytes(length, "big")))
