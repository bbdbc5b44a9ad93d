"""Cards that a site turns off: decided, recorded as not shown, counted; red flags cannot be turned off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from cards.topic import Topic
from cds_service.errors import NotReady
from cds_service.report.counting.counted_apart import Silenced, list_silenced
from cds_service.report.counting.ledger_rows import ledger_snapshot
from cds_service.report.counting.window import Window
from cds_service.settings.cards_off import find_switch_faults, switched_off_cards
from tests.charts import cards_of, condition, hook_call, prefetch
from tests.conftest import NOW

SERVICE_ID = "lumbar-puncture-back-pain"


@pytest.mark.parametrize(
    ("names", "off"),
    [
        pytest.param((), set(), id="none"),
        pytest.param(("confounders", "nerve-symptoms"), {"confounders", "nerve-symptoms"}, id="by card"),
        pytest.param((f"{SERVICE_ID}/confounders",), {"confounders"}, id="by service and card"),
    ],
)
def test_which_cards_are_off(topic: Topic, names: tuple[str, ...], off: set[str]) -> None:
    assert switched_off_cards(names, {SERVICE_ID: topic}) == {(SERVICE_ID, card) for card in off}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("red-flags", "must not name red-flags", id="a card that is always shown"),
        pytest.param(f"{SERVICE_ID}/red-flags", "must not name red-flags", id="the same by its service"),
        pytest.param("red-flag", "did you mean red-flags?", id="a misspelled card"),
        pytest.param("other/confounders", "there is no card 'other/confounders'", id="a card of another service"),
    ],
)
def test_a_start_is_refused(make_app: Callable[..., Flask], topic: Topic, name: str, words: str) -> None:
    assert words in "".join(find_switch_faults((name,), {SERVICE_ID: topic}))
    with pytest.raises(NotReady, match=words):
        make_app(cards_off=(name,))


def test_a_card_that_is_off_is_not_shown_and_counted(make_app: Callable[..., Flask]) -> None:
    app = make_app(cards_off=("confounders",))
    call = hook_call(prefetch=prefetch(condition()))
    assert list(cards_of(app.test_client(), call)) == ["what-to-expect"]
    app.extensions["writer"].flush()
    with ledger_snapshot(app.extensions["database"]) as connection:
        silenced = list_silenced(connection, Window(NOW.date(), NOW.replace(year=NOW.year + 1)))
    assert silenced == (Silenced(SERVICE_ID, "confounders", "switched-off", 1),)
