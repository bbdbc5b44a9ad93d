"""What the orders and the chart mean, and why each card was shown or not, in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cards.explanation.explain import Explained, SessionToExplain, explain
from cards.fhir.draft_orders import read_draft_orders
from cards.topic import Topic
from cards.topics.lumbar_puncture.decision.pain import Pain, PainClass, WhyUnknown
from cards.topics.lumbar_puncture.explanation.explain_decision import _UNKNOWN, DecisionExplanation
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
LIMITS = "(expected: up to 7, rule out first: up to 30)"
NO_PUNCTURE = "no completed lumbar puncture within 365 days"


def explained(topic: Topic, drafts: Any, chart: Any, **section: bool) -> Explained:
    given, entries = judge(topic, drafts, chart, **section)
    raw = json.dumps(searchset(*drafts)).encode()
    by_key = {key: entries[resource_type] for key, resource_type in topic.service.resource_types.items()}
    orders = read_draft_orders(raw, None)
    return explain(topic, SessionToExplain(raw, orders, {}, given.triage, given.record, by_key, ""), TODAY)


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
                "nerve-symptoms": "covered in pain-after-puncture",
                "red-flags": "no red flag counts",
            },
            id="pain and numbness",
        ),
        pytest.param(
            [order()],
            [NUMB_SINCE, condition(), puncture()],
            {
                "confounders": "covered in nerve-symptoms",
                "pain-after-puncture": "covered in nerve-symptoms",
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
                "no complaint began since the last puncture",
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
                "every work-up states another reason, and no complaint or red flag began since the puncture",
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
                "nerve-symptoms": "no nerve symptom that may be new since the puncture",
                "red-flags": "no red flag counts",
            },
            id="pain alone",
        ),
    ],
)
def test_why_a_card_stays_away(topic: Topic, drafts: Any, chart: Any, reasons: dict[str, str]) -> None:
    assert why_not(topic, drafts, chart) == reasons


@pytest.mark.parametrize(
    ("drafts", "chart", "silence"),
    [
        pytest.param([order(MRI)], [], "no-puncture", id="nothing to follow"),
        pytest.param([LIMB_MRI], [puncture()], "other-reason", id="another reason"),
        pytest.param([order(MRI)], [puncture(performedDateTime=ago(200))], "no-complaint", id="too long ago to ask"),
        pytest.param(
            [order()],
            [puncture(performedDateTime=ago(20)), puncture(id="second", performedDateTime=ago(40))],
            "serial",
            id="serial punctures",
        ),
        pytest.param([order(MRI)], [PAIN_SINCE, puncture()], "none", id="a card came"),
    ],
)
def test_why_no_card_came_has_a_key_to_count_by(topic: Topic, drafts: Any, chart: Any, silence: str) -> None:
    key, words = DecisionExplanation(judge(topic, drafts, chart)[0], topic).silence()
    assert key == silence
    assert words


def test_where_the_chart_could_not_be_had(topic: Topic) -> None:
    reasons = why_not(topic, [order()], [], obtained=False)
    assert reasons["confounders"] == "not known: the conditions could not be read"
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
                f"Condition/condition-1: new since: began {ago(9)}, lumbar puncture {ago(20)}",
                f"the puncture was 20 days ago {LIMITS}",
                "onset 11 days after the puncture (late onset: more than 90)",
                "it has lasted 9 days (chronic: more than 90)",
            ],
            id="exact dates",
        ),
        pytest.param(
            ago(21),
            20,
            [
                "pre-existing: Condition/condition-1",
                f"Condition/condition-1: known before: began {ago(21)}, lumbar puncture {ago(20)}",
                f"the puncture was 20 days ago {LIMITS}",
            ],
            id="before the puncture",
        ),
        pytest.param(
            "2026-11",
            1,
            [
                "unknown (its onset is too imprecise): Condition/condition-1",
                f"Condition/condition-1: present; the dates do not decide: began 2026-11, lumbar puncture {ago(1)}",
                f"the puncture was 1 day ago {LIMITS}",
                "onset from 20 days before to 1 day after the puncture (late onset: more than 90)",
                "it has lasted 0 to 21 days (chronic: more than 90)",
            ],
            id="an imprecise onset",
        ),
        pytest.param(
            None,
            None,
            [
                "unknown (the pain has no onset, the puncture has no date): Condition/condition-1",
                "Condition/condition-1: present; no lumbar puncture with a date to compare with",
            ],
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
        f"Condition/condition-1: known before: recorded {ago(30)}, lumbar puncture {ago(20)}"
    )


def test_everything_that_may_not_be_known_of_pain_has_its_words(topic: Topic) -> None:
    given, _ = judge(topic, [order(MRI)], [PAIN_SINCE, puncture()])
    pain = Pain(PainClass.UNKNOWN, None, None, tuple(WhyUnknown))
    facts = DecisionExplanation(replace(given, pain=pain), topic).decision()
    (words, *_) = (text for label, text in facts if label == "pain")
    assert all(_UNKNOWN[why] in words for why in WhyUnknown)


@pytest.mark.parametrize(
    ("onset", "words"),
    [(ago(9), "for 42 days at most"), (ago(43), "for more than 42 days"), (None, "for an unknown time")],
)
def test_how_long_a_nerve_symptom_has_lasted(topic: Topic, onset: str | None, words: str) -> None:
    chart = [condition(NUMB_LEG, onsetDateTime=onset), puncture(60)]
    assert decision(topic, [order(MRI)], chart, "nerve symptom") == [f"Condition/condition-1, {words}"]


def test_orders_red_flags_findings_and_gaps_are_listed(topic: Topic) -> None:
    chart = [condition(FEVER, id=None, onsetDateTime=ago(1)), condition(id="stenosis"), puncture(12)]
    drafts = [order(priority="stat"), order(MRI), order(MRI)]
    assert decision(topic, drafts, chart, "orders") == [
        "1 for a lumbar puncture, urgent",
        "a work-up, what it orders: counts",
        "a work-up, what it orders: counts",
    ]
    assert decision(topic, [LIMB_MRI], chart, "orders") == ["a work-up, what it orders: counts"]  # since a fever began
    assert decision(topic, [LIMB_MRI], [puncture()], "orders") == [
        "a work-up, what it orders: does not count by itself"
    ]
    assert decision(topic, drafts, chart, "red flags") == ["fever (warning): a Condition without id"]
    assert decision(topic, drafts, chart, "findings") == ["spinal stenosis (lumbar): Condition/stenosis"]
    assert decision(topic, drafts, [*chart, condition({})], "chart", complete=False) == [
        "there are more conditions than these",
        "1 of the conditions could not be read",
        "there are more procedures than these",
    ]
