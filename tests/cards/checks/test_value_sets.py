"""One broken copy of the value sets for each fault that the check finds, by file and line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cards.checks.value_sets import find_invalid_value_sets, find_value_set_faults
from cards.topic import Topic
from tests.content import VALUE_SETS

Json = dict[str, Any]
STENOSIS = "spinal-stenosis.json"
NEAR_MISS = "not-lumbar-puncture.json"
COMMENT = "http://hl7.org/fhir/StructureDefinition/valueset-concept-comments"
PLACE = re.compile(r"value_sets/[\w.-]+:\d+: .")


@dataclass(frozen=True)
class Copy:
    """A copy of the value sets, to be broken."""

    folder: Path

    def change(self, file: str, old: str, new: str) -> None:
        """Change a file's text."""
        path = self.folder / file
        sound = path.read_text(encoding="utf-8")
        assert old in sound, "this change breaks nothing"
        path.write_text(sound.replace(old, new, 1), encoding="utf-8")

    def edit(self, file: str, change: Callable[[Json], object]) -> None:
        """Change what a file says."""
        path = self.folder / file
        value_set = json.loads(path.read_text(encoding="utf-8"))
        change(value_set)
        path.write_text(json.dumps(value_set, indent=2, ensure_ascii=False), encoding="utf-8")

    def place(self, file: str, words: str, nth: int = 1) -> str:
        """`folder/file:line` of the nth line that holds these words."""
        lines = enumerate((self.folder / file).read_text(encoding="utf-8").split("\n"), 1)
        return f"value_sets/{file}:{[at for at, line in lines if words in line][nth - 1]}"


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    shutil.copytree(VALUE_SETS, tmp_path / "value_sets")
    return Copy(tmp_path / "value_sets")


def of(topic: Topic, copy: Copy) -> Topic:
    """The topic with this copy of the value sets."""
    return replace(topic, files=replace(topic.files, shared_value_sets=copy.folder))


def check(topic: Topic, copy: Copy) -> list[str]:
    faults = find_value_set_faults([of(topic, copy)])
    assert all(PLACE.match(fault) for fault in faults), faults
    return faults


def listed(system: str, code: str, comment: str | None = "VERIFIED: seen") -> Callable[[Json], object]:
    """Lists one more code at the end of a file."""
    notes = [{"url": COMMENT, "valueString": comment}] if comment is not None else []
    concept = {"extension": notes, "code": code, "display": "x"}
    return lambda file: file["compose"]["include"].append({"system": system, "concept": [concept]})


def test_the_value_sets_as_they_are_have_no_fault(topic: Topic, copy: Copy) -> None:
    assert check(topic, copy) == []
    assert find_invalid_value_sets([of(topic, copy)]) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        pytest.param(
            "http://snomed.info/sct", "http://example.org", "example.org", "example.org", id="an unknown system"
        ),
        pytest.param('"18347007"', '"18347008"', "18347008", "check digit", id="a wrong check digit"),
        pytest.param('"M48.0"', '"48.0"', '"48.0"', "not written like", id="what no code is written like"),
        pytest.param('"version"', '"vresion"', "{", "version", id="no version"),
        pytest.param('"date"', '"day"', "{", "date", id="no date"),
        pytest.param('"id": "spinal-stenosis"', '"id": "other"', "{", "name of the file", id="another id"),
        pytest.param('"status": "active",', '"status": active,', "active", "JSON", id="what is not JSON"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_told_and_hides_no_other(
    topic: Topic, copy: Copy, old: str, new: str, where: str, what: str
) -> None:
    copy.change("spondylosis.json", '"description": "', '"description": "", "was": "')
    copy.change(STENOSIS, old, new)
    loading, other = check(topic, copy)
    assert loading.startswith(f"{copy.place(STENOSIS, where)}: ")
    assert what in loading
    assert other == f"{copy.place('spondylosis.json', 'description')}: the value set has no description"


SCT, CPT, ICD = "http://snomed.info/sct", "http://www.ama-assn.org/go/cpt", "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("file", "system", "code", "nth", "what"),
    [
        pytest.param(STENOSIS, SCT, "18347007", 2, "18347007 is listed twice", id="a code twice"),
        pytest.param(STENOSIS, ICD, "M48.0", 7, "M480 is listed twice", id="a code that is a family, too"),
        pytest.param(
            NEAR_MISS, CPT, "62270", 1, "62270 stands in lumbar-puncture.json, too; no order can be both",
            id="a lumbar puncture among its near misses",
        ),
        pytest.param(
            NEAR_MISS, CPT, "72148", 1, "72148 stands in spine-imaging.json, too; no order can be both",
            id="imaging among the near misses",
        ),
        pytest.param(
            "meningitis.json", SCT, "192970008", 1, "192970008 stands in cauda-equina-syndrome.json, too; give it",
            id="two red flags",
        ),
    ],
)  # fmt: skip
def test_a_code_that_stands_in_two_places_that_cannot_both_be_is_a_fault(
    topic: Topic, copy: Copy, file: str, system: str, code: str, nth: int, what: str
) -> None:
    copy.edit(file, listed(system, code))
    (fault,) = check(topic, copy)
    assert fault.startswith(f"{copy.place(file, code, nth)}: {what}")


def test_contributors_may_share_a_code(topic: Topic, copy: Copy) -> None:
    """An entry that fits several kinds is told under the first."""
    copy.edit("spondylosis.json", listed(SCT, "18347007"))
    assert check(topic, copy) == []


