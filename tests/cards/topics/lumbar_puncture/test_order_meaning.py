"""What an order was taken for, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cards.explanation.orders import explain_orders
from cards.explanation.words import Paragraph
from cards.fhir.draft_orders import read_draft_orders
from cards.fhir.resources import CodeableConcept, Coding
from cards.topic import Topic
from tests.charts import ASTHMA, CPT, ICD_10_CM, coded, condition, order, searchset

MRI = coded(CPT, "72148")
PAIN = coded(ICD_10_CM, "M54.50")
CHEMOTHERAPY = coded(CPT, "96450")
UNTOLD = "would be fetched from the FHIR server"


def explained(topic: Topic, *drafts: Any, looked_up: Any = None, selections: list[str] | None = None) -> Paragraph:
    """The explanation of the last of these drafts."""
    raw = json.dumps(searchset(*drafts)).encode()
    return list(explain_orders(raw, read_draft_orders(raw, selections), topic, looked_up or {}, UNTOLD))[-1]


def taken_for(topic: Topic, *drafts: Any, **more: Any) -> str:
    return dict(explained(topic, *drafts, **more)[1])["taken for"]


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        pytest.param(
            order(),
            "a lumbar puncture: lumbar-puncture, by SNOMED CT 277762005; lumbar-puncture, by its words",
            id="a lumbar puncture",
        ),
        pytest.param(order({"text": "Spinal tap"}), "a lumbar puncture: lumbar-puncture, by its words", id="in words"),
        pytest.param(
            order(CHEMOTHERAPY),
            "a lumbar puncture: intrathecal-chemotherapy, by CPT 96450",
            id="intrathecal chemotherapy",
        ),
        pytest.param(
            order(CHEMOTHERAPY | {"text": "via Ommaya reservoir"}),
            "not a lumbar puncture, because the draft names a reservoir or a pump: "
            "intrathecal-chemotherapy, by CPT 96450",
            id="into a device",
        ),
        pytest.param(order(MRI), "a work-up: what it orders (spine-imaging, by CPT 72148)", id="imaging"),
        pytest.param(
            order(coded(CPT, "71046"), reasonCode=[PAIN]),
            "a work-up: its reason is a complaint (back-pain, by ICD-10-CM M54.50)",
            id="by its reason",
        ),
        pytest.param(
            order(coded(CPT, "62273")),
            "a similar order, not a lumbar puncture: not-lumbar-puncture, by CPT 62273",
            id="a near miss",
        ),
        pytest.param(
            order({"text": "No lumbar puncture"}),
            "not ours: its words mention lumbar-puncture, and deny it or doubt it",
            id="denied",
        ),
        pytest.param(
            order({"text": "Possible lumbar puncture"}),
            "not ours: its words mention lumbar-puncture, and deny it or doubt it",
            id="doubted",
        ),
        pytest.param(
            order(PAIN), "a work-up: its reason is a complaint (back-pain, by ICD-10-CM M54.50)", id="a complaint"
        ),
        pytest.param(order(ASTHMA), "not ours: 1 code looked up, none in our value sets", id="another code"),
        pytest.param(order({"text": "Chest film"}), "not ours: no code, and words we do not know", id="other words"),
        pytest.param(order({}), "not ours: neither code nor words", id="nothing"),
        pytest.param(order(status="revoked"), "over: status revoked", id="revoked"),
        pytest.param(order(doNotPerform=True), "not placed: doNotPerform", id="not to be performed"),
        pytest.param(
            {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Ibuprofen"}},
            "a medication, which adds no risk that we know",
            id="a medication",
        ),
        pytest.param(
            {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Warfarin 5 mg"}},
            "a medication that adds a risk: risk-anticoagulant, by its words",
            id="an anticoagulant",
        ),
        pytest.param(
            order({"text": "Consent for lumbar puncture"}),
            "a task about a lumbar puncture, and none itself: “Consent”, “for”",
            id="a task about a lumbar puncture",
        ),
        pytest.param(
            order(category=[{"text": "Education"}]),
            "a task about a lumbar puncture, by its category",
            id="a task by its category",
        ),
        pytest.param(
            order(MRI, reasonCode=[ASTHMA]),
            "a work-up: what it orders (spine-imaging, by CPT 72148); it states another reason, so it counts only "
            "where something began since the puncture",
            id="a work-up for another reason",
        ),
        pytest.param(condition(), "not an order: a Condition, which may be the reason of one", id="a Condition"),
        pytest.param({"id": "x"}, "could not be read: no resourceType", id="no resourceType"),
        pytest.param(7, "could not be read", id="no resource"),
    ],
)
def test_what_an_order_was_taken_for(topic: Topic, draft: Any, expected: str) -> None:
    assert taken_for(topic, draft) == expected
    assert taken_for(topic, order(status="revoked"), condition(), None, draft) == expected


def test_an_order_that_is_not_selected(topic: Topic) -> None:
    assert taken_for(topic, order(), selections=["ServiceRequest/other"]) == (
        "not selected; it would be: a lumbar puncture: lumbar-puncture, by SNOMED CT 277762005; "
        "lumbar-puncture, by its words"
    )
    assert taken_for(topic, order(), selections=["ServiceRequest/order-1"]).startswith("a lumbar puncture")


def test_a_reason_that_is_told_elsewhere(topic: Topic) -> None:
    draft = order(ASTHMA, reasonReference=[{"reference": "Condition/9"}])
    name, facts = explained(topic, draft)
    assert name == "ServiceRequest/order-1"
    assert ("reason", f"Condition/9: not told in the call: {UNTOLD}") in facts
    assert facts[-1] == (
        "taken for",
        "not ours: 1 code looked up, none in our value sets (unless Condition/9 is a complaint or a red flag)",
    )
    known = {"Condition/9": CodeableConcept([Coding(ICD_10_CM, "M54.50", "Low back pain")])}
    _, facts = explained(topic, draft, looked_up=known)
    assert ("reason", "Condition/9: “Low back pain”; codes: ICD-10-CM M54.50") in facts
    assert facts[-1][1] == (
        "a work-up: its reason is a complaint (back-pain, by ICD-10-CM M54.50; back-pain, by its words)"
    )


def test_an_order_is_shown_with_its_words_and_codes(topic: Topic) -> None:
    code = {"text": "LP", "coding": [{"system": "http://here", "code": "LP1", "display": "LP"}, {"code": "7"}]}
    name, facts = explained(topic, order(code, id=None, priority="stat"))
    assert name == "ServiceRequest [0]"
    assert facts[:3] == [
        ("words", "“LP”"),
        ("codes", "LP1 of http://here, 7 of no code system"),
        ("priority", "stat"),
    ]
