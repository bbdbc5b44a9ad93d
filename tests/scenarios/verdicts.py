"""The verdict on an answer: right, acceptable, wrong or unsafe, by what the scenario's author wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
EXTENSION = "lumbar-puncture-back-pain"
_SPECIALTIES = {"183521007": "refer-neurology", "183545006": "refer-spine"}
_URGENCY = ("critical", "warning", "info")


class Verdict(StrEnum):
    RIGHT = "right"
    ACCEPTABLE = "acceptable"
    WRONG = "wrong"
    UNSAFE = "unsafe"


@dataclass(frozen=True)
class Answer:
    """What came of a scenario, as far as a verdict asks. `refused`: 412. `indicator`: of the most urgent card."""

    cards: frozenset[str]
    pain_class: str | None
    indicator: str | None
    offers: frozenset[str]
    refused: bool
    summaries: Sequence[str]

    def __str__(self) -> str:
        if self.refused:
            return "412"
        told = [", ".join(sorted(self.cards)) or "silence"]
        told += [str(part) for part in (self.pain_class, self.indicator) if part]
        return " · ".join([*told, *sorted(self.offers)])


def read_answer(status: int, body: Json) -> Answer:
    """The answer to a hook call, 200 or 412."""
    if status == 412:
        return Answer(frozenset(), None, None, frozenset(), True, ())
    assert status == 200, (status, body)
    cards = {card["extension"][EXTENSION]["card"]: card for card in body["cards"]}
    pain = cards.get("pain-after-puncture")
    indicators = [card["indicator"] for card in cards.values()]
    return Answer(
        frozenset(cards),
        pain["extension"][EXTENSION]["class"] if pain else None,
        min(indicators, key=_URGENCY.index) if indicators else None,
        frozenset(_offer(suggestion) for card in cards.values() for suggestion in card.get("suggestions", ())),
        False,
        [card["summary"] for card in cards.values()],
    )


def judge(scenario: Json, answer: Answer) -> Verdict:
    """Unsafe before all else: an answer that is listed as unsafe is never acceptable."""
    if any(_fits(wanted, answer) for wanted in scenario.get("unsafe-if") or ()):
        return Verdict.UNSAFE
    if _fits(scenario["right"], answer):
        return Verdict.RIGHT
    if any(_fits(wanted, answer) for wanted in scenario.get("acceptable") or ()):
        return Verdict.ACCEPTABLE
    return Verdict.WRONG


def _fits(wanted: Json, answer: Answer) -> bool:
    checks = {
        "refused": lambda value: answer.refused == value,
        "cards": lambda value: not answer.refused and answer.cards == frozenset(value),
        "class": lambda value: answer.pain_class == value,
        "indicator": lambda value: answer.indicator == value,
        "offers": lambda value: answer.offers.issuperset(value),
        "flags": lambda value: True,  # names of flags are for the reader
    }
    return all(checks[key](value) for key, value in wanted.items())


def _offer(suggestion: Json) -> str:
    resource = suggestion["actions"][0]["resource"]
    if suggestion["actions"][0]["type"] == "update":
        return "stat-update" if "STAT" in suggestion["label"] else "patient-instruction"
    concept = resource.get("code") or resource.get("type") or {}
    concept = concept.get("concept", concept)
    return _SPECIALTIES[concept["coding"][0]["code"]]
