"""What the benchmark prints can be pasted into a document."""

from __future__ import annotations

import pytest

from bench.harness.figures import Aim
from bench.harness.report import machine, print_aims, print_table


def test_a_table_is_markdown_with_its_notes_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("A title", ["a note"], ["", "ms"], [["a", "1.0"], ["long name", "10.25"]])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "### A title",
        "",
        "- a note",
        "",
        "|           |    ms |",
        "| --------- | ----: |",
        "| a         |   1.0 |",
        "| long name | 10.25 |",
    ]


def test_aims_are_printed_with_what_was_measured_and_whether_they_are_met(capsys: pytest.CaptureFixture[str]) -> None:
    print_aims([Aim("start", 1.5, 1.25, " s"), Aim("throughput", 4, 2.5, at_least=True)])
    start, throughput = capsys.readouterr().out.splitlines()[-2:]
    assert [cell.strip() for cell in start.split("|")[1:-1]] == ["start", "at most 1.5 s", "1.25 s", "met"]
    assert [cell.strip() for cell in throughput.split("|")[1:-1]] == ["throughput", "at least 4", "2.5", "missed"]


def test_the_machine_is_told() -> None:
    assert "CPUs" in machine()
    assert "Python 3." in machine()
