"""bench.sampling: what processes used, including those that have ended."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bench.sampling import Sampler

_WORK = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(60_000_000)\\nwhile True: pass"])
time.sleep(1.5)
child.kill()
child.wait()
time.sleep(0.5)
"""


@pytest.mark.slow
def test_memory_and_processor_time_of_a_child_that_has_ended_count() -> None:
    with subprocess.Popen([sys.executable, "-c", _WORK]) as process, Sampler([process.pid]) as sampler:  # noqa: S603 - ours
        process.wait()
    assert sampler.peak_mb > 60
    assert sampler.processor_s > 0.1


def test_what_a_process_took_before_does_not_count() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        time.sleep(0.3)
        with Sampler([process.pid]) as sampler:
            at_once = sampler.processor_s
        process.kill()
    assert at_once == 0
    assert sampler.peak_mb > 0
