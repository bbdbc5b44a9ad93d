"""What the orders and the chart come to, and why each card came or did not, in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cards.explanation.explain import Explained, SessionToExplain, explain
from cards.fhir.draft_orders import read_draft_orders
from cards.topic import Topic
from cards.topics.lumbar_puncture.decision.pain import Pain, PainClass, WhyUnknown
from cards.topics.lumbar_puncture.explanation.explain_decision import DecisionExplanation
from tests.cards.topics.lumbar_puncture.test_explain_chart import (
    FEVER,
    MRI,
    NUMB_LEG,
    PAIN,
    TODAY,
    ago,
    judge,
    puncture,
)
from tests.charts import ASTHMA, CPT, coded, condition, order, searchset

PAIN_SINCE = condition(PAIN, onsetDateTime=ago(9))
NUMB_SINCE = condition(NUMB_LEG, id="numb", onsetDateTime=ago(9))
LIMB_MRI = order(coded(CPT, "95908"), reasonCode=[ASTHMA])  # a work-up that states another reason
NO_PUNCTURE = "no completed lumbar puncture within 365 days"


def explained(topic: Topic, drafts: Any, chart: Any, **section: bool) -> Explained:
    given, entries = judge(topic, drafts, chart, **section)
    raw = json.dumps(searchset(*drafts)).encode()
    by_key = {key: entries[resource_type] for key, resource_type in topic.service.resource_types.items()}
    orders = read_draft_orders(raw, None)
    return explain(topic, SessionToExplain(raw, orders, {}, given.found, given.record, by_key, ""), TODAY)


def why_not(topic: Topic, drafts: Any, chart: Any, **section: bool) -> dict[str, str]:
    """For each card that does not come, why."""
    verdicts = explained(topic, drafts, chart, **section).verdicts
    return {verdict.card: verdict.words for verdict in verdicts if not verdict.fires}


@pytest.mark.parametrize(
    ("drafts", "chart", "reasons"),
    [
        pytest.param(
            [order()],
            [],
            {
                "confounders": "no finding",
                "pain-after-puncture": NO_PUNCTURE,
                "nerve-symptoms": NO_PUNCTURE,
                "red-flags": "no lumbar puncture within 365 days",
            },
            id="an empty chart",
        ),
        pytest.param(
            [order(MRI)],
            [PAIN_SINCE, NUMB_SINCE, puncture()],
            {
                "what-to-expect": "no lumbar puncture is ordered",
                "confounders": "no lumbar puncture is ordered",
                "nerve-symptoms": "told in pain-after-puncture",
                "red-flags": "no red flag counts",
            },
            id="pain and numbness",
        ),
        pytest.param(
            [order()],
            [NUMB_SINCE, condition(), puncture()],
            {
                "confounders": "told in nerve-symptoms",
                "pain-after-puncture": "told in nerve-symptoms",
                "red-flags": "no red flag counts",
            },
            id="numbness alone",
        ),
        pytest.param(
            [order()],
            [condition(FEVER, onsetDateTime=ago(1)), PAIN_SINCE, puncture(12)],
            dict.fromkeys(
                ("what-to-expect", "confounders", "pain-after-puncture", "nerve-symptoms"),
                "silenced by the red flag fever",
            ),
            id="a red flag",
        ),
        pytest.param(
            [order(priority="stat")],
            [condition(), PAIN_SINCE, puncture()],
            {
                "confounders": "the puncture is urgent: what-to-expect alone",
                "pain-after-puncture": "the puncture that is ordered is urgent",
                "nerve-symptoms": "the puncture that is ordered is urgent",
                "red-flags": "no red flag counts",
            },
            id="an urgent puncture",
        ),
        pytest.param(
            [order()],
            [condition(), puncture()],
            dict.fromkeys(
                ("pain-after-puncture", "nerve-symptoms"),
                "another puncture is ordered, and no complaint is dated since the last one",
            )
            | {"red-flags": "no red flag counts"},
            id="weekly treatment",
        ),
        pytest.param(
            [LIMB_MRI],
            [puncture()],
            dict.fromkeys(("what-to-expect", "confounders"), "no lumbar puncture is ordered")
            | dict.fromkeys(
                ("pain-after-puncture", "nerve-symptoms"),
                "every work-up states another reason, and the chart holds no complaint",
            )
            | {"red-flags": "no red flag counts"},
            id="another reason",
        ),
        pytest.param(
            [order(MRI)],
            [PAIN_SINCE, puncture()],
            {
                "what-to-expect": "no lumbar puncture is ordered",
                "confounders": "no lumbar puncture is ordered",
                "nerve-symptoms": "no nerve symptom since the puncture",
                "red-flags": "no red flag counts",
            },
            id="pain alone",
        ),
    ],
)
def test_why_a_card_stays_away(topic: Topic, drafts: Any, chart: Any, reasons: dict[str, str]) -> None:
    assert why_not(topic, drafts, chart) == reasons


def test_where_the_chart_could_not_be_had(topic: Topic) -> None:
    reasons = why_not(topic, [order()], [], obtained=False)
    assert reasons["confounders"] == "no finding: the conditions could not be read"
    assert reasons["red-flags"] == "no lumbar puncture is known: the procedures could not be read"
    refused = why_not(topic, [order(MRI)], [], obtained=False)
    assert set(refused.values()) == {"412: the procedures could not be read"}
    assert len(refused) == 5


def test_where_no_order_is_ours(topic: Topic) -> None:
    result = explain(topic, SessionToExplain(b'{"resourceType": "Bundle"}', (), {}, None, None, {}, ""), TODAY)
    assert result.decision == (("orders", "none is ours: the chart is not read"),)
    assert {(verdict.fires, verdict.words) for verdict in result.verdicts} == {(False, "no order is ours")}


def test_a_card_that_comes_is_named_with_its_summary_and_what_it_offers(topic: Topic) -> None:
    verdicts = {verdict.card: verdict for verdict in explained(topic, [order(MRI)], [PAIN_SINCE, puncture()]).verdicts}
    verdict = verdicts["pain-after-puncture"]
    assert (verdict.fires, verdict.indicator, verdict.offers) == (True, "info", ("refer-neurology", "refer-spine"))
    assert "back pain" in verdict.words.lower()


def decision(topic: Topic, drafts: Any, chart: Any, label: str, **section: bool) -> list[str]:
    return [text for name, text in explained(topic, drafts, chart, **section).decision if name == label]


@pytest.mark.parametrize(
    ("onset", "punctured", "lines"),
    [
        pytest.param(
            ago(9),
            20,
            [
                "lingering: Condition/condition-1",
                f"it began on {ago(9)}, 11 days after the puncture (late onset: more than 90)",
                "the puncture was 20 days ago (expected: up to 7)",
                "it has lasted 9 days (chronic: more than 90)",
            ],
            id="exact dates",
        ),
        pytest.param(
            ago(21),
            20,
            [
                "pre-existing: Condition/condition-1",
                f"it began on {ago(21)}, 1 day before the puncture (late onset: more than 90)",
                "the puncture was 20 days ago (expected: up to 7)",
                "it has lasted 21 days (chronic: more than 90)",
            ],
            id="before the puncture",
        ),
        pytest.param(
            "2026-11",
            1,
            [
                "unknown (its onset is too imprecise): Condition/condition-1",
                "it began on 2026-11, from 20 days before to 1 day after the puncture (late onset: more than 90)",
                "the puncture was 1 day ago (expected: up to 7)",
                "it has lasted 0 to 21 days (chronic: more than 90)",
            ],
            id="an imprecise onset",
        ),
        pytest.param(
            None,
            None,
            ["unknown (the pain has no onset, the puncture has no date): Condition/condition-1"],
            id="no dates",
        ),
    ],
)
def test_pain_is_told_with_the_dates_that_were_compared(
    topic: Topic, onset: str | None, punctured: int | None, lines: list[str]
) -> None:
    assert decision(topic, [order(MRI)], [condition(PAIN, onsetDateTime=onset), puncture(punctured)], "pain") == lines


def test_pain_that_was_recorded_before_the_puncture(topic: Topic) -> None:
    pain = condition(PAIN, onsetDateTime=None, recordedDate=ago(30))
    assert decision(topic, [order(MRI)], [pain, puncture(20)], "pain")[1].startswith(
        f"it was recorded on {ago(30)}, 10 days before the puncture"
    )


def test_everything_that_may_not_be_known_of_pain_has_its_words(topic: Topic) -> None:
    given, _ = judge(topic, [order(MRI)], [PAIN_SINCE, puncture()])
    pain = Pain(PainClass.UNKNOWN, None, None, tuple(WhyUnknown))
    facts = DecisionExplanation(replace(given, pain=pain), topic).decision()
    (words, *_) = (text for label, text in facts if label == "pain")
    assert words.count(",") == len(WhyUnknown) - 1


@pytest.mark.parametrize(
    ("onset", "words"),
    [(ago(9), "for 42 days at most"), (ago(43), "for more than 42 days"), (None, "nobody knows for how long")],
)
def test_how_long_a_nerve_symptom_has_lasted(topic: Topic, onset: str | None, words: str) -> None:
    chart = [condition(NUMB_LEG, onsetDateTime=onset), puncture(60)]
    assert decision(topic, [order(MRI)], chart, "nerve symptom") == [f"Condition/condition-1, {words}"]


def test_orders_red_flags_findings_and_gaps_are_listed(topic: Topic) -> None:
    chart = [condition(FEVER, id=None, onsetDateTime=ago(1)), condition(id="stenosis"), puncture(12)]
    drafts = [order(priority="stat"), order(MRI), order(MRI)]
    assert decision(topic, drafts, chart, "orders") == ["1 for a lumbar puncture, urgent; 2 that work up back pain"]
    assert decision(topic, [LIMB_MRI], chart, "orders") == ["1 that works up back pain, every one for another reason"]
    assert decision(topic, drafts, chart, "red flags") == ["fever: a Condition without id"]
    assert decision(topic, drafts, chart, "findings") == ["spinal stenosis (lumbar): Condition/stenosis"]
    assert decision(topic, drafts, [*chart, condition({})], "chart", complete=False) == [
        "there are more conditions than these",
        "1 of the conditions could not be understood",
        "there are more procedures than these",
    ]
