"""What makes pain after a puncture weigh more (design.md 5.3), and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from cards.topics.lumbar_puncture.decision.escalators import find_escalators
from cards.topics.lumbar_puncture.topic import LumbarPuncture
from tests.cards.topics.lumbar_puncture.decision.charts import day, problem, puncture, record, triaged, work_up
from tests.charts import PATIENT, coded

TODAY = day(5)
BLOOD_THINNER, BLEEDING = "on an anticoagulant or antiplatelet", "low platelets or bleeding disorder"
DEFENSES, INJECTIONS, URGENT = "immunosuppression", "injection drug use", "urgent work-up"
RESOLVED = coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")


def prescription(words: str) -> Any:
    """A MedicationRequest in draft."""
    medication = {"medicationCodeableConcept": {"text": words}, "subject": {"reference": f"Patient/{PATIENT}"}}
    return {"resourceType": "MedicationRequest", "id": "rx-1", "status": "draft", "intent": "order"} | medication


def labels(topic: LumbarPuncture, *drafts: Any, chart: Any = ()) -> list[str]:
    """The escalators of these drafts and a chart with a puncture five days ago."""
    found = triaged(topic, *drafts)
    assert found is not None
    return [one.label for one in find_escalators(found, record(topic, TODAY, puncture(), *chart), topic)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("On warfarin", [BLOOD_THINNER], id="an anticoagulant"),
        pytest.param("Long term current use of clopidogrel", [BLOOD_THINNER], id="an antiplatelet"),
        pytest.param("Thrombocytopenia", [BLEEDING], id="low platelets"),
        pytest.param("Hemophilia A", [BLEEDING], id="a bleeding disorder"),
        pytest.param("Immunosuppressed", [DEFENSES], id="weak defenses"),
        pytest.param("IVDU", [INJECTIONS], id="injection drug use"),
        pytest.param("History of injection drug use", [], id="of the past only"),
        pytest.param("Not on warfarin", [], id="denied"),
        pytest.param("Family history of hemophilia", [], id="of the family"),
        pytest.param("Asthma", [], id="another disease"),
    ],
)
def test_a_risk_in_the_chart_escalates(topic: LumbarPuncture, words: str, expected: list[str]) -> None:
    assert labels(topic, work_up("Low back pain"), chart=[problem(words, -400)]) == expected
    assert labels(topic, work_up("Low back pain"), chart=[problem(words, -400, clinicalStatus=RESOLVED)]) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("Warfarin 5 mg oral tablet", [BLOOD_THINNER], id="an anticoagulant"),
        pytest.param("Tacrolimus 1 mg capsule", [DEFENSES], id="an immunosuppressant"),
        pytest.param("Acetaminophen 500 mg", [], id="a painkiller"),
    ],
)
def test_a_medication_of_the_session_escalates(topic: LumbarPuncture, words: str, expected: list[str]) -> None:
    assert labels(topic, work_up("Low back pain"), prescription(words)) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param("Severe low back pain", ["severe pain"], id="severe"),
        pytest.param("Worst back pain of her life", ["severe pain"], id="worst"),
        pytest.param("Back pain, worsening since LP", ["worsening"], id="worsening"),
        pytest.param("Progressive leg weakness", ["worsening"], id="progressive weakness"),
        pytest.param("Back pain since LP, unable to walk", ["unable to walk"], id="unable to walk"),
        pytest.param("Back pain on warfarin", [BLOOD_THINNER], id="an anticoagulant in the reason"),
        pytest.param("Back pain, not on warfarin", [], id="an anticoagulant that is denied"),
        pytest.param("Mild back pain", [], id="mild"),
        pytest.param("Back pain, not worse", [], id="not worse"),
        pytest.param("Severe headache; back pain", [], id="severe is said of something else"),
        pytest.param("No severe back pain", [], id="severe pain that is denied"),
        pytest.param("Low back pain", [], id="nothing more is said"),
        pytest.param(None, [], id="no reason"),
    ],
)
def test_words_of_the_order_escalate(topic: LumbarPuncture, reason: str | None, expected: list[str]) -> None:
    assert labels(topic, work_up(reason)) == expected


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        pytest.param("stat", [URGENT], id="stat"),
        pytest.param("asap", [URGENT], id="asap"),
        pytest.param("urgent", [URGENT], id="urgent"),
        pytest.param("routine", [], id="routine"),
        pytest.param(None, [], id="no priority"),
    ],
)
def test_the_priority_of_a_work_up_escalates(topic: LumbarPuncture, priority: str | None, expected: list[str]) -> None:
    assert labels(topic, work_up("Low back pain", priority=priority)) == expected


def test_each_kind_is_named_once_the_risks_first(topic: LumbarPuncture) -> None:
    order = work_up("Severe back pain on warfarin", priority="stat")
    named = labels(topic, order, prescription("Apixaban 5 mg"), chart=[problem("On warfarin"), problem("IVDU")])
    assert named == [BLOOD_THINNER, INJECTIONS, "severe pain", URGENT]


def test_only_risks_of_bleeding_matter_before_a_puncture(topic: LumbarPuncture) -> None:
    found = triaged(topic, work_up("Severe back pain", priority="stat"))
    assert found is not None
    chart = [problem("On warfarin"), problem("IVDU"), problem("Thrombocytopenia"), problem("Immunosuppressed")]
    escalators = find_escalators(found, record(topic, TODAY, *chart), topic)
    assert {one.label for one in escalators if one.is_bleeding_risk} == {BLOOD_THINNER, BLEEDING}
