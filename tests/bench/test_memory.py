"""What is read from /proc about the processes of a server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bench.harness.memory import memory_of, memory_of_server, process_tree, processor_seconds

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
busy = sum(number * number for number in range(3_000_000))
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """The ids of a process that has worked for a moment, and of its child that has not."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603
        assert parent.stdout
        assert parent.stdin
        yield parent.pid, int(parent.stdout.readline())
        parent.stdin.close()


def test_a_server_is_its_first_process_and_all_that_it_started(family: tuple[int, int]) -> None:
    assert process_tree(family[0]) == list(family)
    assert [one.pid for one in memory_of_server(family[0])] == list(family)


def test_shared_pages_are_counted_in_part_and_resident_ones_in_full(family: tuple[int, int]) -> None:
    held = memory_of(family[0])
    assert 0 < held.pss_mb < held.rss_mb < 1_000


def test_processor_time_is_that_of_the_whole_tree(family: tuple[int, int]) -> None:
    parent, child = family
    assert processor_seconds(parent) >= processor_seconds(child)
    assert 0 < processor_seconds(parent) <= time.monotonic()
