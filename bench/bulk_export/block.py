"""A block of patients: all their lines by file type. The same seed gives the same block, whenever it is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from bench.bulk_export.chart import Chart, Hospital
from bench.bulk_export.draws import Draws, Weighted
from bench.bulk_export.resources import patient
from bench.bulk_export.stories import STORIES, draw_story, ordinary_care

BROKEN_LINES_PER_100_000 = 2

_ADULT_AGES = Weighted.of([(30, (18, 39)), (35, (40, 64)), (24, (65, 79)), (11, (80, 96))])
_LANGUAGES = Weighted.of([(85, "en"), (11, "es"), (1, "pt"), (3, "vi")])
_NAMES = ("Ash", "Birch", "Cedar", "Elm", "Hazel", "Juniper", "Laurel", "Maple", "Rowan", "Willow")


@dataclass(frozen=True)
class Block:
    """Lines without their ends, in no order, by resource type; how many are broken, and the stories, by name."""

    lines: dict[str, list[str]]
    broken: Counter[str]
    stories: Counter[str]


def write_block(hospital: Hospital, seed: int, first: int, count: int, *, every_kind: bool) -> Block:
    """The patients `first` to `first + count - 1`. `every_kind`: the first ones have each story and each fault once."""
    draws = Draws(f"{seed}/{hospital.year}/{first}")
    lines: dict[str, list[str]] = {
        "Patient": [],
        hospital.fhir.order_type: [],
        "Condition": [],
        "Procedure": [],
    }
    stories: Counter[str] = Counter()
    told = list(STORIES) if every_kind else []
    for number in range(count):
        name = told[number] if number < len(told) else draw_story(draws)
        stories[name] += 1
        _write_patient(hospital, draws, f"pt-{first + number:07}", name, lines)
    broken: Counter[str] = Counter()
    for resource_type, written in lines.items():
        faults = _broken_lines(draws, resource_type, written, every_kind)
        broken[resource_type] += len(faults)
        lines[resource_type] = draws.shuffled([*written, *faults])
    return Block(lines, broken, stories)


def _write_patient(hospital: Hospital, draws: Draws, identity: str, name: str, lines: dict[str, list[str]]) -> None:
    story = STORIES[name]
    is_child = draws.chance(story.children)
    age = draws.below(18) if is_child else draws.between(*draws.weighted(_ADULT_AGES))
    chart = Chart(hospital, draws, identity, is_child)
    ordinary_care(chart, is_child=is_child, has_chart=not draws.chance(0.05))
    if story.write:
        story.write(chart)
    birth = date(hospital.year - age, 1, 1) - timedelta(days=draws.below(364))
    if not draws.chance(0.005):  # some patients are missing
        lines["Patient"].append(
            patient(
                identity,
                draws.pick(_NAMES),
                draws.pick(_NAMES),
                draws.pick(("female", "male")),
                None if draws.chance(0.01) else birth.isoformat(),
                draws.weighted(_LANGUAGES),
            )
        )
    lines[hospital.fhir.order_type] += chart.orders
    lines["Condition"] += chart.conditions
    lines["Procedure"] += chart.procedures


def _broken_lines(draws: Draws, resource_type: str, lines: list[str], every_kind: bool) -> list[str]:
    """Lines that no reader can use, as exports have them: cut off, no JSON, no UTF-8, an element of the wrong type."""
    kinds = (
        lambda: draws.pick(lines)[: draws.between(20, 200)] if lines else "{",
        lambda: "<html><body>502 Bad Gateway</body></html>",
        lambda: f'{{"resourceType":"{resource_type}","id":"not-utf-8","code":{{"text":"caf\udce9"}}}}',
        lambda: f'{{"resourceType":"{resource_type}","id":"no-subject","subject":17}}',
    )
    if every_kind:
        return [kind() for kind in kinds]
    expected = len(lines) * BROKEN_LINES_PER_100_000 / 100_000
    return [draws.pick(kinds)() for _ in range(int(expected + draws.random()))]
