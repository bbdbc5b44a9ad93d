"""Findings in words: one line each, with its dates, its source and how sure it is."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from cards.content.texts import Citations
from cards.record.patient_record import PatientRecord, SectionRead
from cards.topic import Topic
from cards.topics.lumbar_puncture.card_writing.finding_words import list_findings, summary_with
from cards.topics.lumbar_puncture.decision.findings import Finding
from cards.writing.wording import LONGEST_SUMMARY, list_evidence, not_read
from tests.cards.topics.lumbar_puncture.test_findings import findings
from tests.charts import ICD_10_CM, PATIENT, coded, condition, procedure

NOTHING = SectionRead()
MANY = [
    condition(coded(ICD_10_CM, code), id=f"c{number}")
    for number, code in enumerate(
        ["M48.061", "M51.26", "M51.36", "M43.16", "M47.816", "M41.26", "M45.6", "M48.04"], start=1
    )
]  # fmt: skip


def line(topic: Topic, *resources: Any) -> str:
    """The one line that tells these resources, which are one finding."""
    return str(list_findings(findings(topic, *resources), topic))


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        pytest.param([condition()], "current", id="a current condition"),
        pytest.param([condition()], "since 2019-03", id="since when, as precisely as the chart"),
        pytest.param([condition(clinicalStatus=None)], "no status recorded", id="a status nobody recorded"),
        pytest.param([condition(clinicalStatus="resolved")], "recorded as resolved", id="a resolved condition"),
        pytest.param(
            [condition(verificationStatus="provisional")], "possible, not confirmed", id="a provisional condition"
        ),
        pytest.param(
            [condition({"text": "possible lumbar stenosis"})], "possible, not confirmed", id="uncertain words"
        ),
        pytest.param([condition(onsetDateTime=None)], "date not recorded", id="no date"),
        pytest.param(
            [condition(onsetDateTime=None, recordedDate="2020-01-02")], "2020-01-02", id="the day it was entered"
        ),
        pytest.param([condition()], "SNOMED CT 18347007", id="the code that matched"),
        pytest.param([condition()], "value set spinal-stenosis 2026.11.0", id="the value set and its version"),
        pytest.param([condition()], "Condition/condition-1", id="the resource"),
        pytest.param([condition({"text": "Lumbar stenosis"})], "recognised by its words", id="no code"),
        pytest.param([condition(id=None)], "Condition without id", id="no id"),
        pytest.param([procedure({"text": "Laminectomy"})], "done, 2018-05-03", id="a procedure and its day"),
        pytest.param(
            [condition(id="a"), condition(id="b")], "also Condition/b", id="another entry of the same problem"
        ),
        pytest.param(
            [condition({"text": "*Lumbar stenosis* <b>"})], r"\*Lumbar stenosis\* &lt;b&gt;", id="words, escaped"
        ),
        pytest.param([condition({"text": "Lumbar stenosis [x](http://y)"})], r"\[x\](http\://y)", id="a link, escaped"),
        pytest.param([condition(id="a*b")], r"Condition/a\*b", id="an id, escaped"),
        pytest.param([condition(coded(ICD_10_CM, "M48.04"))], "(thoracic)", id="a level that is not the low back"),
    ],
)
def test_a_finding_is_told_with_what_the_chart_says(topic: Topic, resources: list[Any], said: str) -> None:
    """design.md 5: each finding its resource, code, date and the value set that matched."""
    assert said in line(topic, *resources)


def test_no_more_findings_are_listed_than_settings_allow(topic: Topic) -> None:
    lines = str(list_findings(findings(topic, *MANY), topic)).splitlines()
    most = topic.service.settings.most_findings_listed
    assert len(lines) == most + 1
    assert sum("value set" in one for one in lines) == most
    assert all(one.startswith("- ") for one in lines)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\u2028"])
def test_words_of_several_lines_stay_one_bullet(topic: Topic, line_break: str) -> None:
    told = line(topic, condition({"text": f"Lumbar stenosis{line_break}- ![x](http://y){line_break}# heading"}))
    assert len(told.splitlines()) == 1


def test_a_summary_names_as_many_findings_as_settings_allow(topic: Topic) -> None:
    found = findings(topic, *MANY)
    assert summary_with("Has {findings}.", found[:1], topic) == "Has spinal stenosis."
    two, five = (summary_with("{findings}", found[:count], topic) for count in (2, 5))
    assert "spinal stenosis" in two
    assert "disc displacement" in two
    assert "disc degeneration" not in five
    assert five.endswith("disc displacement and 3 more")


def test_a_summary_names_the_level_only_where_it_is_not_the_low_back(topic: Topic) -> None:
    thoracic = findings(topic, condition(coded(ICD_10_CM, "M48.04")))
    unspecified = findings(topic, condition(coded(ICD_10_CM, "M48.00")))
    assert summary_with("{findings}", thoracic, topic) == "spinal stenosis (thoracic)"
    assert summary_with("{findings}", unspecified, topic) == "spinal stenosis"


def test_no_summary_is_ever_longer_than_139_characters(topic: Topic) -> None:
    """R-4.21: whatever a chart holds, in any order."""
    kinds = [kind for kind in topic.service.contributors if kind.enabled]
    heads = topic.texts["confounders"].head
    for key, serious in (("summary", False), ("summary-serious", True), ("summary-both", True)):
        levels = topic.service.settings.levels
        every = [Finding(kind, level, ()) for kind in kinds if kind.serious is serious for level in levels]
        for pair in permutations(every, 2):
            for some in (pair[:1], pair, (*pair, *(one for one in every if one not in pair))):
                summary = summary_with(heads[key], some, topic)
                assert 0 < len(summary) <= LONGEST_SUMMARY == 139, summary
                assert "{" not in summary


@pytest.mark.parametrize(
    ("conditions", "procedures", "said"),
    [
        pytest.param(NOTHING, NOTHING, [], id="all was read"),
        pytest.param(SectionRead(obtained=False), NOTHING, ["conditions could not be read"], id="no conditions"),
        pytest.param(NOTHING, SectionRead(obtained=False), ["procedures could not be read"], id="no procedures"),
        pytest.param(
            SectionRead(complete=False), NOTHING, ["only a part of the patient's conditions"], id="a part of them"
        ),
        pytest.param(
            SectionRead(seen_count=9, unread={"no code": 1, "not a resource": 1}),
            NOTHING,
            ["2 of 9 conditions"],
            id="some",
        ),
        pytest.param(
            SectionRead(seen_count=9, unread={"no code": 2}, complete=False),
            SectionRead(seen_count=5, unread={"no code": 1}),
            ["only a part", "2 of 9 conditions", "1 of 5 procedures"],
            id="some of each",
        ),
        pytest.param(
            SectionRead(obtained=False, complete=False, unread={"x": 1}),
            NOTHING,
            ["could not be read"],
            id="none is enough",
        ),
    ],
)
def test_what_could_not_be_read_is_said(
    topic: Topic, conditions: SectionRead, procedures: SectionRead, said: list[str]
) -> None:
    """design.md 5: where conditions could not be read, cards say that they were not checked."""
    notes = str(
        not_read(PatientRecord(PATIENT, {"Condition": conditions, "Procedure": procedures}), topic)
    ).splitlines()
    assert len(notes) == len(said)
    assert all(words in note for words, note in zip(said, notes, strict=True))


def test_evidence_is_listed_in_the_order_of_its_numbers_with_its_strength(topic: Topic) -> None:
    citations = Citations()
    citations.mark("One [spineinfo]. Two [editorial].")
    lines = str(list_evidence(citations, topic)).splitlines()
    spineinfo, editorial = topic.service.evidence["spineinfo"], topic.service.evidence["editorial"]
    assert lines[2:] == [
        f"1. [{spineinfo.citation}]({spineinfo.url}) ({spineinfo.strength})",
        f"2. {editorial.citation} ({editorial.strength})",
    ]


def test_dates_that_are_not_known_to_the_day_are_not_made_up(topic: Topic) -> None:
    told = line(topic, condition(onsetDateTime="2019"))
    assert "since 2019" in told
    assert "2019-" not in told
