"""Every number of service.yaml has a patient on either side: one step more or less is noticed, and by nobody else."""

from __future__ import annotations

import dataclasses
from collections.abc import Set

import pytest

from cards.checks.boundaries import boundary_settings, with_setting
from cards.topic import Topic
from tests.content import casebook, loaded

CASEBOOK = casebook()
NUMBERS = boundary_settings(loaded().service)


@pytest.fixture(scope="module")
def failing_already(topic: Topic) -> Set[str]:
    """Vignettes that fail with the numbers as they are: test_vignettes has them, and they tell nothing of a number."""
    return find_failing(topic)


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("path", NUMBERS)
def test_one_step_is_noticed_by_exactly_the_vignettes_marked_so(
    topic: Topic, failing_already: Set[str], path: str, step: int
) -> None:
    changed = dataclasses.replace(topic, service=with_setting(topic.service, path, NUMBERS[path] + step))
    marked = {vignette.name for vignette in CASEBOOK.vignettes if step in vignette.boundary.get(path, [])}
    assert marked, f"no vignette stands beside {path} {step:+}"
    assert find_failing(changed) - failing_already == marked


def test_only_numbers_that_there_are_and_single_steps_are_marked() -> None:
    """A mark that no test looks at would be a promise that nobody keeps."""
    marked = CASEBOOK.marked_boundaries()
    assert marked.keys() == NUMBERS.keys()
    assert all(steps == {1, -1} for steps in marked.values())


def find_failing(topic: Topic) -> Set[str]:
    return {vignette.name for vignette in CASEBOOK.vignettes if CASEBOOK.find_failures(vignette, topic)}
