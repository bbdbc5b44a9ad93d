"""Asks the application about scenarios. `python -m tests.scenarios` prints a table by kind, and what is not right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from flask import Flask

from tests.charts import SERVICE
from tests.scenarios.hook_calls import call_of
from tests.scenarios.verdicts import Answer, Verdict, judge, read_answer

FOLDER = Path(__file__).parent
Json = dict[str, Any]


def load(path: Path) -> tuple[date, list[Json]]:
    """The day of a file, and its scenarios."""
    content = yaml.safe_load(path.read_text("utf-8"))
    return content["today"], content["scenarios"]


def noon(day: date) -> datetime:
    """The middle of a day: what the clock of the application says."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def ask(app: Flask, scenario: Json, today: date) -> Answer:
    """What the application answers."""
    response = app.test_client().post(SERVICE, json=call_of(scenario, today))
    return read_answer(response.status_code, response.get_json())


def judge_all(app: Flask, scenarios: Iterable[Json], today: date) -> Iterator[tuple[Json, Answer, Verdict]]:
    """Every scenario with its answer and the verdict on it."""
    for scenario in scenarios:
        answer = ask(app, scenario, today)
        yield scenario, answer, judge(scenario, answer)


def table(judged: Iterable[tuple[Json, Answer, Verdict]]) -> str:
    """Counts by kind and verdict."""
    counts: dict[str, Counter[Verdict]] = {}
    for scenario, _, verdict in judged:
        counts.setdefault(scenario["kind"], Counter())[verdict] += 1
    counts["all"] = sum(counts.values(), Counter())
    lines = [f"{'kind':<16}" + "".join(f"{verdict:>12}" for verdict in Verdict)]
    lines += [f"{kind:<16}" + "".join(f"{count[verdict]:>12}" for verdict in Verdict) for kind, count in counts.items()]
    return "\n".join(lines)
