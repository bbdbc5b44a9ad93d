"""The explanation of a call to any topic: here to the one that is installed as a plug-in."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from cards.catalogue import load_topics
from cards.evaluate import triage
from cards.explanation.explain import Explained, SessionToExplain, explain
from cards.fhir.bundle import read_entry
from cards.fhir.draft_orders import read_draft_orders
from cards.record.patient_record import PatientRecord, Section, read_section
from tests.charts import CPT, ICD_10_CM, PATIENT, coded, order, searchset

TODAY = date(2026, 11, 22)
COLONOSCOPY = order(coded(CPT, "45378"))
TYPE = "AllergyIntolerance"


def allergy(code: str, **elements: Any) -> Any:
    patient = {"reference": f"Patient/{PATIENT}"}
    return {"resourceType": TYPE, "id": "a", "patient": patient, "code": coded(ICD_10_CM, code)} | elements


def explained(draft: Any, *chart: Any) -> Explained:
    topic = load_topics(["colonoscopy"])["colonoscopy-preparation"]
    raw = json.dumps(searchset(draft)).encode()
    orders = read_draft_orders(raw, None)
    entries = [read_entry(json.dumps({"resource": resource}).encode()) for resource in chart]
    record = PatientRecord(PATIENT, {TYPE: read_section(Section(entries), TYPE, PATIENT, topic.chart, TODAY)})
    session = SessionToExplain(raw, orders, {}, triage(topic, orders), record, {"allergies": entries}, "")
    return explain(topic, session, TODAY)


@pytest.mark.usefixtures("second_topic_installed")
def test_an_entry_of_another_resource_type_is_explained_with_its_role() -> None:
    result = explained(COLONOSCOPY, allergy("Z91.040", onsetDateTime="2019"))
    assert [title for title, _ in result.chart] == [f"{TYPE}s: 1 in the call", f"{TYPE}/a"]
    facts = dict(result.chart[1][1])
    assert facts["codes"] == "ICD-10-CM Z91.040"
    assert facts["standing"] == "no status, so it counts as current; since 2019"
    assert facts["in"] == "latex-allergy, by ICD-10-CM Z91.040"
    assert facts["role"] == "allergy"
    assert dict(result.orders[0][1])["taken for"] == "a colonoscopy"
    assert {verdict.card: verdict.fires for verdict in result.verdicts} == {"preparation": True, "latex-allergy": True}


@pytest.mark.usefixtures("second_topic_installed")
@pytest.mark.parametrize(
    ("resource", "role"),
    [
        pytest.param(allergy("Z88.0"), "none", id="an allergy in no value set"),
        pytest.param(
            allergy("Z91.040", verificationStatus={"coding": [{"code": "refuted"}]}),
            "none: refuted or entered in error",
            id="a refuted one",
        ),
    ],
)
def test_a_card_that_does_not_come_has_the_reason_of_its_topic(resource: Any, role: str) -> None:
    result = explained(COLONOSCOPY, resource)
    assert dict(result.chart[1][1])["role"] == role
    verdicts = {verdict.card: verdict for verdict in result.verdicts}
    assert (verdicts["latex-allergy"].fires, verdicts["latex-allergy"].words) == (False, "no active allergy")


@pytest.mark.usefixtures("second_topic_installed")
def test_where_no_order_is_ours_no_entry_is_read() -> None:
    result = explained(order(coded(CPT, "71046")), allergy("Z91.040"))
    assert [title for title, _ in result.chart] == ["not read: no order is ours"]
    assert {verdict.words for verdict in result.verdicts} == {"no order is ours"}
