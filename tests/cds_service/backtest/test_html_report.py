"""report.html for a committee: every number is from the summary; it fetches, runs and identifies nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.backtest.content import ContentPlace
from cds_service.backtest.results.html_report import sentences
from cds_service.backtest.results.html_report.page import MOST_LISTED, as_html, write_report
from cds_service.backtest.results.summary import Change, Group, Interruptions, Summary, Undated
from tests.cds_service.backtest.exports import SERVICE_ID, backtest, born, write_export
from tests.content import FILES
from tests.html_page import Page, assert_accessible, assert_fetches_nothing
from tests.places import FIXTURES

NOBODY = Interruptions(0, 0, {}, 0)


@pytest.fixture(scope="module")
def of_fixture(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """The generated export of the repository, compared with content that calls a sore back usual for 60 days."""
    edited = tmp_path_factory.mktemp("content") / "topic"
    shutil.copytree(FILES.folder, edited)
    service = edited / "service.yaml"
    service.write_text(service.read_text("utf-8").replace("  expected-days: 7", "  expected-days: 60"), "utf-8")
    return backtest(FIXTURES / "bulk_export", content=ContentPlace(SERVICE_ID, None, edited))[1]


@pytest.fixture
def of_nothing(tmp_path: Path) -> Summary:
    """An export without an order."""
    return backtest(write_export(tmp_path, born("a")))[1]


@pytest.mark.parametrize("which", ["of_fixture", "of_nothing"])
def test_it_is_one_file_that_anybody_can_read(which: str, request: pytest.FixtureRequest) -> None:
    html = as_html(request.getfixturevalue(which))
    assert_fetches_nothing(html)
    assert_accessible(html)


def test_the_tables_have_the_numbers_of_the_summary(of_fixture: Summary) -> None:
    tables = Page(as_html(of_fixture)).cells
    counts = {row[0]: row[1] for row in tables["Cards"][1:-1]}
    assert counts == {key.replace("-", " "): f"{number:,}" for key, number in of_fixture.cards.items()}
    assert tables["Cards"][-1][1] == str(sum(of_fixture.cards.values()))
    months = [row[1:4] for row in tables["By month"][1:]]
    assert months == [
        [str(group.orders_seen), str(group.orders_ours), str(group.orders_with_cards)]
        for _, group in sorted(of_fixture.by_month.items())
    ]
    silent = {row[0]: int(row[1]) for row in tables["Silent orders by reason"][1:]}
    assert silent == {of_fixture.silent_words[key]: number for key, number in of_fixture.silent.items()}
    assert sum(silent.values()) + of_fixture.orders_with_cards == of_fixture.orders_seen
    unread = [int(row[1]) for row in tables["Not used, by reason"][1:]]
    assert unread == sorted(of_fixture.unread.values(), reverse=True)
    assert sum(int(row[2]) for row in tables["By age of the patient in years"][1:]) == of_fixture.orders_with_cards
    weeks = {
        int(row[0]): int(row[1]) for row in tables["Weeks of a clinician, by the number of interruptions in it"][1:]
    }
    assert weeks == dict(of_fixture.interruptions.by_count)


def test_two_versions_of_the_content_are_compared(of_fixture: Summary) -> None:
    assert of_fixture.against is not None
    assert of_fixture.against.orders_changed > 0
    page = Page(as_html(of_fixture))
    changed = page.cells["Answers that the content changes, the most frequent first"][1:]
    assert sum(int(row[0]) for row in changed) == of_fixture.against.orders_changed
    assert ["1", "pain-after-puncture (expected, info)", "pain-after-puncture (lingering, info)"] in changed
    assert of_fixture.against.content_version in page.words
    assert "What would change" not in Page(as_html(replace(of_fixture, against=None))).words


def test_no_patient_order_or_clinician_is_named(of_fixture: Summary) -> None:
    """By any id or name that the export has."""
    html = as_html(of_fixture)
    names = set()
    for path in (FIXTURES / "bulk_export").glob("*.ndjson"):
        for line in path.read_bytes().splitlines():
            try:
                one = json.loads(line)
            except ValueError:
                continue
            people = (one.get("requester", {}), *one.get("name", [{}]))
            names |= {text for who in people for text in (who.get("display"), who.get("reference"), who.get("family"))}
            names |= {one.get("id"), one.get("birthDate")}
    assert len(names) > 500
    assert not [name for name in names - {None} if name in html]


def test_what_stands_in_an_export_stays_text(of_fixture: Summary) -> None:
    group = Group(9, 1, 1, {"<i>": 1})
    html = as_html(replace(of_fixture, by_category={"<script>alert(1)</script>": group}, unread={"<b>": 1}))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;b&gt;" in html


def test_a_long_list_ends_and_says_how_it_goes_on(of_fixture: Summary) -> None:
    changes = tuple(Change(("a (info)",), (f"b{number} (info)",), 2) for number in range(MOST_LISTED + 3))
    html = as_html(replace(of_fixture, undated=Undated(99, 36, changes)))
    assert "in 3 rarer changes" in html
    assert f"b{MOST_LISTED}" not in html
    categories = {f"kind {number}": Group(9, number, number, {}) for number in range(40)}
    table = f"By order category, the {MOST_LISTED} with the most cards"
    rows = Page(as_html(replace(of_fixture, by_category=categories))).cells[table]
    assert [row[0] for row in rows[1:3]] == ["kind 39", "kind 38"]
    assert len(rows) == 1 + MOST_LISTED


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({}, "Of 5,000 orders placed from January 1, 2025 to December 31, 2025, 4 would have", id="few"),
        pytest.param({}, "about one in 1,250.", id="one in so many"),
        pytest.param({"orders_with_cards": 4000}, "80.0% of them.", id="most"),
        pytest.param({"orders_with_cards": 0}, "None of the 5,000 orders placed", id="none"),
        pytest.param({"orders_seen": 0}, "there is nothing to judge", id="no order"),
    ],
)
def test_the_headline_answers_the_first_question(changed: dict[str, Any], words: str, of_fixture: Summary) -> None:
    summary = replace(of_fixture, **({"orders_seen": 5000, "orders_with_cards": 4} | changed))
    assert words in sentences.headline(summary)
    assert words in Page(as_html(summary)).words


@pytest.mark.parametrize(
    ("weeks", "words"),
    [
        pytest.param(NOBODY, "The export does not say who placed the orders", id="clinicians not known"),
        pytest.param(Interruptions(3, 90, {0: 90}, 0), "None of 3 clinicians would have been interrupted.", id="never"),
        pytest.param(
            Interruptions(3, 1000, {0: 999, 1: 1}, 0),
            "once in 1,000 weeks on average: not at all in 99.9% of the weeks, and once in the worst.",
            id="once a career",
        ),
        pytest.param(
            Interruptions(3, 10, {0: 6, 1: 2, 2: 2}, 0),
            "once in 1.7 weeks on average: not at all in 60.0% of the weeks, and 2 times in the worst.",
            id="often",
        ),
        pytest.param(
            Interruptions(3, 10, {1: 5, 4: 5}, 0), "2.50 times in a week on average: not at all in 0.0%", id="daily"
        ),
    ],
)
def test_the_second_sentence_speaks_of_one_clinician(weeks: Interruptions, words: str, of_fixture: Summary) -> None:
    assert words in sentences.each_clinician(weeks)
    assert words in Page(as_html(replace(of_fixture, interruptions=weeks))).words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({}, "A status is that of the export (January 15, 2026), not that of the day", id="statuses"),
        pytest.param(
            {"orders_from": "Procedure"}, "The export has no orders, so each Procedure stands for", id="no orders"
        ),
        pytest.param({"undated": Undated(0, 0, ())}, "No order depends on an entry without a date.", id="all dated"),
        pytest.param({"undated": Undated(7, 0, ())}, "7 orders met entries", id="some undated"),
        pytest.param({"undated": Undated(1, 0, ())}, "One order met entries", id="one undated"),
        pytest.param({"undated": Undated(7, 0, ())}, "the answer was always the same.", id="undated do not matter"),
        pytest.param(
            {"undated": Undated(7, 2, ())}, "in 2 of them the answer differs; all numbers", id="undated matter"
        ),
        pytest.param(
            {"cards_off": ("confounders",)}, "Turned off at this site, and so not counted: confounders.", id="off"
        ),
        pytest.param(
            {"interruptions": Interruptions(1, 1, {1: 1}, 5)}, "are in no clinician’s week: 5.", id="no requester"
        ),
    ],
)
def test_the_limits_are_told_first(changed: dict[str, Any], words: str, of_fixture: Summary) -> None:
    assert words in Page(as_html(replace(of_fixture, **changed))).words


def test_a_resource_type_that_is_missing_is_named(of_fixture: Summary) -> None:
    export = replace(of_fixture.export, missing_types=("Procedure",), exported_on=date(2026, 2, 1))
    assert "The export has no Procedure." in Page(as_html(replace(of_fixture, export=export))).words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (0.004, "under 0.01"), (0.0149, "0.01"), (3.14159, "3.14"), (31.4159, "31.4"), (1234.5, "1,234")],
)
def test_a_rate_has_as_many_digits_as_mean_something(number: float, words: str) -> None:
    assert sentences.rate(number) == words


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0.0%"), (0.0001, "under 0.1%"), (0.5, "50.0%"), (0.99999, "over 99.9%"), (1, "100.0%")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, words: str) -> None:
    assert sentences.percent(share) == words


def test_only_its_owner_may_read_it(of_fixture: Summary, tmp_path: Path) -> None:
    write_report(of_fixture, tmp_path)
    assert (tmp_path / "report.html").stat().st_mode & 0o077 == 0
