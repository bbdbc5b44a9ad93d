"""The role of an entry of the chart, in words."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from cards.evaluate import triage
from cards.explanation.chart import ChartExplainer
from cards.fhir.bundle import read_entry
from cards.fhir.draft_orders import read_draft_orders
from cards.record.patient_record import PatientRecord, Section, read_section
from cards.topic import Topic
from cards.topics.lumbar_puncture.decision.assessment import Assessment, assess
from cards.topics.lumbar_puncture.explanation.explain_decision import DecisionExplanation
from tests.charts import (
    ASTHMA,
    CPT,
    ICD_10_CM,
    LUMBAR_PUNCTURE,
    PATIENT,
    SNOMED,
    coded,
    condition,
    order,
    procedure,
    searchset,
)

TODAY = date(2026, 11, 22)
MRI = coded(CPT, "72148")
PAIN = coded(ICD_10_CM, "M54.50")
FEVER = coded(SNOMED, "386661006")
MENINGITIS = coded(ICD_10_CM, "G03.9")
NUMB_LEG = coded(SNOMED, "309537005")
STRAIN = coded(ICD_10_CM, "S39.012A")
CHEMOTHERAPY = coded(CPT, "96450")
RESOLVED: dict[str, Any] = {"clinicalStatus": "resolved"}
COMPLAINT = "no finding: earlier back pain, not certainly older than the puncture, is the complaint itself"


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def puncture(days: int | None = 20, code: Any = None, **elements: Any) -> Any:
    performed = ago(days) if days is not None else None
    return procedure(code or LUMBAR_PUNCTURE, **({"id": "lp", "performedDateTime": performed} | elements))


def judge(topic: Topic, drafts: Any, chart: Any, **section: bool) -> tuple[Assessment, dict[str, list[Any]]]:
    """What the rule makes of a chart, and its entries by type."""
    orders = read_draft_orders(json.dumps(searchset(*drafts)).encode(), None)
    found = triage(topic, orders)
    assert found is not None
    entries: dict[str, list[Any]] = {kind: [] for kind in ("Condition", "Procedure")}
    for resource in chart:
        entries[resource["resourceType"]].append(read_entry(json.dumps({"resource": resource}).encode()))
    sections = {
        kind: read_section(Section(some, **section), kind, PATIENT, topic.chart, TODAY)
        for kind, some in entries.items()
    }
    return assess(found, PatientRecord(PATIENT, sections), topic, TODAY), entries


def facts_of(topic: Topic, *chart: Any, drafts: Any = None) -> dict[str, list[tuple[str, str]]]:
    """The facts of each entry of a chart, by its name; for an MRI unless `drafts` says otherwise."""
    given, entries = judge(topic, drafts or [order(MRI)], chart)
    explainer = ChartExplainer(topic, DecisionExplanation(given, topic), given.record, TODAY)
    return {name: facts for kind, some in entries.items() for name, facts in explainer.explain(some, kind)}


def roles_of(topic: Topic, *chart: Any, drafts: Any = None) -> list[str]:
    """The roles of the first of these entries."""
    name = f"{chart[0]['resourceType']}/{chart[0]['id']}"
    return [text for label, text in facts_of(topic, *chart, drafts=drafts)[name] if label == "role"]


@pytest.mark.parametrize(
    ("chart", "roles"),
    [
        pytest.param(
            [puncture(20)],
            [f"lumbar puncture in the look-back, on {ago(20)}, 20 days ago, the latest"],
            id="the puncture",
        ),
        pytest.param(
            [puncture(30), puncture(20, id="later")],
            [f"lumbar puncture in the look-back, on {ago(30)}, 30 days ago"],
            id="an earlier one",
        ),
        pytest.param([puncture(None)], ["lumbar puncture, undated: counts"], id="undated"),
        pytest.param([puncture(-9)], ["lumbar puncture, undated: counts"], id="in the future"),
        pytest.param([puncture(366)], ["lumbar puncture longer ago than the look-back of 365 days"], id="long ago"),
        pytest.param(
            [puncture(3, status="stopped")],
            [f"lumbar puncture, not completed: counts for red flags only; on {ago(3)}, 3 days ago"],
            id="stopped",
        ),
        pytest.param(
            [puncture(3, status="not-done")],
            ["a lumbar puncture that was not done, and no words say that it was tried"],
            id="not done",
        ),
        pytest.param(
            [puncture(3, {"text": "Possible lumbar puncture"})],
            ["not a lumbar puncture: its words doubt it"],
            id="doubted",
        ),
        pytest.param(
            [puncture(3, CHEMOTHERAPY | {"text": "Ommaya reservoir"})],
            ["not a lumbar puncture, because it names a reservoir or a pump"],
            id="into a device",
        ),
        pytest.param(
            [puncture(3, coded(CPT, "62273"))], ["a similar procedure, not a lumbar puncture"], id="near miss"
        ),
        pytest.param(
            [condition(PAIN, onsetDateTime=ago(9)), puncture()],
            [f"pain: new since: began {ago(9)}, lumbar puncture {ago(20)}", COMPLAINT],
            id="pain",
        ),
        pytest.param(
            [condition(PAIN, onsetDateTime=ago(900)), puncture()],
            [
                f"pain: known before: began {ago(900)}, lumbar puncture {ago(20)}",
                "finding, listed as earlier back pain (lumbar)",
            ],
            id="pain before the puncture",
        ),
        pytest.param(
            [condition(PAIN, **RESOLVED), puncture()],
            ["pain: over, or history", "no finding: earlier back pain is resolved, and heals"],
            id="pain that has abated",
        ),
        pytest.param(
            [condition(NUMB_LEG, onsetDateTime=ago(9)), puncture()],
            [f"nerve symptom: new since: began {ago(9)}, lumbar puncture {ago(20)}"],
            id="numb since",
        ),
        pytest.param(
            [condition(NUMB_LEG, **RESOLVED), puncture()], ["nerve symptom: over, or history"], id="numb once"
        ),
        pytest.param(
            [condition(NUMB_LEG, onsetDateTime=ago(900)), puncture()],
            [f"nerve symptom: known before: began {ago(900)}, lumbar puncture {ago(20)}"],
            id="numb before",
        ),
        pytest.param(
            [condition(NUMB_LEG)],
            ["nerve symptom: present; no lumbar puncture with a date to compare with"],
            id="numb without a puncture",
        ),
    ],
)
def test_the_part_of_punctures_and_complaints(topic: Topic, chart: list[Any], roles: list[str]) -> None:
    assert roles_of(topic, *chart) == roles


NO_DATE = "present; no lumbar puncture with a date to compare with"


@pytest.mark.parametrize(
    ("chart", "beside_pain", "alone", "standing"),
    [
        pytest.param(
            [condition(FEVER, onsetDateTime=ago(2)), puncture(5)],
            "does not count: only beside another problem that is new since the puncture (back-pain)",
            "counts",
            f"new since: began {ago(2)}, lumbar puncture {ago(5)}",
            id="fever",
        ),
        pytest.param(
            [condition(FEVER, onsetDateTime=ago(2)), condition(PAIN, id="pain", onsetDateTime=ago(3)), puncture(5)],
            "counts",
            "counts",
            f"new since: began {ago(2)}, lumbar puncture {ago(5)}",
            id="fever with back pain",
        ),
        pytest.param(
            [condition(FEVER), puncture(5)],
            "does not count: known before the puncture",
            "does not count: known before the puncture",
            f"known before: began 2019-03, lumbar puncture {ago(5)}",
            id="before",
        ),
        pytest.param(
            [condition(FEVER, onsetDateTime=ago(5), **RESOLVED), puncture(9)],
            "does not count: not present today",
            "does not count: not present today",
            "over, or history",
            id="over",
        ),
        pytest.param(
            [condition(FEVER, onsetDateTime=ago(2)), puncture(17)],
            "does not count: its onset lies outside the window after the puncture (day 0 to 14)",
            "does not count: its onset lies outside the window after the puncture (day 0 to 14)",
            f"new since: began {ago(2)}, lumbar puncture {ago(17)}",
            id="outside its window",
        ),
        pytest.param(
            [condition(FEVER, onsetDateTime=ago(15)), puncture(16)],
            "does not count: its latest evidence is too long ago for a red flag (14 days)",
            "does not count: its latest evidence is too long ago for a red flag (14 days)",
            f"new since: began {ago(15)}, lumbar puncture {ago(16)}",
            id="long ago",
        ),
        pytest.param(
            [condition(FEVER, onsetDateTime=ago(2)), puncture(None)],
            "does not count: only beside another problem that is new since the puncture (back-pain)",
            "does not count: its window needs the date of the puncture",
            NO_DATE,
            id="a window without a date",
        ),
        pytest.param(
            [condition(FEVER), puncture(400)],
            "does not count: no lumbar puncture within the look-back is known",
            "does not count: no lumbar puncture within the look-back is known",
            NO_DATE,
            id="no puncture",
        ),
    ],
)
def test_whether_a_red_flag_counts(topic: Topic, chart: list[Any], beside_pain: str, alone: str, standing: str) -> None:
    assert roles_of(topic, *chart) == [
        f"red flag, fever with back pain (critical): {beside_pain}; {standing}",
        f"red flag, fever (warning): {alone}; {standing}",
    ]


def test_a_red_flag_for_which_the_puncture_was_done(topic: Topic) -> None:
    flag = condition(MENINGITIS, onsetDateTime=ago(3))
    for reason in ({"reasonReference": [{"reference": "Condition/condition-1"}]}, {"reasonCode": [MENINGITIS]}):
        (role,) = (one for one in roles_of(topic, flag, puncture(3, **reason)) if one.startswith("red flag"))
        assert role.startswith(
            "red flag, meningitis or encephalitis (critical): does not count: it is, or is explained by"
        )


@pytest.mark.parametrize(
    ("resource", "role"),
    [
        pytest.param(condition(), "finding, listed as spinal stenosis (lumbar)", id="stenosis"),
        pytest.param(condition(coded(ICD_10_CM, "M48.00")), "finding, listed as spinal stenosis", id="no level"),
        pytest.param(
            condition({"text": "Spinal metastasis"}),
            "finding, serious, listed as cancer that may involve the spine",
            id="tumor",
        ),
        pytest.param(
            condition(STRAIN, onsetDateTime=ago(9), **RESOLVED),
            "no finding: back sprain or strain is resolved, and heals",
            id="healed",
        ),
        pytest.param(
            condition(STRAIN, onsetDateTime=ago(366)),
            "no finding: back sprain or strain, older than its look-back of 365 days",
            id="too long ago",
        ),
        pytest.param(
            condition(coded(ICD_10_CM, "M48.02")), "no finding: spinal stenosis of the neck only", id="the neck"
        ),
        pytest.param(
            condition(coded(ICD_10_CM, "M81.0")),
            "no finding: the kind osteoporosis is switched off in service.yaml",
            id="switched off",
        ),
        pytest.param(
            procedure({"text": "Lumbar laminectomy"}, status="in-progress"),
            "no finding: spinal surgery, a procedure that was not completed",
            id="not completed",
        ),
        pytest.param(condition(verificationStatus="refuted"), "none: refuted or entered in error", id="refuted"),
        pytest.param(
            condition({"text": "No evidence of spinal stenosis"}),
            "none: its words name spinal-stenosis, and deny it or mean something else",
            id="denied in words",
        ),
        pytest.param(condition(ASTHMA), "none", id="nothing of ours"),
    ],
)
def test_whether_an_entry_is_a_finding(topic: Topic, resource: Any, role: str) -> None:
    assert roles_of(topic, resource, drafts=[order()]) == [role]


@pytest.mark.parametrize(
    ("resource", "standing"),
    [
        pytest.param(condition(), "current; since 2019-03"),
        pytest.param(condition(clinicalStatus=None), "no status, so it counts as current; since 2019-03"),
        pytest.param(condition(abatementDateTime="2020"), "resolved; since 2019-03; abated 2020"),
        pytest.param(condition(verificationStatus="provisional"), "current; unconfirmed; since 2019-03"),
        pytest.param(condition(onsetDateTime=None, recordedDate="2021-02-03"), "current; recorded 2021-02-03"),
        pytest.param(condition(onsetDateTime="2023-06-31"), "current; a date that could not be read"),
        pytest.param(condition(onsetDateTime=None), "current; undated"),
        pytest.param(condition(onsetDateTime="2027"), "current; since 2027, which is in the future and is ignored"),
        pytest.param(puncture(3, id="condition-1"), f"completed; performed {ago(3)}"),
    ],
)
def test_how_an_entry_stands(topic: Topic, resource: Any, standing: str) -> None:
    (facts,) = (facts for facts in facts_of(topic, resource).values() if facts)
    assert dict(facts)["standing"] == standing


def test_entries_that_could_not_be_judged_are_named_with_the_reason(topic: Topic) -> None:
    chart = [condition({}, id="a"), condition(id="b", subject={"reference": "urn:uuid:9"})]
    told = facts_of(topic, *chart)
    assert "Conditions: 2 in the call, 2 of them not understood" in told
    assert told["Condition/a"] == [("unread", "no code: neither a code nor words to judge by")]
    assert told["Condition/b"] == [("unread", "patient not resolved: nothing in the call tells whose it is")]


def test_many_entries_that_match_nothing_are_counted_in_one_line(topic: Topic) -> None:
    plain = [condition(ASTHMA, id=f"a{number}") for number in range(20)]
    assert "Condition/a19" in facts_of(topic, *plain, condition())
    told = facts_of(topic, *plain, condition(ASTHMA, id="a20"), condition())
    assert [name for name in told if name.startswith("Condition/")] == ["Condition/condition-1"]
    assert "21 more Conditions, in none of our value sets" in told
