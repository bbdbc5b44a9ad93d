"""One damaged copy of the content for each refusal at load."""

from __future__ import annotations

from pathlib import Path

import pytest

from cards.content.files import ContentError
from cards.topics.lumbar_puncture.topic import LumbarPuncture
from tests.cards.checks.damaged_content import (
    EXPECT,
    PHRASES,
    SERVICE,
    STENOSIS,
    TERMS,
    Change,
    copy_of,
    cut_line,
    damage,
    files_of,
    swap,
)

load = LumbarPuncture.load


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        pytest.param(SERVICE, swap("id:", "id: x\nid:"), r"service.yaml:\d+.*twice", id="a key that is listed twice"),
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
        pytest.param(
            SERVICE,
            swap("value-sets: [back-pain,", "value-sets: [obesity,"),
            "no value set obesity",
            id="codes of no use",
        ),
        pytest.param(
            SERVICE,
            swap("    pages: [lumbar-puncture]\n    cards", "    pages: [x]\n    cards"),
            "patient page x",
            id="no page",
        ),
        pytest.param(SERVICE, swap("cards: [what-to-expect, con", "cards: [y, con"), "no card y", id="no card"),
        pytest.param(SERVICE, swap("source: spineinfo", "source: none"), "source: 'none'", id="an unknown source"),
        pytest.param(SERVICE, swap("source: spineinfo", "source: editorial"), "url", id="a source without an address"),
        pytest.param(
            SERVICE, swap("    working-notes: Page", "    notes: Page"), "notes", id="evidence in other words"
        ),
        pytest.param(SERVICE, cut_line("    issued: no date"), "issued", id="evidence without its bibliographic parts"),
        pytest.param(SERVICE, swap("type: guideline", 'type: " "'), "type is empty", id="evidence with an empty part"),
        pytest.param(SERVICE, swap("[hasoon-2020]", "[hasoon-2002]"), "hasoon-2002", id="limits of unknown evidence"),
        pytest.param(SERVICE, swap("[already-discussed,", "[told,"), "'told'", id="a card's unknown override reason"),
        pytest.param(SERVICE, swap("equivalence: wider", "equivalence: same"), "same", id="an unknown equivalence"),
        pytest.param(
            SERVICE,
            swap("[emergency-under-way,", "[not-relevant,"),
            "'not-relevant' invites to wave away",
            id="red flags with a reason that waves them away",
        ),
        pytest.param(
            SERVICE,
            swap("[emergency-under-way, specialist-consulted, already-evaluated, chart-wrong]", "[chart-wrong]"),
            "offer 3 to 5 override reasons",
            id="a card with too few override reasons",
        ),
        pytest.param(
            SERVICE,
            swap("mapped-to: patient-refuses", "mapped-to: none"),
            "mapped-codes",
            id="a reason without a code",
        ),
        pytest.param(
            SERVICE,
            swap("{after-puncture.look-back-days}", "{after-puncture.look}"),
            "no after-puncture.look",
            id="a decision with a number that is not there",
        ),
        pytest.param(
            SERVICE,
            swap("    red-flags: >-", "    red-flag: >-"),
            "red-flags is missing",
            id="an unexplained card",
        ),
        pytest.param(SERVICE, cut_line("    race: Not used."), "race", id="a patient attribute without its use"),
        pytest.param(SERVICE, swap("action: spine,", "action: back,"), "'back'", id="a red flag's unknown action"),
        pytest.param(SERVICE, swap("value-set: spondylosis", "value-set: nothing"), "nothing.json", id="no value set"),
        pytest.param(
            SERVICE,
            swap(
                "  confounders:", "  unwritten: {indicator: info, source: girft, override-reasons: []}\n  confounders:"
            ),
            "unwritten",
            id="a card without a text",
        ),
        pytest.param(PHRASES, swap("sources:", "proof:"), r"phrases.en.yaml:\d+.*proof", id="a phrase nobody knows"),
        pytest.param(EXPECT, swap("---\n", ""), "what-to-expect.en.md:1", id="a text without a head"),
        pytest.param(STENOSIS, swap("{", ""), "spinal-stenosis.json", id="what is not JSON"),
        pytest.param(
            STENOSIS, swap('"id": "spinal-stenosis"', '"id": "other"'), "spinal-stenosis.json", id="another id"
        ),
        pytest.param(STENOSIS, swap("18347007", "18347008"), "18347008.*check digit", id="a wrong check digit"),
        pytest.param(STENOSIS, swap("is-a", "descendent-of"), "is-a", id="a filter we cannot honor"),
        pytest.param(
            STENOSIS, swap("http://snomed.info/sct", "http://example.org"), "example.org", id="unknown system"
        ),
        pytest.param(TERMS, swap("needs:", "neds:"), r"red-flags.yaml:\d+.*neds", id="a key nobody knows"),
        pytest.param(TERMS, swap("phrases: [", "phrases: [1, "), r"yaml:\d+", id="phrases of a wrong type"),
    ],
)
def test_what_is_incomplete_or_malformed_is_refused_at_load(
    content: Path, file: str, change: Change, message: str
) -> None:
    """style.md and design.md 2: refused by file and line, never during a call."""
    damage(content, file, change)
    with pytest.raises(ContentError, match=message):
        load(files_of(content))


@pytest.mark.parametrize("file", [SERVICE, EXPECT, PHRASES, STENOSIS])
def test_a_file_that_is_missing_or_not_utf_8_is_refused_by_name(content: Path, file: str) -> None:
    path = copy_of(content, file)
    path.write_bytes(b"\xff")
    with pytest.raises(ContentError, match=f"{path.name}.*UTF-8"):
        load(files_of(content))
    path.unlink()
    with pytest.raises(ContentError, match=f"{path.name}.*missing"):
        load(files_of(content))
