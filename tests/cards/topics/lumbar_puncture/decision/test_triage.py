"""Which orders are a lumbar puncture, a work-up by themselves or by their reason, or none of ours (design.md 5.1)."""

from __future__ import annotations

from typing import Any

import pytest

from cards.topics.lumbar_puncture.decision.triage import Basis
from cards.topics.lumbar_puncture.topic import LumbarPuncture
from tests.cards.topics.lumbar_puncture.decision.charts import triaged
from tests.charts import CPT, LUMBAR_PUNCTURE, coded, order

PUNCTURE = "a lumbar puncture"
ITSELF, COMPLAINT, RED_FLAG, REFERRAL = Basis.ITSELF, Basis.COMPLAINT, Basis.RED_FLAG, Basis.REFERRAL


def said(topic: LumbarPuncture, *drafts: Any) -> list[str]:
    """What each order that is ours is to the topic."""
    found = triaged(topic, *drafts)
    if found is None:
        return []
    return [PUNCTURE for _ in found.lumbar_punctures] + [one.basis for one in found.work_ups]


def ordered(words: str, reason: str | None = None, **elements: Any) -> Any:
    """An order by its words, with the words of its reason."""
    reasons = {"reasonCode": [{"text": reason}]} if reason else {}
    return order({"text": words}, **reasons, **elements)


@pytest.mark.parametrize(
    "words",
    [
        "Lumbar puncture", "Spinal tap", "LP bedside", "IR LP", "Diagnostic LP", "Please do LP before discharge",
        "LP after CT head", "LP (after platelets > 50)", "Punción lumbar", "Punção lombar", "Ponction lombaire",
        "Lumbalpunktion", "Puntura lombare", "Lumbaalpunctie",
    ],
)  # fmt: skip
def test_a_lumbar_puncture_by_words(topic: LumbarPuncture, words: str) -> None:
    assert said(topic, ordered(words)) == [PUNCTURE]


@pytest.mark.parametrize(
    "words",
    [
        "Consent for lumbar puncture", "LP tray to bedside", "Lumbar puncture kit", "Lumbar puncture education",
        "Post lumbar puncture care", "Bed rest after lumbar puncture", "Transport to LP", "Hold heparin for LP",
        "Sedation for LP", "Labs prior to lumbar puncture", "Epidural steroid injection", "Blood patch", "Myelogram",
        "Cisternal puncture", "Lumbar drain placement", "VP shunt tap", "Spinal anesthesia", "LP", "Chest X-ray",
    ],
)  # fmt: skip
def test_tasks_about_a_puncture_and_near_misses_are_none(topic: LumbarPuncture, words: str) -> None:
    assert said(topic, ordered(words)) == []


def test_a_category_makes_an_order_a_task_whatever_its_code(topic: LumbarPuncture) -> None:
    assert said(topic, order(LUMBAR_PUNCTURE)) == [PUNCTURE]
    assert said(topic, order(LUMBAR_PUNCTURE, category=[{"text": "Patient education"}])) == []


def test_a_note_makes_an_order_neither_a_task_nor_a_puncture(topic: LumbarPuncture) -> None:
    assert said(topic, order(LUMBAR_PUNCTURE, note=[{"text": "consent for lumbar puncture signed"}])) == [PUNCTURE]
    assert said(topic, order({"text": "CBC"}, note=[{"text": "needs lumbar puncture"}])) == []


