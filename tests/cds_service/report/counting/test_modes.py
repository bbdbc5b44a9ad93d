"""Visible and silent clients: no rate mixes them, and the report says since when each is silent."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cards.topic import Topic
from cds_service.report.counting.calls import ModeSpan
from cds_service.report.ledger_report import LedgerReport
from tests.cds_service.report.hand_made import NOON, SERVICE, HandMadeLedger
from tests.databases import LiveDatabase

DAY = "2026-10-14"


def trial() -> HandMadeLedger:
    """One hospital that sees cards, and one that listens; the latter's cards would come twice as often."""
    ledger = HandMadeLedger()
    ledger.show_many(2, 6, 2, card="confounders")
    for _ in range(15):
        ledger.silence("confounders", "silent-client", client="listening")
    ledger.silence("confounders", "quiet-period", client="listening")
    for mode, client, cards, none_due in (("visible", "general", 10, 190), ("silent", "listening", 15, 85)):
        ledger.count_calls(DAY, "cards", cards, mode=mode, client=client)
        ledger.count_calls(DAY, "silent", none_due, mode=mode, client=client)
    return ledger


def rates(report: LedgerReport) -> list[tuple[int, int] | None]:
    """Part and whole of the firing rate of the card on findings, of visible and of silent clients."""
    firing = report.firing(SERVICE, "confounders")
    return [(rate.part, rate.whole) if rate else None for rate in (firing.visible, firing.silent)]


def test_no_rate_mixes_silent_and_visible(database: LiveDatabase, topic: Topic) -> None:
    report = trial().report(database.open(), topic)
    assert (report.calls.cards, report.calls.answered) == (10, 200)
    assert (report.silent_calls.cards, report.silent_calls.answered) == (15, 100)
    assert (report.total.issued, report.total.overridden) == (10, 6)
    assert rates(report) == [(10, 200), (15, 100)]
    assert {client: calls.answered for (client, *_), calls in report.calls_by_client.items()} == {
        "general": 200,
        "listening": 100,
    }
    assert {(row.cause, row.cards) for row in report.silenced} == {("silent-client", 15), ("quiet-period", 1)}


def test_the_rate_of_a_card_is_of_the_calls_of_its_service(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    ledger.show_many(0, 0, 5, card="confounders")
    ledger.show_many(0, 0, 5, card="confounders", service="headache")
    ledger.count_calls(DAY, "cards", 5)
    ledger.count_calls(DAY, "silent", 45)
    ledger.count_calls(DAY, "cards", 20, service="headache")
    ledger.count_calls(DAY, "refused", 99, service="headache")
    report = ledger.report(database.open(), topic)
    assert rates(report) == [(5, 50), None]
    other = report.firing("headache", "confounders").visible
    assert other is not None
    assert (other.part, other.whole) == (5, 20)


def test_days_with_calls_of_unknown_services_are_left_out_of_the_rate_of_a_card(
    database: LiveDatabase, topic: Topic
) -> None:
    """On the day of the upgrade some calls were counted either way."""
    ledger = HandMadeLedger()
    for day, cards in ((13, 7), (14, 3), (15, 2)):
        ledger.show_many(0, 0, cards, at=NOON.replace(day=day))
    ledger.count_calls("2026-10-13", "cards", 7, service="")
    ledger.count_calls("2026-10-14", "cards", 1, service="")
    ledger.count_calls("2026-10-14", "cards", 2)
    ledger.count_calls("2026-10-15", "cards", 2)
    ledger.count_calls("2026-10-15", "silent", 18)
    report = ledger.report(database.open(), topic)
    assert report.services_counted_since == date(2026, 10, 15)
    assert rates(report) == [(2, 20), None]
    assert (report.calls.cards, report.calls.answered) == (12, 30)


def test_where_services_were_never_counted_no_card_has_a_rate(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    ledger.show_many(0, 0, 2)
    ledger.count_calls("2026-10-31", "cards", 2, service="")
    report = ledger.report(database.open(), topic)
    assert rates(report) == [None, None]
    assert report.calls.firing is not None


@pytest.mark.parametrize(
    ("modes", "spans"),
    [
        pytest.param("sss", [("silent", 1, 3)], id="silent all along"),
        pytest.param("s.s", [("silent", 1, 3)], id="a day without a call ends nothing"),
        pytest.param("ssvv", [("silent", 1, 2), ("visible", 3, 4)], id="gone live"),
        pytest.param("sbv", [("silent", 1, 2), ("visible", 2, 3)], id="gone live in the middle of a day"),
        pytest.param("svs", [("silent", 1, 1), ("visible", 2, 2), ("silent", 3, 3)], id="taken back"),
        pytest.param("vbv", [("visible", 1, 3), ("silent", 2, 2)], id="silent for some hours"),
    ],
)
def test_since_when_a_client_was_silent(
    modes: str, spans: list[tuple[str, int, int]], sqlite_database: LiveDatabase, topic: Topic
) -> None:
    """By day: s for silent, v for visible, b for both, and a dot for a day without a call. Before the period, too."""
    ledger = HandMadeLedger()
    first = date(2026, 8, 1)
    for number, mode in enumerate(modes):
        for name in {"s": ["silent"], "v": ["visible"], "b": ["visible", "silent"], ".": []}[mode]:
            ledger.count_calls((first + timedelta(days=number)).isoformat(), "silent", 1, mode=name)
    report = ledger.report(sqlite_database.open(), topic)
    assert [span._replace(goes_on=False) for span in report.mode_spans] == [
        ModeSpan("general", mode, first + timedelta(days=begin - 1), first + timedelta(days=end - 1))
        for mode, begin, end in spans
    ]
    assert {span.mode for span in report.mode_spans if span.goes_on} == {"s": {"silent"}, "v": {"visible"}}[modes[-1]]
    assert report.has_silent_clients


def test_calls_of_before_were_of_visible_clients(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    ledger.count_calls("2026-10-01", "silent", 1, service="")
    ledger.count_calls("2026-10-02", "silent", 1)
    report = ledger.report(database.open(), topic)
    assert report.mode_spans == (ModeSpan("general", "visible", date(2026, 10, 1), date(2026, 10, 2), True),)
    assert not report.has_silent_clients
