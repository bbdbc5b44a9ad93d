"""Every number that decides something can be found by its path, and changed without touching anything else."""

from __future__ import annotations

import msgspec
import pytest

from cards.checks.boundaries import boundary_settings, find_missing_boundaries, with_setting
from cards.content.files import read_text
from cards.topic import Topic
from tests.content import FILES

PLACE = "lumbar_puncture/service.yaml"


def test_every_number_that_decides_something_is_listed_by_its_path(topic: Topic) -> None:
    numbers = boundary_settings(topic.service)
    assert numbers["after-puncture.expected-days"] == topic.service.after_puncture.expected_days
    assert numbers["red-flags.fever.within-days"] == 14
    assert numbers["contributors.spinal-sprain.look-back-days"] == 365
    assert numbers["settings.most-findings-listed"] == topic.service.settings.most_findings_listed
    assert numbers["lp-finds.diseases.meningitis.lead-days"] == 30
    assert "red-flags.spinal-hematoma.within-days" not in numbers, "it counts however late it comes"


def test_no_number_of_days_is_forgotten(topic: Topic) -> None:
    """Whatever service.yaml counts in days, and every bound of a list, has a boundary."""
    service = topic.service
    without_effect = {"most_entries_named"}  # of what stands in a card's extension
    diseases = [disease for disease in service.lp_finds.diseases if disease.value_set != "lp-finds-other"]
    structs = [
        *(service.after_puncture, service.settings, service.patients, service.lp_finds),
        *(*service.red_flags, *service.contributors, *diseases),
    ]
    numbers = [
        value
        for struct in structs
        for name, value in msgspec.structs.asdict(struct).items()
        if type(value) is int and name not in without_effect and not (name == "from_day" and value == 0)
    ]
    assert sorted(boundary_settings(service).values()) == sorted(numbers)


def test_a_changed_setting_changes_nothing_else_and_not_the_original(topic: Topic) -> None:
    before = boundary_settings(topic.service)
    whole = msgspec.to_builtins(topic.service, enc_hook=str)
    for path, value in before.items():
        changed = with_setting(topic.service, path, value + 1)
        assert boundary_settings(changed) == before | {path: value + 1}
    assert msgspec.to_builtins(topic.service, enc_hook=str) == whole


@pytest.mark.parametrize(
    "path", ["", "owner", "after-puncture.pain", "red-flags.spinal-hematoma.within-days", "review-every-days"]
)
def test_what_is_no_boundary_cannot_be_changed(topic: Topic, path: str) -> None:
    with pytest.raises(KeyError):
        with_setting(topic.service, path, 1)


def test_a_number_that_no_vignette_holds_is_a_fault_at_its_line(topic: Topic) -> None:
    marked = {path: {1, -1} for path in boundary_settings(topic.service)}
    assert find_missing_boundaries(topic, marked) == []
    marked["red-flags.fever.within-days"] = {1}
    del marked["after-puncture.chronic-days"]
    lines = read_text(FILES.service).split("\n")
    fever = next(at for at, line in enumerate(lines, 1) if "{value-set: fever," in line)
    chronic = next(at for at, line in enumerate(lines, 1) if line.startswith("  chronic-days:"))
    assert find_missing_boundaries(topic, marked | {"nothing": {1}}) == [
        f"{PLACE}:{chronic}: no vignette would notice if after-puncture.chronic-days were 91 and not 90",
        f"{PLACE}:{chronic}: no vignette would notice if after-puncture.chronic-days were 89 and not 90",
        f"{PLACE}:{fever}: no vignette would notice if red-flags.fever.within-days were 13 and not 14",
        f"{PLACE}:1: vignettes mark 'nothing', which is not a number that decides",
    ]
