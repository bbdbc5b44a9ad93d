"""The line that a fault names."""

from __future__ import annotations

from pathlib import Path

from cards.checks.faults import fault_at


def test_a_fault_names_the_deepest_line_that_can_be_found(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a:\n  - b: 1\n  - b:\n      c: 2\n", encoding="utf-8")
    lines = {
        way: fault_at(path, "x", *way).split(":")[1] for way in [("a", 1, "b", "c"), ("a", 1, "z"), ("a", 9), ("z",)]
    }
    assert list(lines.values()) == ["4", "3", "1", "1"]
