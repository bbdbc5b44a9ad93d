"""Silent clients in every format: shown separately, compared, and never among the cards that were shown."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cards.topic import Topic
from cds_service.report.formats.as_csv import as_csv
from cds_service.report.formats.as_html import as_html
from cds_service.report.formats.as_json import as_json
from cds_service.report.formats.as_table import as_table
from cds_service.report.formats.sentences import caveats
from cds_service.report.ledger_report import LedgerReport
from tests.cds_service.report.counting.test_modes import trial
from tests.cds_service.report.formats.test_formats import Page
from tests.cds_service.report.hand_made import HandMadeLedger
from tests.databases import LiveDatabase


@pytest.fixture
def report(sqlite_database: LiveDatabase, topic: Topic) -> LedgerReport:
    ledger = trial()
    ledger.count_calls("2026-10-30", "silent", 1, mode="visible", client="listening")
    return ledger.report(sqlite_database.open(), topic)


def test_the_page_compares_them_and_says_since_when(report: LedgerReport) -> None:
    page = Page(as_html(report))
    assert page.cells["Calls of clients that see cards, and of silent ones"][1:] == [
        ["see cards", "201", "10", "5.0% (2.7 to 8.9)", "191", "0"],
        ["silent", "100", "15", "15.0% (9.3 to 23.3)", "85", "0"],
    ]
    assert page.cells["How often each card came"][1:] == [
        ["confounders", "10", "201", "49.75 (27.25 to 89.14)", "15", "100", "150.00 (93.06 to 232.84)"]
    ]
    assert page.cells["Which clients were silent, and when (days with calls)"][1:] == [
        ["general", "see cards", "since October 14, 2026"],
        ["listening", "see no card", "October 14, 2026"],
        ["listening", "see cards", "since October 30, 2026"],
    ]
    assert "Of silent clients’ calls, 15.0% would have got one" in page.words


def test_the_terminal_says_it_in_three_lines(report: LedgerReport) -> None:
    lines = as_table(report, "card", 160).splitlines()
    assert "Silent clients 15.0% (9.3 to 23.3) of 100 calls would have got a card; nobody saw one" in lines
    assert "Silent         listening October 14, 2026" in lines
    assert "Visible        general since October 14, 2026; listening since October 30, 2026" in lines
    (row,) = (line for line in lines if line.startswith("confounders"))
    assert row.endswith("49.75")


def test_machines_get_both_rates_and_the_days(report: LedgerReport) -> None:
    data = json.loads(as_json(report))
    assert (data["calls"]["cards"], data["calls_of_silent_clients"]["cards"]) == (10, 15)
    assert data["modes"][1] == {
        "client": "listening",
        "mode": "silent",
        "first_day": "2026-10-14",
        "last_day": "2026-10-14",
    }
    (card,) = data["card_firing"]["cards"]
    assert (card["visible"]["whole"], card["silent"]["whole"]) == (201, 100)
    assert data["card_firing"]["since"] == "2026-10-01"
    assert {row["mode"] for row in data["calls_by_client"]} == {"visible", "silent"}
    (row,) = csv.DictReader(io.StringIO(as_csv(report, "card")))
    assert row["firing_rate_of_calls"] == "0.0498"


def test_where_no_client_is_silent_nothing_is_said_of_it(sqlite_database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    ledger.show_many(1, 1)
    ledger.count_calls("2026-10-14", "cards", 2)
    report = ledger.report(sqlite_database.open(), topic)
    assert "ilent" not in Page(as_html(report)).words.replace("never silenced", "")
    assert "Silent" not in as_table(report, "card", 160)


def test_small_numbers_are_explained_once(report: LedgerReport) -> None:
    """Eight answers to ten cards: the rate is marked."""
    for text in (as_table(report, "card", 160), Page(as_html(report)).words):
        assert text.count("too few to judge") == 1
        assert "75.0%" in text
        assert "*" in text


@pytest.mark.parametrize(
    ("hours_later", "is_said"),
    [
        pytest.param(0, True, id="up to now: the latest calls may not be counted yet"),
        pytest.param(24, False, id="a period that is over: all calls are counted"),
    ],
)
def test_calls_that_are_not_counted_yet_are_mentioned(hours_later: int, is_said: bool, report: LedgerReport) -> None:
    made = replace(report, made_at=report.window.until + timedelta(hours=hours_later))
    assert any("the latest calls may be missing" in line for line in caveats(made)) is is_said
