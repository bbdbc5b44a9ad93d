"""What is true for every chart (hypothesis)."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.card import Card
from cards.catalogue import load_topic
from cards.content.service import INDICATORS
from cards.evaluate import evaluate, triage
from cards.fhir.bundle import read_entry
from cards.fhir.draft_orders import read_draft_orders
from cards.record.patient_record import PatientRecord, Section, read_section
from cards.topic import Topic
from cards.words.lexicon_files import load_lexicon
from tests.charts import CPT, LUMBAR_PUNCTURE, PATIENT, coded, condition, order, procedure, searchset
from tests.content import FILES, loaded

TODAY = date(2026, 11, 22)
WORDS = load_lexicon(FILES.lexicon)
WORK_UP = order(coded(CPT, "72148"))
NASTY = [
    "<script>alert(1)</script>",
    "[click](https://evil.example)",
    "**bold** _it_ `code`",
    "![x](y)",
    "a\n# heading",
    "| a | b |",
]


@cache
def content() -> Topic:
    return load_topic()


@cache
def codes() -> list[tuple[str, str]]:
    """One code of every value set that is asked of a Condition, and some of none."""
    known = [
        (system.uri, sorted(members)[0])
        for value_set in content().chart.value_sets.values()
        for system, members in value_set.codes.items()
    ]
    families = [
        (system.uri, sorted(members)[0])
        for value_set in content().chart.value_sets.values()
        for system, members in value_set.families.items()
    ]
    return [*known, *families, ("http://snomed.info/sct", "195967001"), ("urn:local", "X")]


def dates() -> st.SearchStrategy[str | None]:
    days = st.integers(-3, 500).map(lambda ago: (TODAY - timedelta(days=ago)).isoformat())
    return st.one_of(
        st.none(), days, days.map(lambda day: day[:7]), days.map(lambda day: day[:4]), st.just("2026-13-45")
    )


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """A Condition with one or two codings, of any standing and date."""
    picked = draw(st.lists(st.sampled_from(codes()), min_size=1, max_size=3))
    displays = st.sampled_from(["Pain", "Low back pain, chronic", None])
    codings = [{"system": system, "code": code, "display": draw(displays)} for system, code in picked]
    words = draw(st.sampled_from(["low back pain", "fever", "foot drop", None]))
    return condition(
        {"coding": codings} | ({"text": words} if words else {}),
        id=draw(st.uuids()).hex,
        onsetDateTime=draw(dates()),
        recordedDate=draw(dates()),
        clinicalStatus=draw(st.sampled_from([coded("x", "active"), coded("x", "resolved"), None])),
        verificationStatus=draw(st.sampled_from([coded("x", "confirmed"), coded("x", "provisional"), None])),
    )


@st.composite
def procedures(draw: st.DrawFn) -> dict[str, Any]:
    """A lumbar puncture, or a laminectomy, of any status and date."""
    code = draw(st.sampled_from([LUMBAR_PUNCTURE, {"text": "Laminectomy"}]))
    status = draw(st.sampled_from(["completed", "completed", "in-progress", "not-done"]))
    return procedure(code, id=draw(st.uuids()).hex, status=status, performedDateTime=draw(dates()))


CHARTS = st.tuples(st.lists(conditions(), max_size=6), st.lists(procedures(), max_size=3))
ORDERS = st.sampled_from([[order()], [WORK_UP], [order(), WORK_UP], [order(priority="stat")]])


def cards(orders: list[Any], chart: tuple[list[Any], list[Any]]) -> tuple[Card, ...]:
    topic = content()
    found = triage(topic, read_draft_orders(json.dumps(searchset(*orders)).encode(), None))
    if found is None:
        return ()
    sections = {
        name: read_section(
            Section([read_entry(json.dumps(one).encode()) for one in resources]), name, PATIENT, topic.chart, TODAY
        )
        for name, resources in zip(("Condition", "Procedure"), chart, strict=True)
    }
    return evaluate(topic, found, PatientRecord(PATIENT, sections), TODAY)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(loaded().service.value_sets()))
def test_each_code_and_phrase_that_we_know_gets_an_answer(name: str) -> None:
    """As the only problem since a puncture, as the reason of an image and of a puncture, as the order, and as done."""
    day = (TODAY - timedelta(days=9)).isoformat()
    done = procedure(LUMBAR_PUNCTURE, performedDateTime=day)
    for concept in known(name):
        problem = condition(concept, onsetDateTime=day)
        for orders, chart in (
            ([WORK_UP], ([problem], [done])),
            ([order(coded(CPT, "72148"), reasonCode=[concept])], ([], [done])),
            ([order(reasonCode=[concept])], ([problem], [])),
            ([order(concept)], ([], [done])),
            ([WORK_UP], ([], [procedure(concept, id="other", performedDateTime=day), done])),
        ):
            cards(orders, chart)  # raises nothing


def known(name: str) -> list[dict[str, Any]]:
    """Every code of a value set, and every phrase of the lexicon for it."""
    sets = [index.value_sets[name] for index in content().terminologies.values() if name in index.value_sets]
    codes = {
        (system.uri, code) for one in sets for of in (one.codes, one.families) for system in of for code in of[system]
    }
    phrases = {phrase.rstrip("*") for entry in WORDS.concepts if entry.concept == name for phrase in entry.phrases}
    return [*(coded(*code) for code in sorted(codes)), *({"text": phrase} for phrase in sorted(phrases))]


@given(ORDERS, CHARTS, st.randoms(use_true_random=False))
def test_the_order_of_resources_and_of_codings_never_matters(
    orders: list[Any], chart: tuple[list[Any], list[Any]], chance: random.Random
) -> None:
    shuffled = json.loads(json.dumps(chart))
    for resources in shuffled:
        chance.shuffle(resources)
        for resource in resources:
            chance.shuffle(resource["code"].get("coding", []))
    assert cards(orders, chart) == cards(orders, shuffled)


@given(ORDERS, CHARTS, conditions(), st.sampled_from(["refuted", "entered-in-error"]))
def test_a_refuted_condition_never_changes_a_card(
    orders: list[Any], chart: tuple[list[Any], list[Any]], extra: dict[str, Any], status: str
) -> None:
    refuted = extra | {"verificationStatus": coded("x", status)}
    assert cards(orders, ([*chart[0], refuted], chart[1])) == cards(orders, chart)


@given(
    ORDERS,
    CHARTS,
    st.sampled_from(
        [{"resourceType": "Condition"}, {"resourceType": "Condition", "code": {"coding": [{}]}}, [], "x", {}]
    ),
)
def test_an_unreadable_resource_never_changes_a_card_but_its_note(
    orders: list[Any], chart: tuple[list[Any], list[Any]], extra: Any
) -> None:
    before, after = cards(orders, chart), cards(orders, ([*chart[0], extra], chart[1]))
    assert [_told(card) for card in after] == [_told(card) for card in before]
    assert all("unreadable" in card.detail for card in after if card.key not in ("red-flags", "what-to-expect"))


def _told(card: Card) -> Any:
    """A card without its note on what could not be read."""
    kept = [block for block in card.detail.split("\n\n") if not block.startswith("Not checked")]
    return (card.key, card.summary, kept, card.indicator, card.links, card.suggestions, card.provenance)


def flags() -> st.SearchStrategy[dict[str, Any]]:
    """A Condition of a kind of red flag, of any date."""
    sets = dict.fromkeys(flag.value_set for flag in content().service.red_flags)
    picked = [
        (system.uri, sorted(members)[0])
        for name in sets
        for system, members in content().chart.value_sets[name].codes.items()
        if members
    ]
    return st.builds(
        lambda code, onset, recorded, id: condition(
            coded(*code), id=id.hex, onsetDateTime=onset, recordedDate=recorded
        ),
        st.sampled_from(picked),
        dates(),
        dates(),
        st.uuids(),
    )


@given(ORDERS, CHARTS, flags(), st.integers(0, 400))
def test_a_copy_of_an_old_problem_never_raises_a_flag(
    orders: list[Any], chart: tuple[list[Any], list[Any]], flag: dict[str, Any], days_ago: int
) -> None:
    """design.md 5.2: a visit codes an old problem again; a record without an onset only repeats it."""
    old = flag | {"id": "old", "recordedDate": (TODAY - timedelta(days=600)).isoformat()}
    old.pop("onsetDateTime", None)
    copy = old | {"id": "copy", "recordedDate": (TODAY - timedelta(days=days_ago)).isoformat()}
    before = cards(orders, ([*chart[0], old], chart[1]))
    after = cards(orders, ([*chart[0], old, copy], chart[1]))
    assert _urgency(after) >= _urgency(before)


@given(ORDERS, CHARTS, flags(), st.integers(0, 60))
def test_a_new_episode_never_lowers_urgency(
    orders: list[Any], chart: tuple[list[Any], list[Any]], flag: dict[str, Any], days_ago: int
) -> None:
    episode = flag | {"onsetDateTime": (TODAY - timedelta(days=days_ago)).isoformat()}
    episode.pop("recordedDate", None)
    before, after = cards(orders, chart), cards(orders, ([*chart[0], episode], chart[1]))
    assert _urgency(after) <= _urgency(before)


def _urgency(answer: tuple[Card, ...]) -> int:
    return min((INDICATORS.index(card.indicator) for card in answer), default=len(INDICATORS))


@given(ORDERS, CHARTS)
def test_every_answer_is_short_sorted_and_says_where_it_comes_from(
    orders: list[Any], chart: tuple[list[Any], list[Any]]
) -> None:
    """R-4.21, R-4.22; at most three cards, most urgent first; red flags stand alone."""
    answer = cards(orders, chart)
    assert all(0 < len(card.summary) < 140 and "{" not in card.summary + card.detail for card in answer)
    assert [INDICATORS.index(card.indicator) for card in answer] == sorted(
        INDICATORS.index(card.indicator) for card in answer
    )
    assert len(answer) <= 3
    assert len({card.key for card in answer}) == len(answer)
    assert "red-flags" not in {card.key for card in answer} or len(answer) == 1
    ids = {resource["id"] for resources in chart for resource in resources}
    assert all(one.resource.split("/")[1] in ids for card in answer for one in card.provenance)


@given(ORDERS, CHARTS, st.sampled_from(NASTY))
def test_no_card_holds_chart_text(orders: list[Any], chart: tuple[list[Any], list[Any]], words: str) -> None:
    spoiled = json.loads(json.dumps(chart))
    for resources in spoiled:
        for resource in resources:
            for coding in resource["code"].get("coding", []):
                coding["display"] = words
            if "coding" in resource["code"]:
                resource["code"]["text"] = words
    for card in cards(orders, spoiled):
        assert words not in card.summary
        assert words not in card.detail
