"""Every number of service.yaml has a patient on either side: one step more or less is noticed."""

from __future__ import annotations

import dataclasses

import pytest

from cards.checks.boundaries import boundary_settings, with_setting
from cards.topic import Topic
from tests.content import casebook, loaded

CASEBOOK = casebook()
NUMBERS = boundary_settings(loaded().service)
MARKED = [
    pytest.param(vignette.name, path, step, id=f"{path} {step:+}: {vignette.name}")
    for vignette in CASEBOOK.vignettes
    for path, steps in vignette.boundary.items()
    for step in steps
]


@pytest.mark.parametrize(("name", "path", "step"), MARKED)
def test_a_vignette_notices_the_step_that_it_marks(topic: Topic, name: str, path: str, step: int) -> None:
    vignette = CASEBOOK.find(name)
    assert vignette
    changed = dataclasses.replace(topic, service=with_setting(topic.service, path, NUMBERS[path] + step))
    assert CASEBOOK.find_failures(vignette, changed)


def test_every_number_is_marked_on_both_sides_and_nothing_else_is() -> None:
    """A mark that no test looks at would be a promise that nobody keeps."""
    marked = CASEBOOK.marked_boundaries()
    assert marked.keys() == NUMBERS.keys()
    assert all(steps == {1, -1} for steps in marked.values())