@pytest.mark.parametrize("key", ["description", "copyright", "date", "version"])
def test_a_set_that_does_not_say_what_it_is_is_a_fault(topic: Topic, copy: Copy, key: str) -> None:
    copy.edit(STENOSIS, lambda file: file.update({key: " "}))
    assert check(topic, copy) == [f"{copy.place(STENOSIS, key)}: the value set has no {key}"]


@pytest.mark.parametrize(
    "comment",
    [
        pytest.param(None, id="no comment"),
        pytest.param("looks right", id="another comment"),
        pytest.param("VERIFIED", id="verified by nobody knows what"),
    ],
)
def test_a_code_of_which_nobody_says_where_it_was_seen_is_a_fault(
    topic: Topic, copy: Copy, comment: str | None
) -> None:
    copy.edit(STENOSIS, listed(CPT, "99213", comment))
    (fault,) = check(topic, copy)
    assert fault.startswith(f"{copy.place(STENOSIS, '99213')}: 99213 has no comment that says VERIFIED or UNVERIFIED")


def test_a_code_is_verified_once_and_level_sets_repeat_it(topic: Topic, copy: Copy) -> None:
    copy.edit("level-lumbar.json", listed(CPT, "99213", None))
    assert len(check(topic, copy)) == 1
    copy.edit(STENOSIS, listed(CPT, "99213", "UNVERIFIED: from memory, not seen in a source"))
    assert check(topic, copy) == []


def test_a_code_that_needs_words_of_a_list_that_is_not_there_is_a_fault(topic: Topic, copy: Copy) -> None:
    copy.change("leg-pain.json", '"valueCode": "leg-words"', '"valueCode": "knee-words"')
    (fault,) = check(topic, copy)
    assert fault.endswith("M796 needs words of 'knee-words', and there is no such list")


def test_a_set_to_which_nothing_can_belong_is_a_fault(topic: Topic, copy: Copy) -> None:
    copy.edit("saddle-numbness.json", lambda file: file.pop("compose"))
    assert check(topic, copy) == [], "it lives by its words"
    copy.edit("obesity.json", lambda file: file.pop("compose"))
    assert [fault.split(": ", 1)[1] for fault in check(topic, copy)] == [
        "neither codes nor, in the lexicon, words: nothing can belong to it"
    ]


def test_a_set_that_nothing_uses_is_a_fault(topic: Topic, copy: Copy) -> None:
    shutil.copy(copy.folder / STENOSIS, copy.folder / "spare.json")
    copy.change("spare.json", '"id": "spinal-stenosis"', '"id": "spare"')
    (fault,) = check(topic, copy)
    assert fault.startswith("value_sets/spare.json:1: no service.yaml uses this value set")


def test_every_set_is_used_by_service_yaml_and_missed(topic: Topic, copy: Copy) -> None:
    """All at once, because there are about a hundred, and one check reads all of them."""
    names = sorted(path.stem for path in copy.folder.glob("*.json"))
    for name in names:
        (copy.folder / f"{name}.json").unlink()
    faults = find_value_set_faults([of(topic, copy)])
    missing = sorted(f"value_sets/{name}.json:1: service.yaml uses it, and the file is missing" for name in names)
    assert sorted(fault for fault in faults if not fault.startswith("lexicon/")) == missing
    told = r"lexicon/[\w-]+\.yaml:\d+: (there is no value set '[\w-]+'|no code needs the list '[\w-]+')"
    assert [fault for fault in faults if fault.startswith("lexicon/") and not re.fullmatch(told, fault)] == []


@pytest.mark.parametrize("name", ["lumbar-puncture", "leg-pain", "level-lumbar"])
def test_a_set_that_is_missing_is_told_once_and_nothing_else_is(topic: Topic, copy: Copy, name: str) -> None:
    (copy.folder / f"{name}.json").unlink()
    faults = find_value_set_faults([of(topic, copy)])
    missing, *others = sorted(faults, key=lambda fault: fault.startswith("lexicon/"))
    assert missing == f"value_sets/{name}.json:1: service.yaml uses it, and the file is missing"
    told = rf"lexicon/[\w-]+\.yaml:\d+: (there is no value set '{name}'|no code needs the list '[\w-]+')"
    assert [fault for fault in others if not re.fullmatch(told, fault)] == []


def test_a_kind_that_is_switched_off_still_uses_its_set(topic: Topic, copy: Copy) -> None:
    off = [msgspec.structs.replace(kind, enabled=False) for kind in topic.service.contributors]
    assert check(replace(topic, service=msgspec.structs.replace(topic.service, contributors=off)), copy) == []


def test_a_value_set_that_is_not_valid_fhir_is_a_fault_at_its_line(topic: Topic, copy: Copy) -> None:
    copy.change(STENOSIS, '"status": "active"', '"status": 7,\n  "nmae": "x"')
    copy.change("fever.json", '"display": ', '"dispaly": ')
    copy.change("obesity.json", "{", "")
    (copy.folder / "osteoporosis.json").write_bytes(b"\xff")
    faults = find_invalid_value_sets([of(topic, copy)])
    assert [fault.split(": ")[0] for fault in sorted(faults)] == sorted(
        [
            copy.place("fever.json", "dispaly"),
            "value_sets/obesity.json:2",
            "value_sets/osteoporosis.json:1",
            copy.place(STENOSIS, '"status"'),
            copy.place(STENOSIS, '"nmae"'),
        ]
    )
