"""Who may read from a FHIR server: limited places, and a pause for a server that does not answer (design.md 6)."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from cds_service.fhir_client import server_limits as server_gate
from cds_service.fhir_client.base_url import FhirBase, parse_base
from cds_service.fhir_client.reader import FhirReader
from cds_service.fhir_client.server_limits import ALL_FULL, FULL, LEFT_ALONE, ServerGate
from tests.charts import condition, searchset
from tests.misbehaving_server import Handler, LoopbackServer, answer, never_ending

REST_S = 5.0
SHORT_BUDGET_MS = 100


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def server(number: int = 0) -> FhirBase:
    return FhirBase("https", f"fhir-{number}.example.org", 443, "/r4")


def ask(gate: ServerGate, base: FhirBase, *, answered: bool) -> str | None:
    """One call, from its beginning to its end; why it may not read, where it may not."""
    refused = gate.enter(base)
    if refused is None:
        gate.leave(base)
        gate.note(base, answered=answered)
    return refused


@pytest.mark.parametrize(
    ("threads", "of_one", "of_all"),
    [(1, 1, 1), (2, 1, 1), (8, 1, 4), (15, 1, 7), (16, 2, 8), (64, 8, 32), (1024, 128, 512)],
)
def test_an_eighth_of_the_threads_reads_from_one_server_and_half_from_all(
    threads: int, of_one: int, of_all: int
) -> None:
    gate = ServerGate(threads)
    assert [gate.enter(server()) for _ in range(of_one + 1)] == [None] * of_one + [
        FULL if of_one < of_all else ALL_FULL
    ]
    entered = of_one
    for number in range(1, 20):
        while gate.enter(server(number)) is None:
            entered += 1
    assert entered == of_all
    gate.leave(server())
    assert gate.enter(server(21)) is None


def test_a_server_that_does_not_answer_is_left_alone_and_tried_again() -> None:
    clock = Clock()
    gate = ServerGate(64, clock)
    assert [ask(gate, server(), answered=False) for _ in range(6)] == [None] * 5 + [LEFT_ALONE]
    clock.now += REST_S - 0.1
    assert ask(gate, server(), answered=False) == LEFT_ALONE
    clock.now += 0.2
    assert gate.enter(server()) is None, "the trial"
    assert gate.enter(server()) == LEFT_ALONE, "one trial at a time"
    gate.leave(server())
    gate.note(server(), answered=False)
    assert gate.enter(server()) == LEFT_ALONE, "the trial failed"
    clock.now += REST_S
    assert ask(gate, server(), answered=True) is None
    assert [ask(gate, server(), answered=False) for _ in range(5)] == [None] * 5, "it starts again"


def test_one_answer_among_silence_is_enough() -> None:
    gate = ServerGate(64, Clock())
    for _ in range(20):
        assert [ask(gate, server(), answered=answered) for answered in (False, False, False, False, True)] == [None] * 5


def test_a_server_that_is_left_alone_is_so_for_itself() -> None:
    gate = ServerGate(64, Clock())
    for _ in range(6):
        ask(gate, server(1), answered=False)
    assert ask(gate, server(1), answered=True) == LEFT_ALONE
    assert ask(gate, server(2), answered=True) is None


def test_what_is_remembered_is_bounded_and_calls_under_way_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_gate, "_MOST_SERVERS", 10)
    gate = ServerGate(16, Clock())
    assert [gate.enter(server()) for _ in range(3)] == [None, None, FULL]
    for number in range(1, 200):
        assert ask(gate, server(number), answered=False) is None
    assert len(gate._servers) == 10
    assert gate.enter(server()) == FULL


def test_places_are_never_given_twice_whatever_the_threads_do() -> None:
    """Sixteen threads come and go; never more than two on a server, eight in all."""
    gate, under_way, too_many = ServerGate(16), Counter[FhirBase](), []

    def come_and_go(seed: int) -> None:
        which = random.Random(seed)  # noqa: S311 - which server a test asks, no secret
        for _ in range(300):
            base = server(which.randrange(6))
            if gate.enter(base) is None:
                under_way[base] += 1
                too_many.extend([base] * (under_way[base] > 2))
                time.sleep(0)
                under_way[base] -= 1
                gate.leave(base)

    threads = [threading.Thread(target=come_and_go, args=[seed]) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert too_many == []
    assert [gate.enter(server(number // 2)) for number in range(8)] == [None] * 8


@pytest.fixture
def loopback_server() -> Iterator[LoopbackServer]:
    one = LoopbackServer()
    yield one
    one.close()


@pytest.fixture
def other_server() -> Iterator[LoopbackServer]:
    one = LoopbackServer()
    yield one
    one.close()


def read(reader: FhirReader, one: LoopbackServer) -> str | None:
    urls = {"conditions": "Condition"}
    return reader.fetch(parse_base(one.base), None, urls, reader.deadline())["conditions"].failure


def test_a_dead_server_is_left_alone_and_another_is_read_meanwhile(
    loopback_server: LoopbackServer, other_server: LoopbackServer
) -> None:
    """design.md 6: one client's dead server never delays another's calls."""
    loopback_server.answers["/fhir/Condition"] = never_ending(b"")
    other_server.answers["/fhir/Condition"] = answer(searchset(condition()))
    reader = FhirReader(budget_ms=SHORT_BUDGET_MS, threads=64)
    for _ in range(5):
        assert read(reader, loopback_server) == "time budget spent"
    contacted = len(loopback_server.requests)
    assert [read(reader, loopback_server) for _ in range(3)] == [LEFT_ALONE] * 3
    assert 1 <= len(loopback_server.requests) == contacted <= 5  # a busy machine may spend a budget before it connects
    assert _read_in_time(reader, other_server)


def _read_in_time(reader: FhirReader, one: LoopbackServer) -> bool:
    """With time to spare, for this is about places and not about speed."""
    urls = {"conditions": "Condition"}
    return reader.fetch(parse_base(one.base), None, urls, reader.deadline() + 5)["conditions"].failure is None


def test_calls_that_find_no_place_come_back_at_once(
    loopback_server: LoopbackServer, other_server: LoopbackServer
) -> None:
    """Nobody waits for a place, and places of one server are no places of another."""
    released = threading.Event()
    arrived = threading.Semaphore(0)

    def hold(handler: Handler) -> None:
        arrived.release()
        released.wait(30)
        answer(searchset())(handler)

    loopback_server.answers["/fhir/Condition"] = hold
    other_server.answers["/fhir/Condition"] = answer(searchset(condition()))
    reader = FhirReader(budget_ms=30_000, threads=16)
    holders = [threading.Thread(target=read, args=[reader, loopback_server]) for _ in range(2)]
    for holder in holders:
        holder.start()
        assert arrived.acquire(timeout=30)
    assert read(reader, loopback_server) == FULL
    assert read(reader, other_server) is None
    released.set()
    for holder in holders:
        holder.join()
    loopback_server.answers["/fhir/Condition"] = answer(searchset(condition()))
    assert read(reader, loopback_server) is None


def test_a_call_that_had_hardly_any_time_says_nothing_about_its_server(loopback_server: LoopbackServer) -> None:
    """The second read of a call, whose first took all the time."""
    loopback_server.answers["/fhir/Condition"] = never_ending(b"")
    reader = FhirReader(budget_ms=10_000, threads=64)
    for _ in range(6):
        urls = {"conditions": "Condition"}
        results = reader.fetch(parse_base(loopback_server.base), None, urls, time.monotonic() + 0.02)
        assert results["conditions"].failure == "time budget spent"