@pytest.mark.parametrize(
    ("words", "reason", "expected"),
    [
        pytest.param("MRI lumbar spine", None, [ITSELF], id="spine imaging needs no reason"),
        pytest.param("MRI lumbar spine", "Low back pain", [ITSELF], id="spine imaging for back pain"),
        pytest.param("MRI whole spine", None, [ITSELF], id="the whole spine"),
        pytest.param("MRI brain", None, [], id="the brain without a reason"),
        pytest.param("MRI brain", "Headache worse upright since LP", [RED_FLAG], id="the brain for a red flag"),
        pytest.param("EMG of both legs", None, [ITSELF], id="nerve conduction of the legs"),
        pytest.param("EMG of both hands", None, [], id="nerve conduction of the hands"),
        pytest.param("EMG of hands and legs", None, [ITSELF], id="nerve conduction of hands and legs"),
        pytest.param("Referral to spine surgery", None, [ITSELF], id="a spine surgery referral"),
        pytest.param("Referral to neurology", None, [REFERRAL], id="a neurology referral without a reason"),
        pytest.param("Referral to neurology", "Numbness of leg", [COMPLAINT], id="a neurology referral for numbness"),
        pytest.param("Referral to neurology", "Migraine", [], id="a neurology referral for a migraine"),
        pytest.param("Referral to pain clinic", None, [REFERRAL], id="a pain referral without a reason"),
        pytest.param("Physical therapy evaluation", None, [], id="physical therapy without a reason"),
        pytest.param("Physical therapy evaluation", "Low back pain", [COMPLAINT], id="physical therapy for back pain"),
        pytest.param("CBC", None, [], id="a blood test"),
        pytest.param("CBC", "Fever", [RED_FLAG], id="a blood test for fever"),
        pytest.param("CBC", "Sciatica", [COMPLAINT], id="a blood test for sciatica"),
        pytest.param("CBC", "No back pain", [], id="a complaint that is denied"),
        pytest.param("CBC", "History of back pain", [], id="a complaint of the past"),
        pytest.param("CBC", "Numbness of left hand", [], id="numbness of a hand is no complaint"),
        pytest.param("CBC", "?cauda equina", [RED_FLAG], id="a red flag that is suspected"),
        pytest.param("Chest X-ray", "s/p lumbar puncture", [], id="a puncture that is only the reason"),
    ],
)
def test_a_work_up_by_itself_or_by_its_reason(
    topic: LumbarPuncture, words: str, reason: str | None, expected: list[Basis]
) -> None:
    assert said(topic, ordered(words, reason)) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param("Metastatic cancer, staging", True, id="another reason"),
        pytest.param("Low back pain", False, id="a complaint"),
        pytest.param("r/o epidural abscess", False, id="a red flag"),
        pytest.param(None, False, id="no reason"),
    ],
)
def test_spine_imaging_tells_whether_it_states_other_reasons(
    topic: LumbarPuncture, reason: str | None, expected: bool
) -> None:
    found = triaged(topic, ordered("MRI lumbar spine", reason))
    assert found is not None
    assert [one.states_other_reasons for one in found.work_ups] == [expected]


def test_a_reason_that_cannot_be_read_counts_as_not_stated(topic: LumbarPuncture) -> None:
    found = triaged(topic, ordered("MRI lumbar spine", reasonReference=[{"reference": "Condition/elsewhere"}]))
    assert found is not None
    assert [one.states_other_reasons for one in found.work_ups] == [False]


@pytest.mark.parametrize(
    ("priority", "expected"),
    [("stat", True), ("asap", True), ("urgent", True), ("routine", False), (None, False)],
)
def test_an_urgent_puncture_waits_for_nothing(topic: LumbarPuncture, priority: str | None, expected: bool) -> None:
    found = triaged(topic, order(LUMBAR_PUNCTURE, priority=priority))
    assert found is not None
    assert found.urgent is expected


def test_a_medication_is_no_work_up_whatever_its_reason(topic: LumbarPuncture) -> None:
    medication = {"resourceType": "MedicationRequest", "status": "draft", "intent": "order", "subject": {}}
    for reason in ("Low back pain", "?cauda equina"):
        draft = medication | {"medicationCodeableConcept": {"text": "Ibuprofen"}, "reasonCode": [{"text": reason}]}
        assert said(topic, draft) == []


def test_everything_that_the_session_orders_is_known(topic: LumbarPuncture) -> None:
    found = triaged(topic, ordered("MRI lumbar spine"), ordered("Referral to neurology", id="order-2"))
    assert found is not None
    assert found.ordered >= {"spine-imaging", "neurology-referral"}
    assert said(topic, order(coded(CPT, "62270")), ordered("MRI lumbar spine", id="order-2")) == [PUNCTURE, ITSELF]
