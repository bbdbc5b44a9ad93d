"""Findings: which count, each problem once, the most likely first."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.fhir.bundle import read_bundle
from cards.record.patient_record import PatientRecord, Section, read_section
from cards.topic import Topic
from cards.topics.lumbar_puncture.decision.findings import Finding, find_contributors
from tests.charts import ICD_10_CM, PATIENT, SNOMED, STENOSIS, coded, condition, procedure, searchset

TODAY = date(2026, 11, 22)
LUMBAR = coded(ICD_10_CM, "M48.061")
UNSPECIFIED = coded(ICD_10_CM, "M48.00")
THORACIC = coded(ICD_10_CM, "M48.04")
CERVICAL = coded(ICD_10_CM, "M48.02")
STRAIN = coded(ICD_10_CM, "S39.012A")
RESOLVED: dict[str, Any] = {"clinicalStatus": "resolved"}


def findings(topic: Topic, *resources: Any) -> tuple[Finding, ...]:
    entries = read_bundle(json.dumps(searchset(*resources)).encode()).entries
    sections = {
        resource_type: read_section(Section(entries), resource_type, PATIENT, topic.chart, TODAY)
        for resource_type in ("Condition", "Procedure")
    }
    return find_contributors(PatientRecord(PATIENT, sections), topic, TODAY)


def told(topic: Topic, *resources: Any) -> list[str]:
    return [f"{found.kind.value_set} {found.level}" for found in findings(topic, *resources)]


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        pytest.param(condition(), ["spinal-stenosis lumbar"], id="stenosis in SNOMED CT"),
        pytest.param(condition(LUMBAR), ["spinal-stenosis lumbar"], id="stenosis in ICD-10-CM"),
        pytest.param(condition(coded(ICD_10_CM, "M48.06")), ["spinal-stenosis lumbar"], id="the code before its split"),
        pytest.param(condition(coded(ICD_10_CM, "m48061 ")), ["spinal-stenosis lumbar"], id="written carelessly"),
        pytest.param(condition(coded(ICD_10_CM, "M51.36")), ["disc-degeneration lumbar"], id="disc degeneration"),
        pytest.param(
            condition(coded(ICD_10_CM, "M51.360")), ["disc-degeneration lumbar"], id="disc degeneration with pain"
        ),
        pytest.param(condition({"text": "Hernia discal L4-L5"}), ["disc-displacement lumbar"], id="words and a level"),
        pytest.param(condition(THORACIC), ["spinal-stenosis thoracic"], id="a thoracic finding"),
        pytest.param(condition(CERVICAL), [], id="neck-only disease"),
        pytest.param(condition({"text": "Cervical spinal stenosis"}), [], id="neck-only disease in words"),
        pytest.param(condition(**RESOLVED), ["spinal-stenosis lumbar"], id="structural disease counts once resolved"),
        pytest.param(
            condition(STRAIN, onsetDateTime=days_ago(9), **RESOLVED), [], id="a strain that has healed does not"
        ),
        pytest.param(
            condition(STRAIN, onsetDateTime=days_ago(365)), ["spinal-sprain lumbar"], id="a strain on day 365"
        ),
        pytest.param(condition(STRAIN, onsetDateTime=days_ago(366)), [], id="a strain on day 366"),
        pytest.param(
            condition(STRAIN, onsetDateTime="2025-11"), ["spinal-sprain lumbar"], id="a month that day 365 is in"
        ),
        pytest.param(condition(STRAIN, onsetDateTime="2025-10"), [], id="a month that is certainly too long ago"),
        pytest.param(condition(STRAIN, onsetDateTime=None), ["spinal-sprain lumbar"], id="a strain without a date"),
        pytest.param(
            condition(STRAIN, onsetDateTime=None, recordedDate=days_ago(366)), [], id="a strain recorded too long ago"
        ),
        pytest.param(
            condition(STRAIN, onsetDateTime=days_ago(400), recordedDate=days_ago(9)),
            [],
            id="the onset outweighs the record",
        ),
        pytest.param(condition(verificationStatus="refuted"), [], id="a refuted condition"),
        pytest.param(condition(coded(SNOMED, "195967001")), [], id="asthma"),
        pytest.param(condition(coded(ICD_10_CM, "E66.9")), [], id="a kind that is switched off"),
        pytest.param(procedure({"text": "Laminectomy L4"}), ["spinal-surgery lumbar"], id="a procedure"),
        pytest.param(procedure({"text": "Laminectomy"}, status="not-done"), [], id="a procedure not done"),
        pytest.param(procedure({"text": "Laminectomy"}, status="stopped"), [], id="a procedure that was stopped"),
        pytest.param(procedure({"text": "Laminectomy"}, notPerformed=True), [], id="DSTU2's notPerformed"),
    ],
)
def test_what_counts_as_a_finding_today(topic: Topic, resource: Any, expected: list[str]) -> None:
    """clinical.md 6, rules 1 to 6."""
    assert told(topic, resource) == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(
            [condition(THORACIC, id="t"), condition(coded(ICD_10_CM, "M43.10"), id="u"), condition(LUMBAR, id="l")],
            ["spinal-stenosis lumbar", "spondylolisthesis unspecified", "spinal-stenosis thoracic"],
            id="lumbar, then unspecified, then thoracic",
        ),
        pytest.param(
            [condition(LUMBAR, **RESOLVED), condition(coded(ICD_10_CM, "M51.34"), id="t")],
            ["disc-degeneration thoracic", "spinal-stenosis lumbar"],
            id="current before resolved, whatever the level",
        ),
        pytest.param(
            [
                condition({"text": "Lumbago"}, id="p"),
                condition({"text": "Lumbar disc protrusion"}, id="d"),
                condition(),
            ],
            ["spinal-stenosis lumbar", "disc-displacement lumbar", "back-pain lumbar"],
            id="the more specific kind first",
        ),
    ],
)
def test_findings_are_ranked(topic: Topic, resources: list[Any], expected: list[str]) -> None:
    assert told(topic, *resources) == expected


def test_an_entry_of_several_kinds_is_told_under_the_most_specific_one(topic: Topic) -> None:
    both = {"coding": [coded(ICD_10_CM, "M54.50")["coding"][0], STENOSIS["coding"][0]]}
    (found,) = findings(topic, condition(both))
    assert found.kind.value_set == "spinal-stenosis"
    match = found.entry.match_in("spinal-stenosis")
    assert match is not None
    assert (match.code_system, match.code) == ("SNOMED CT", "18347007")


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param([condition(id="a"), condition(LUMBAR, id="b")], [("lumbar", 2)], id="two code systems"),
        pytest.param([condition(id="a"), condition(id="a")], [("lumbar", 2)], id="the same entry twice"),
        pytest.param(
            [condition(UNSPECIFIED, id="a"), condition(id="b")], [("lumbar", 2)], id="unspecified joins lumbar"
        ),
        pytest.param(
            [condition(UNSPECIFIED, id="a"), condition(THORACIC, id="b")], [("thoracic", 2)], id="or thoracic alone"
        ),
        pytest.param(
            [condition(UNSPECIFIED, id="a"), condition(THORACIC, id="b"), condition(id="c")],
            [("lumbar", 2), ("thoracic", 1)],
            id="but lumbar rather than thoracic",
        ),
        pytest.param(
            [condition(UNSPECIFIED, id="a"), condition(CERVICAL, id="b")], [("unspecified", 1)], id="never the neck"
        ),
        pytest.param(
            [condition(UNSPECIFIED, id="a"), condition(UNSPECIFIED)], [("unspecified", 2)], id="no level at all"
        ),
    ],
)
def test_one_problem_is_told_once(topic: Topic, resources: list[Any], expected: list[tuple[str, int]]) -> None:
    """clinical.md 6, rule 8."""
    assert [(found.level, len(found.entries)) for found in findings(topic, *resources)] == expected


@pytest.mark.parametrize(
    ("worse", "best"),
    [
        pytest.param(condition(**RESOLVED), condition(id="best", onsetDateTime=None), id="current before resolved"),
        pytest.param(condition(clinicalStatus=None), condition(id="best"), id="current before no status"),
        pytest.param(condition(verificationStatus="provisional"), condition(id="best"), id="confirmed before possible"),
        pytest.param(condition(onsetDateTime="2020"), condition(id="best"), id="the earlier date"),
        pytest.param(condition(onsetDateTime=None), condition(id="best"), id="a date before none"),
        pytest.param(condition({"text": "Lumbar spinal stenosis"}), condition(id="zz-best"), id="a code before words"),
    ],
)
def test_the_best_witness_speaks_for_the_finding(topic: Topic, worse: Any, best: Any) -> None:
    for resources in ((worse, best), (best, worse)):
        (found,) = findings(topic, *resources)
        assert found.entry.id == best["id"]


CHART = [
    condition(id="a"),
    condition(UNSPECIFIED, id="b"),
    condition(THORACIC, id="c", **RESOLVED),
    condition(STRAIN, id="d", onsetDateTime=days_ago(9)),
    condition({"text": "Lumbago"}, id="e"),
    condition({"text": "possible scoliosis"}, id="f"),
    condition(id="g", onsetDateTime="2010"),
    procedure({"text": "Laminectomy L4"}, id="h"),
    condition(id="a"),
    condition(id=None),
    condition({"text": "Spinal stenosis"}, id=None),
    condition(coded(SNOMED, "195967001"), id="i"),
]


@settings(max_examples=100, deadline=None)
@given(chart=st.permutations(CHART))
def test_the_order_of_the_entries_never_matters(topic: Topic, chart: list[Any]) -> None:
    """design.md 3, step 7: same input, same cards."""
    assert findings(topic, *chart) == findings(topic, *CHART)


CODINGS = [
    *STENOSIS["coding"],
    *LUMBAR["coding"],
    {"system": "http://example.org/local", "code": "77", "display": "Scoliosis"},
    {"system": SNOMED, "code": "195967001", "display": "Asthma"},
    {"system": ICD_10_CM, "code": "M54.50"},
]


@settings(max_examples=100, deadline=None)
@given(codings=st.permutations(CODINGS))
def test_the_order_of_the_codings_never_matters_for_what_is_found(topic: Topic, codings: list[Any]) -> None:
    assert told(topic, condition({"coding": codings})) == ["spinal-stenosis lumbar"]
