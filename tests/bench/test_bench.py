"""The benchmark runs, finds its answers good, and says so; nothing here is about how fast.

What is measured against other programs is left out, for they come from a package index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from bench.harness.bodies import order_with_cards
from bench.measurements.in_process import answer_once
from bench.measurements.production import SignedCalls
from tests.places import ROOT

PARTS = {
    "stages": r"\| order with cards, 1,000 Conditions +\| +9\d\d,\d+ \|",
    "growth": r"\| 20,000 +\|",
    "http": r"\| order with cards, 1,000 Conditions +\|.*\| +0 \|",
    "doors": r"\| order with cards, 1,000 Conditions +\|",
    "production": r"\| order with cards, 50 Conditions: RS384, SQLite +\|.*\| +0 \|",
    "start": r"\| 2 workers +\|",
    "fetch": r"\| all three keys missing, 3 pages +\| +3 \|",
}

WITHOUT_AIM = {"production"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.slow
def test_each_part_prints_its_table_and_its_aims(part: str) -> None:
    done = run("bench", "--only", part, "--rounds", "1", "--seconds", "0.1")
    assert done.returncode == 0, done.stderr
    assert re.search(PARTS[part], done.stdout), done.stdout
    aims = done.stdout.partition("### Aims")[2]
    assert re.search(r"\| at most .* \| +(met|missed) \|", aims) or part in WITHOUT_AIM


def test_a_part_that_does_not_exist_is_refused_with_those_that_do() -> None:
    done = run("bench", "--only", "speed")
    assert done.returncode == 2
    assert "parts are stages, growth, http, doors, production, start, fetch, healthchain" in done.stderr


def test_a_client_sends_each_token_once_and_ends_when_none_is_left() -> None:
    calls = SignedCalls(b"{}", b"{", ["Bearer a", "Bearer b"])
    assert b"\r\nAuthorization: Bearer a\r\n" in calls.wire
    assert calls.wire.endswith(b"\r\n\r\n{}")
    with pytest.raises(ValueError, match="no token is left"):
        _ = calls.wire


@pytest.fixture
def logs_again() -> Iterator[None]:
    """The benchmark turns logs off in its process, which here is that of all tests."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("logs_again")
def test_the_stages_are_those_of_the_service() -> None:
    """In process nothing of HTTP runs, and yet the answer is the service's own: both cards, from the chart."""
    answer = answer_once(order_with_cards(50))
    assert b'"what-to-expect"' in answer
    assert b'"confounders"' in answer
