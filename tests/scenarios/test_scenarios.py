"""Scenarios that a specialist judged: nothing unsafe, and at least 95 % of each file right or acceptable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.scenarios.casebook import FOLDER, judge_all, load, noon, table
from tests.scenarios.verdicts import Verdict

FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_specialist_wants_is_answered(path: Path, make_app: Callable[..., Flask]) -> None:
    today, scenarios = load(path)
    judged = list(judge_all(make_app(clock=lambda: noon(today)), scenarios, today))
    lines = [
        f"{verdict.upper()} {scenario['name']}: wanted {scenario['right']}, got {answer}"
        for scenario, answer, verdict in judged
        if verdict in (Verdict.WRONG, Verdict.UNSAFE)
    ]
    report = "\n".join([table(judged), *lines])
    verdicts = [verdict for _, _, verdict in judged]
    assert verdicts.count(Verdict.UNSAFE) == 0, report
    good = verdicts.count(Verdict.RIGHT) + verdicts.count(Verdict.ACCEPTABLE)
    assert good >= 0.95 * len(verdicts), report
