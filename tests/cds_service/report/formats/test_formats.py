"""Every format of one eventful ledger, of an empty one, and what hostile names do to them: nothing."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from cards.topic import Topic
from cds_service.report.formats.as_csv import as_csv
from cds_service.report.formats.as_html import as_html
from cds_service.report.formats.as_json import as_json
from cds_service.report.formats.as_table import as_table
from cds_service.report.ledger_report import BREAKDOWNS, LedgerReport
from tests.cds_service.report.hand_made import HandMadeLedger, eventful_ledger
from tests.databases import LiveDatabase
from tests.html_page import Page, assert_accessible, assert_fetches_nothing


@pytest.fixture
def report(sqlite_database: LiveDatabase, topic: Topic) -> LedgerReport:
    """Over the eventful ledger."""
    return eventful_ledger().report(sqlite_database.open(), topic)


@pytest.fixture
def empty(sqlite_database: LiveDatabase, topic: Topic) -> LedgerReport:
    """Over a ledger without a row."""
    return HandMadeLedger().report(sqlite_database.open(), topic)


def told(rate: dict[str, Any] | None) -> str:
    """A rate of the JSON as the page writes it."""
    if rate is None:
        return "–"
    words = f"{100 * rate['value']:.1f}% ({100 * rate['low']:.1f} to {100 * rate['high']:.1f})"
    return words + (" *" if rate["too_few"] else "")


def told_tally(row: dict[str, Any]) -> list[str]:
    """A tally of the JSON as the page writes it, but for its median."""
    numbers = [f"{row[name]:,}" for name in ("issued", "accepted", "overridden", "unanswered")]
    of_issued = row["override_rate_of_issued"]
    return [*numbers, told(row["override_rate"]), f"{100 * of_issued['value']:.1f}%" if of_issued else "–"]


def test_html_says_the_numbers_of_the_json(report: LedgerReport) -> None:
    data = json.loads(as_json(report))
    page = Page(as_html(report))
    tables = {
        "Cards by outcome": ("card", ("card",)),
        "Cards by week, from Monday (UTC)": ("week", ("week_start",)),
        "Cards by client": ("client", ("client",)),
        "Cards by tenant": ("tenant", ("client", "tenant")),
        "All cards by content version": ("content-version", ("content_version",)),
    }
    for caption, (breakdown, key) in tables.items():
        rows = [row for row in page.cells[caption][1:] if row[0] != "all"]
        expected = [[*(row[name] or "–" for name in key), *told_tally(row)] for row in data["by"][breakdown]]
        assert [row[:-1] for row in rows] == expected
    reasons = [[one["reason"], f"{one['cards']:,}", told(one["share_of_overridden"])] for one in data["by"]["reason"]]
    assert page.cells["Reasons for overriding"][1:-1] == reasons
    suggestions = page.cells["Suggestions by outcome"][1:]
    names = ("offered", "taken", "accepted_without", "overridden", "unanswered")
    assert [row[:8] for row in suggestions] == [
        [one["card"], one["suggestion"], *(f"{one[name]:,}" for name in names), told(one["taken_rate"])]
        for one in data["by"]["suggestion"]
    ]
    first = data["look_first"]["cards"][0]
    assert page.cells["Cards in the order in which to look at them"][1][0] == first["card"]
    assert f"{100 * data['total']['override_rate']['value']:.1f}%" in page.words
    assert f"{100 * data['calls']['firing_rate']['value']:.1f}%" in page.words
    changes = page.cells["Override rates before and after each change"][1:]
    assert [row[3:5] for row in changes] == [
        [told(one["before"]["override_rate"]), told(one["after"]["override_rate"])] for one in data["changes"]
    ]


@pytest.mark.parametrize("which", ["report", "empty"])
def test_html_is_one_file_that_anybody_can_read(which: str, request: pytest.FixtureRequest) -> None:
    html = as_html(request.getfixturevalue(which))
    assert_fetches_nothing(html)
    assert_accessible(html)


def test_figures_are_well_formed_and_take_their_colors_from_the_page(report: LedgerReport) -> None:
    html = as_html(report)
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) == 4
    known = set(re.findall(r"\.((?:fill|stroke)-\w+) \{", html))
    for drawing in drawings:
        used = {name for classes in re.findall(r'class="([^"]*)"', drawing) for name in classes.split()}
        assert used <= known
        assert "#0" not in re.sub(r'(?:href="|url\()#[^")]+', "", drawing)
        assert ElementTree.fromstring(drawing).tag.endswith("}svg")  # noqa: S314 - our own
        assert "<text" in drawing


def test_the_same_ledger_gives_the_same_bytes(report: LedgerReport) -> None:
    assert as_html(report) == as_html(report)
    assert as_json(report) == as_json(report)


def test_what_a_client_named_stays_text(report: LedgerReport) -> None:
    html = as_html(report)
    assert "<script" not in html
    assert "&lt;script&gt;mute&lt;/script&gt; has never sent any feedback. Cards shown there: 9." in html


def every_format(report: LedgerReport) -> Iterator[str]:
    yield as_json(report)
    yield as_html(report)
    for breakdown in BREAKDOWNS:
        yield as_csv(report, breakdown)
        yield as_table(report, breakdown, 120)


def test_no_format_shows_a_comment(report: LedgerReport) -> None:
    assert not any("nobody may read" in text for text in every_format(report))


def test_the_service_is_named_where_there_are_several(
    report: LedgerReport, sqlite_database: LiveDatabase, topic: Topic
) -> None:
    ledger = HandMadeLedger(cards=5_000)
    ledger.show_many(0, 30, card="watch-out", service="other", content_version="w1")
    several = ledger.report(sqlite_database.open(), topic)
    page = Page(as_html(several))
    assert page.cells["Cards by service"][1][0] == "lumbar-puncture-back-pain"
    rows = page.cells["Cards by outcome"]
    assert (rows[0][:2], ["other", "watch-out"] in [row[:2] for row in rows]) == (["service", "card"], True)
    assert "lumbar-puncture-back-pain / red-flags" in page.words
    assert "other / watch-out" in as_table(several, "card", 160)
    assert "Cards by service" not in as_html(report)
    assert "lumbar-puncture-back-pain /" not in as_html(report) + as_table(report, "card", 160)
    assert json.loads(as_json(several))["services"] == ["lumbar-puncture-back-pain", "other"]


def test_an_empty_ledger_has_every_format(empty: LedgerReport) -> None:
    data = json.loads(as_json(empty))
    assert (data["total"]["issued"], data["total"]["override_rate"], data["calls"]["firing_rate"]) == (0, None, None)
    assert "no card yet" in as_html(empty)
    assert "<svg" not in as_html(empty)
    for breakdown in BREAKDOWNS:
        assert len(as_csv(empty, breakdown).splitlines()) == 1
        assert "No calls were counted" in as_table(empty, breakdown, 120)


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
def test_csv_is_one_table_for_a_spreadsheet(breakdown: str, report: LedgerReport) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(report, breakdown))))
    data = json.loads(as_json(report))["by"][breakdown]
    assert len(rows) == len(data) > 0
    column = "card_overridden" if breakdown == "suggestion" else "overridden_cards"
    counts = "cards" if breakdown == "reason" else "overridden"
    assert [int(row[column]) for row in rows] == [one[counts] for one in data]
    assert all(None not in row and None not in row.values() for row in rows)


@pytest.mark.parametrize(
    ("breakdown", "column", "cell"),
    [
        pytest.param("tenant", "tenant", "'=HYPERLINK(1)", id="a tenant that is a formula"),
        pytest.param("reason", "reason", "'=2+2 (urn:x), not offered by the card", id="a reason that is a formula"),
        pytest.param("reason", "reason_code", "'=2+2", id="a code that is a formula"),
    ],
)
def test_no_cell_of_a_csv_is_computed(breakdown: str, column: str, cell: str, report: LedgerReport) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(report, breakdown))))
    assert cell in [row[column] for row in rows]
    assert not any(text.startswith(("=", "+", "-", "@")) for row in rows for text in row.values())


def test_the_table_answers_a_committee_first(report: LedgerReport) -> None:
    """Calls: 100 of 1,300. Overridden: 28 + 10 + 15 + 1 + 1 = 55 of 40 + 40 + 35 + 1 + 1 + 1 = 118."""
    lines = as_table(report, "card", 160).splitlines()
    assert [line[:35].rstrip() for line in lines[3:9]] == [
        "Firing rate    7.7% (6.4 to 9.3) of",
        "Override rate  46.6% (37.9 to 55.6)",
        "Top reasons    No reason given (53)",
        "By HL7 code    none given (53); =2+",
        "Look first at  what-to-expect: over",
        "Red flags      1 overridden of 1 sh",
    ]


def test_a_terminal_is_not_steered_by_a_name(sqlite_database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    card = ledger.show("confounders", client="evil\x1b[2J", tenant="\x9b31m[bold]")
    ledger.answer(card, "overridden", reason="\x1b]0;owned\x07", foreign_reason=True)
    report = ledger.report(sqlite_database.open(), topic)
    for breakdown in BREAKDOWNS:
        text = as_table(report, breakdown, 120)
        assert all(char.isprintable() or char == "\n" for char in text)
    assert "[bold]" in as_table(report, "tenant", 120)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Unanswered does not mean ignored: EHRs need not send feedback.", id="unanswered is not ignored"),
        pytest.param("<script>mute</script> has never sent any feedback. Cards shown there: 9.", id="mute clients"),
        pytest.param("Days without any call: 1 of 31.", id="days without calls"),
        pytest.param("not issued to that client (general); not in any rate: 1.", id="feedback about other cards"),
        pytest.param("settings of the client or the site, which count as not shown: 1.", id="cards kept quiet"),
    ],
)
def test_terminal_and_page_say_what_to_beware_of(words: str, report: LedgerReport) -> None:
    assert words in Page(as_html(report)).words
    assert words in " ".join(as_table(report, "card", 120).split())


def test_many_reasons_are_summed_up_in_the_page(sqlite_database: LiveDatabase, topic: Topic) -> None:
    """A client may send any code: the page lists twelve, JSON and CSV all."""
    ledger = HandMadeLedger()
    for number in range(40):
        ledger.answer(ledger.show(), "overridden", reason=f"code-{number}", foreign_reason=True)
    report = ledger.report(sqlite_database.open(), topic)
    rows = Page(as_html(report)).cells["Reasons for overriding"]
    assert rows[-2][:2] == ["28 further codes", "28"]
    assert len(as_csv(report, "reason").splitlines()) == 41


def test_only_the_breakdowns_that_are_wanted(report: LedgerReport) -> None:
    assert list(json.loads(as_json(report, ["week", "reason"]))["by"]) == ["week", "reason"]
    html = as_html(report, ["client"])
    assert "Cards by client" in html
    assert "Cards by tenant" not in html
