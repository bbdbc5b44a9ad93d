"""One broken copy of the content for each refusal, at load and by the content check."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cards.catalogue import TOPICS, VALUE_SETS, Topic, load_topic
from cards.content import ContentError
from cards.content_check import find_faults, find_invalid_value_sets
from cards.texts import load_text

Break = Callable[[str], str]
SERVICE = "topic/service.yaml"
EXPECT = "topic/text/what-to-expect.en.md"
PHRASES = "topic/text/phrases.en.yaml"
STENOSIS = "value_sets/spinal-stenosis.json"
TERMS = "value_sets/text_terms.yaml"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A copy of the real content."""
    shutil.copytree(TOPICS / "lumbar_puncture", tmp_path / "topic")
    shutil.copytree(VALUE_SETS, tmp_path / "value_sets")
    return tmp_path


def load(content: Path) -> Topic:
    return load_topic(content / "topic", content / "value_sets")


def damage(content: Path, file: str, change: Break) -> None:
    path = content / file
    sound = path.read_text(encoding="utf-8")
    assert change(sound) != sound, "this change breaks nothing"
    path.write_text(change(sound), encoding="utf-8")


def swap(old: str, new: str) -> Break:
    return lambda text: text.replace(old, new, 1)


def test_the_content_as_it_is_has_no_fault(content: Path, topic: Topic) -> None:
    assert find_faults(load(content)) == []
    assert find_faults(topic) == []


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        pytest.param(SERVICE, swap("id:", "id: x\nid:"), r"service.yaml:\d+.*twice", id="a key that stands twice"),
        pytest.param(SERVICE, swap("owner:", "ownr:"), r"service.yaml:\d+.*ownr", id="a key that nobody knows"),
        pytest.param(SERVICE, swap("title:", "#"), r"service.yaml.*title", id="a key that is missing"),
        pytest.param(
            SERVICE, swap("most-findings-listed: 6", "most-findings-listed: six"), r"yaml:\d+", id="a wrong type"
        ),
        pytest.param(SERVICE, swap("hooks: [", "hooks: [["), r"service.yaml:\d+", id="what is not YAML"),
        pytest.param(
            SERVICE, swap("links: [lumbar-puncture]", "links: [nowhere]"), "nowhere", id="a card's unknown link"
        ),
        pytest.param(SERVICE, swap("link: herniated-disk}", "link: gone}"), "gone", id="a contributor's unknown link"),
        pytest.param(SERVICE, swap("evidence: spineinfo", "evidence: none"), "source.evidence", id="an unknown source"),
        pytest.param(SERVICE, swap("value-set: spondylosis", "value-set: nothing"), "nothing.json", id="no value set"),
        pytest.param(SERVICE, swap("  confounders:", "  unwritten:"), "unwritten.en.md", id="a card without a text"),
        pytest.param(PHRASES, swap("evidence:", "proof:"), r"phrases.en.yaml:\d+.*proof", id="a phrase nobody knows"),
        pytest.param(EXPECT, swap("---\n", ""), "what-to-expect.en.md:1", id="a text without a head"),
        pytest.param(
            STENOSIS,
            swap(
                "{",
                "",
            ),
            "spinal-stenosis.json",
            id="what is not JSON",
        ),
        pytest.param(
            STENOSIS, swap('"id": "spinal-stenosis"', '"id": "other"'), "spinal-stenosis.json", id="another id"
        ),
        pytest.param(STENOSIS, swap("18347007", "18347008"), "18347008.*check digit", id="a wrong check digit"),
        pytest.param(STENOSIS, swap("is-a", "descendent-of"), "is-a", id="a filter we cannot honour"),
        pytest.param(
            STENOSIS, swap("http://snomed.info/sct", "http://example.org"), "example.org", id="unknown system"
        ),
        pytest.param(TERMS, swap("reject:", "rejects:"), r"text_terms.yaml:\d+.*rejects", id="a guard nobody knows"),
        pytest.param(
            TERMS, swap("  spondylosis:", "  scoliosis: 1\n  spondylosis:"), r"yaml:\d+", id="terms of a wrong type"
        ),
    ],
)
def test_what_is_incomplete_or_malformed_is_refused_at_load(
    content: Path, file: str, change: Break, message: str
) -> None:
    """style.md and design.md 2: refused by file and line, never during a call."""
    damage(content, file, change)
    with pytest.raises(ContentError, match=message):
        load(content)


@pytest.mark.parametrize("file", [SERVICE, EXPECT, PHRASES, STENOSIS, TERMS])
def test_a_file_that_is_missing_or_not_utf_8_is_refused_by_name(content: Path, file: str) -> None:
    path = content / file
    path.write_bytes(b"\xff")
    with pytest.raises(ContentError, match=f"{path.name}.*UTF-8"):
        load(content)
    path.unlink()
    with pytest.raises(ContentError, match=f"{path.name}.*missing"):
        load(content)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        pytest.param(
            EXPECT, lambda text: text + "\nPain is never caused by it.\n", "no evidence", id="an uncited sentence"
        ),
        pytest.param(
            EXPECT, swap("[nhs-2013].", "[nhs-2013]. Trust us."), "no evidence", id="an uncited second sentence"
        ),
        pytest.param(EXPECT, swap("[nhs-2013]", "[nhs-1999]"), "nhs-1999", id="evidence that nobody knows"),
        pytest.param(EXPECT, swap("{not_read}", "{not_reed}"), "not_reed", id="a placeholder that nothing fills"),
        pytest.param(
            EXPECT, swap("summary: ", "summary: " + "long " * 10), "characters", id="a summary that is too long"
        ),
        pytest.param(
            "topic/text/confounders.en.md",
            swap('summary: "', 'summary: "In this very chart, '),
            "characters",
            id="a summary that grows too long",
        ),
        pytest.param(
            SERVICE, swap("Patient/{{context.patientId}}", "Patient/{{context.patient.id}}"), "R-3.4", id="a token"
        ),
        pytest.param(
            SERVICE,
            swap("  - {value-set: obesity, label: obesity, lasting: false, enabled: false}\n", ""),
            "obesity.json",
            id="a value set that nothing uses",
        ),
        pytest.param(
            SERVICE, swap("  uppal-2023:", "  uppal-2033:"), "uppal-2023", id="a patient page's lost evidence"
        ),
    ],
)
def test_what_loads_but_should_not_be_served_is_a_fault(content: Path, file: str, change: Break, message: str) -> None:
    damage(content, file, change)
    faults = find_faults(load(content))
    assert any(message in fault for fault in faults), faults


def test_an_uncited_line_of_a_patient_page_is_a_fault(topic: Topic, tmp_path: Path) -> None:
    page = tmp_path / "page.en.md"
    page.write_text("---\ntitle: x\n---\nDrink water.\n", encoding="utf-8")
    faults = find_faults(replace(topic, patient_pages={"page": load_text(page)}))
    assert faults == ["page.en.md:4: no evidence; end it with [key]"]


def test_a_value_set_that_is_not_valid_fhir_is_a_fault(content: Path) -> None:
    assert find_invalid_value_sets(content / "value_sets") == []
    path = content / STENOSIS
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"status": 7, "nmae": "x"}), encoding="utf-8"
    )
    faults = find_invalid_value_sets(content / "value_sets")
    assert faults
    assert all(fault.startswith("spinal-stenosis.json: ") for fault in faults)
