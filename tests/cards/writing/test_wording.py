"""The chart in words: one line for each finding, with the precision of date that matters, and only what is unusual."""

from __future__ import annotations

import re
from itertools import permutations
from typing import Any

import pytest

from cards.record.patient_record import PatientRecord, SectionRead
from cards.topic import Topic
from cards.topics.lumbar_puncture.card_writing.finding_words import list_findings, summary_with
from cards.topics.lumbar_puncture.decision.findings import Finding
from cards.writing.wording import LONGEST_SUMMARY, not_checked
from tests.cards.topics.lumbar_puncture.test_findings import TODAY, findings
from tests.charts import ICD_10_CM, PATIENT, coded, condition, procedure

NOTHING = SectionRead()
MANY = [
    condition(coded(ICD_10_CM, code), id=f"c{number}")
    for number, code in enumerate(
        ["M48.061", "M51.26", "M51.36", "M43.16", "M47.816", "M41.26", "M45.6", "M48.04"], start=1
    )
]  # fmt: skip


def line(topic: Topic, *resources: Any) -> str:
    """The line of these resources, which are one finding."""
    (only,) = list_findings((), findings(topic, *resources), topic, TODAY)
    return only


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        pytest.param([condition()], "Lumbar spinal stenosis, since 2019", id="a current condition, with its level"),
        pytest.param([condition(onsetDateTime="2026-11-01")], "since 2026-11-01", id="a day of late"),
        pytest.param([condition(onsetDateTime="2026-03-01")], "since 2026-03", id="the month, after two months"),
        pytest.param([condition(onsetDateTime="2024-11-01")], "since 2024", id="the year, after two years"),
        pytest.param([condition(onsetDateTime="2026")], "since 2026", id="no more precise than the chart"),
        pytest.param([condition(onsetDateTime="2026-11")], "since 2026-11", id="a month, as the chart has it"),
        pytest.param([condition(clinicalStatus=None)], ", since 2019", id="a status that nobody recorded"),
        pytest.param([condition(clinicalStatus="resolved")], ", since 2019; resolved", id="a resolved condition"),
        pytest.param(
            [condition(verificationStatus="provisional")], "stenosis (possible), since", id="a provisional condition"
        ),
        pytest.param([condition({"text": "possible lumbar stenosis"})], "(possible)", id="uncertain words"),
        pytest.param([condition(onsetDateTime=None)], "Lumbar spinal stenosis", id="no date"),
        pytest.param(
            [condition(onsetDateTime=None, recordedDate="2026-01-02")], ", entered 2026-01", id="when it was entered"
        ),
        pytest.param([procedure({"text": "Laminectomy"})], "Spinal surgery, 2018", id="a procedure and its year"),
        pytest.param([condition(id="a"), condition(id="b")], ", since 2019", id="two entries of one problem"),
        pytest.param(
            [condition(coded(ICD_10_CM, "M48.04"))], "Thoracic spinal stenosis, since", id="a level above the low back"
        ),
    ],
)
def test_a_finding_is_one_line_with_only_what_is_not_ordinary(topic: Topic, resources: list[Any], said: str) -> None:
    """design.md 5.7: label with level, since when, then only what is not ordinary."""
    assert line(topic, *resources).endswith(said) or said in line(topic, *resources)
    assert not re.search(r"Condition|Procedure|value set|SNOMED|M48|18347007|Laminectomy", line(topic, *resources))


def test_no_more_findings_are_listed_than_settings_allow(topic: Topic) -> None:
    lines = list_findings((), findings(topic, *MANY), topic, TODAY)
    most = topic.service.settings.most_findings_listed
    assert len(lines) == most + 1
    assert lines[-1].startswith("Also: ")


def test_what_is_serious_stands_before_what_may_contribute(topic: Topic) -> None:
    found = findings(topic, *MANY, condition(coded(ICD_10_CM, "C79.51"), onsetDateTime="2026-10-20", id="tumor"))
    lines = list_findings(["Back pain"], found, topic, TODAY)
    assert lines[:2] == ["Back pain", "Cancer that may involve the spine, since 2026-10-20: evaluate on its own"]


@pytest.mark.parametrize("words", ["*Lumbar stenosis* <b>", "Lumbar stenosis [x](http://y)", "Lumbar stenosis\n# head"])
def test_no_text_of_a_chart_stands_on_a_card(topic: Topic, words: str) -> None:
    assert line(topic, condition({"text": words}, id="a*b")) == "Lumbar spinal stenosis, since 2019"


def test_a_summary_names_as_many_findings_as_settings_allow(topic: Topic) -> None:
    found = findings(topic, *MANY)
    assert summary_with("Has {findings}.", found[:1], topic) == "Has spinal stenosis."
    two, five = (summary_with("{findings}", found[:count], topic) for count in (2, 5))
    assert "Spinal stenosis" in two
    assert "disc displacement" in two
    assert "disc degeneration" not in five
    assert five.endswith("disc displacement and 3 more")


def test_a_summary_names_the_level_only_where_it_is_not_the_low_back(topic: Topic) -> None:
    thoracic = findings(topic, condition(coded(ICD_10_CM, "M48.04")))
    unspecified = findings(topic, condition(coded(ICD_10_CM, "M48.00")))
    assert summary_with("{findings}", thoracic, topic) == "Thoracic spinal stenosis"
    assert summary_with("{findings}", unspecified, topic) == "Spinal stenosis"


def test_no_summary_is_ever_longer_than_139_characters(topic: Topic) -> None:
    """R-4.21: whatever a chart holds, in any order."""
    kinds = [kind for kind in topic.service.contributors if kind.enabled]
    heads = topic.texts["confounders"].head
    for key, serious in (("summary", False), ("summary-serious", True)):
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
        pytest.param(NOTHING, NOTHING, "", id="all was read"),
        pytest.param(
            SectionRead(obtained=False), NOTHING, "Not checked: conditions (not available).", id="no conditions"
        ),
        pytest.param(
            NOTHING, SectionRead(obtained=False), "Not checked: procedures (not available).", id="no procedures"
        ),
        pytest.param(SectionRead(complete=False), NOTHING, "Not checked: some conditions.", id="a part of them"),
        pytest.param(
            SectionRead(seen_count=9, unread={"no code": 1, "not a resource": 1}),
            NOTHING,
            "Not checked: conditions (2 unreadable).",
            id="some",
        ),
        pytest.param(
            SectionRead(seen_count=9, unread={"no code": 2}, complete=False),
            SectionRead(seen_count=5, unread={"no code": 1}),
            "Not checked: some conditions, procedures (1 unreadable).",
            id="some of each",
        ),
        pytest.param(
            SectionRead(obtained=False, complete=False, unread={"x": 1}),
            NOTHING,
            "Not checked: conditions (not available).",
            id="none is enough",
        ),
    ],
)
def test_what_could_not_be_read_is_said_in_one_line(
    topic: Topic, conditions: SectionRead, procedures: SectionRead, said: str
) -> None:
    record = PatientRecord(PATIENT, {"Condition": conditions, "Procedure": procedures})
    assert not_checked(record, topic) == said


def test_what_the_summary_says_was_not_read_is_not_said_twice(topic: Topic) -> None:
    record = PatientRecord(PATIENT, {"Condition": SectionRead(obtained=False), "Procedure": NOTHING})
    assert not_checked(record, topic, except_for=("conditions",)) == ""
