"""Small ledgers with answers worked out by hand, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection

from cards.topic import Topic
from cds_service.report.counting import ledger_rows
from cds_service.report.counting.card_answers import list_suggestions
from cds_service.report.counting.card_counts import count_all
from cds_service.report.counting.cards import CountedCards, count_cards
from cds_service.report.counting.ledger_rows import ledger_snapshot
from cds_service.report.counting.tallies import Tally
from tests.cds_service.report.hand_made import NOON, OCTOBER, REASONS, SERVICE, HandMadeLedger, eventful_ledger, uuid
from tests.databases import LiveDatabase

Entry = tuple[str, float]


@pytest.mark.parametrize(
    ("entries", "outcome", "median_s"),
    [
        pytest.param([], "unanswered", None, id="no feedback is no answer"),
        pytest.param([("accepted", 30)], "accepted", 30.0, id="accepted"),
        pytest.param([("overridden", 30)], "overridden", 30.0, id="overridden"),
        pytest.param([("overridden", 30), ("overridden", 50)], "overridden", 30.0, id="overridden twice, by the first"),
        pytest.param([("overridden", 30), ("accepted", 50)], "accepted", 30.0, id="overridden, then accepted"),
        pytest.param([("accepted", 30), ("overridden", 50)], "accepted", 30.0, id="accepted, then overridden"),
        pytest.param([("accepted", -60)], "accepted", 0.0, id="a clock a minute early counts as at once"),
        pytest.param([("accepted", -60.001)], "accepted", None, id="a clock more than a minute early is left out"),
        pytest.param([("accepted", 604_800)], "accepted", 604_800.0, id="seven days are believed"),
        pytest.param([("accepted", 604_800.001)], "accepted", None, id="more than seven days are left out"),
        pytest.param([("accepted", 40 * 86_400)], "accepted", None, id="feedback after the window still counts"),
    ],
)
def test_what_became_of_a_card(
    entries: Sequence[Entry], outcome: str, median_s: float | None, database: LiveDatabase, topic: Topic
) -> None:
    ledger = HandMadeLedger()
    card = ledger.show()
    for what, after_s in entries:
        ledger.answer(card, what, after_s=after_s)
    report = ledger.report(database.open(), topic)
    expected = Tally(
        issued=1,
        accepted=int(outcome == "accepted"),
        overridden=int(outcome == "overridden"),
        timed=int(median_s is not None),
        median_action_s=median_s,
    )
    assert report.total == expected
    assert [group.tally for groups in report.groups.values() for group in groups] == [expected] * 6


@pytest.mark.parametrize(
    ("waits_s", "median_s"),
    [
        pytest.param([5], 5.0, id="of one"),
        pytest.param([5, 8], 6.5, id="of two, between them"),
        pytest.param([9, 1, 5], 5.0, id="of three, the middle one"),
        pytest.param([1, 100, 3, 4], 3.5, id="of four"),
        pytest.param([2, 2, 2, 90], 2.0, id="of equal ones"),
        pytest.param([4, -900, 700_000], 4.0, id="of those that can be believed"),
    ],
)
def test_median_time_to_action(waits_s: Sequence[float], median_s: float, database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    for wait in waits_s:
        ledger.answer(ledger.show(), "accepted", after_s=wait)
    report = ledger.report(database.open(), topic)
    assert report.total.median_action_s == median_s
    assert report.groups["tenant"][0].tally.median_action_s == median_s


def test_clocks_and_changes_of_mind_are_counted(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    for wait in (-3600, -61, -30, -1, 0, 5, 700_000):
        ledger.answer(ledger.show(), "accepted", after_s=wait)
    torn = ledger.show()
    ledger.answer(torn, "overridden")
    ledger.answer(torn, "accepted", after_s=20)
    timing = ledger.report(database.open(), topic).timing
    assert (timing.too_early, timing.at_once, timing.too_late, timing.changed) == (2, 2, 1, 1)


@pytest.mark.parametrize(
    ("issued_at", "counts"),
    [
        pytest.param(datetime(2026, 9, 30, 23, 59, 59, 999_000, UTC), False, id="the last moment before"),
        pytest.param(datetime(2026, 10, 1, tzinfo=UTC), True, id="the first moment"),
        pytest.param(datetime(2026, 10, 31, 23, 59, 59, 999_000, UTC), True, id="the last moment"),
        pytest.param(datetime(2026, 11, 1, tzinfo=UTC), False, id="the first moment after"),
    ],
)
def test_a_card_belongs_to_the_window_in_which_it_was_shown(
    issued_at: datetime, counts: bool, database: LiveDatabase, topic: Topic
) -> None:
    ledger = HandMadeLedger()
    card = ledger.show(at=issued_at, suggestions=("refer-spine",))
    ledger.answer(card, "overridden", reason="need-more-info")
    report = ledger.report(database.open(), topic)
    assert (report.total.issued, len(report.suggestions), len(report.reasons)) == (counts, counts, counts)


def test_breakdowns_by_week_client_tenant_and_version(database: LiveDatabase, topic: Topic) -> None:
    """14 October 2026 is a Wednesday: Monday is the 12th; Sunday the 18th still belongs to it, Monday the 19th not."""
    ledger = HandMadeLedger()
    ledger.show()
    ledger.show(at=datetime(2026, 10, 18, 23, 59, tzinfo=UTC), client="valley", tenant="north")
    ledger.show(at=datetime(2026, 10, 19, tzinfo=UTC), client="valley", tenant="south", content_version="v2")
    report = ledger.report(database.open(), topic)
    found = {name: {group.key: group.tally.issued for group in groups} for name, groups in report.groups.items()}
    assert found == {
        "service": {(SERVICE,): 3},
        "card": {(SERVICE, "confounders"): 3},
        "week": {("2026-10-12",): 2, ("2026-10-19",): 1},
        "client": {("general",): 1, ("valley",): 2},
        "tenant": {("general", ""): 1, ("valley", "north"): 1, ("valley", "south"): 1},
        "content-version": {(SERVICE, "v1"): 2, (SERVICE, "v2"): 1},
    }
    assert [(one.content_version, one.issued) for one in report.versions] == [("v1", 2), ("v2", 1)]


def test_each_overridden_card_counts_under_one_reason(database: LiveDatabase, topic: Topic) -> None:
    """The latest that was given; an override without a reason does not take one back; accepted cards have none."""
    ledger = HandMadeLedger()
    once, twice, silent, foreign, accepted = (ledger.show() for _ in range(5))
    ledger.answer(once, "overridden", reason="action-completed")
    ledger.answer(twice, "overridden", reason="need-more-info")
    ledger.answer(twice, "overridden", after_s=20, reason="action-completed")
    ledger.answer(twice, "overridden", after_s=30)
    ledger.answer(silent, "overridden")
    ledger.answer(foreign, "overridden", reason="action-completed", foreign_reason=True)
    ledger.answer(accepted, "overridden", reason="need-more-info")
    ledger.answer(accepted, "accepted", after_s=20)
    report = ledger.report(database.open(), topic)
    assert {report.words.reason(one): one.cards for one in report.all_reasons()} == {
        "Recommended action was already completed": 2,
        "No reason given": 1,
        f"action-completed ({REASONS}), not offered by the card": 1,
    }
    assert report.total.overridden == sum(one.cards for one in report.reasons) == 4


def test_what_became_of_each_suggestion(database: LiveDatabase, topic: Topic) -> None:
    """Taken twice is taken once; taken by an entry that is not ours is not taken."""
    ledger = HandMadeLedger()
    offers = ("refer-neurology", "refer-spine")
    took_first, took_none, overrode, unanswered, not_ours = (ledger.show(suggestions=offers) for _ in range(5))
    ledger.answer(took_first, "accepted", took=1)
    ledger.answer(took_first, "accepted", after_s=20, took=1)
    ledger.answer(took_none, "accepted")
    ledger.answer(overrode, "overridden")
    ledger.answer(not_ours, "accepted", took=2, foreign_card=True, client="other")
    assert unanswered
    found = {one.suggestion: one for one in ledger.report(database.open(), topic).suggestions}
    parts = ("offered", "taken", "accepted_without", "overridden", "unanswered")
    assert [getattr(found["refer-neurology"], name) for name in parts] == [5, 1, 1, 1, 2]
    assert [getattr(found["refer-spine"], name) for name in parts] == [5, 0, 2, 1, 2]


def test_feedback_only_about_cards_that_are_not_ours_enters_no_rate(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    card = ledger.show()
    ledger.answer(card, "overridden", foreign_card=True, client="other", reason="need-more-info")
    ledger.answer(700, "accepted", foreign_card=True, client="other", took=1)
    report = ledger.report(database.open(), topic)
    assert report.total == Tally(issued=1)
    assert (report.reasons, report.total.overridden_of_answered) == ((), None)
    assert [(one.client, one.cards, one.suggestions) for one in report.foreign] == [("other", 2, 0)]


def test_a_client_that_never_sent_feedback_is_named(database: LiveDatabase, topic: Topic) -> None:
    """Feedback of any time, about any card, shows that a client can send it."""
    ledger = HandMadeLedger()
    ledger.show(client="mute")
    ledger.show(client="mute")
    ledger.show(client="once heard")
    ledger.answer(600, "accepted", client="once heard", after_s=-90 * 86_400)
    ledger.answer(ledger.show(), "accepted")
    report = ledger.report(database.open(), topic)
    assert [(one.client, one.issued) for one in report.mute_clients] == [("mute", 2)]


def test_firing_rate_is_of_answered_calls_of_the_window(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    ledger.count_calls("2026-10-01", "cards", 3)
    ledger.count_calls("2026-10-01", "silent", 90)
    ledger.count_calls("2026-10-31", "quiet", 7)
    ledger.count_calls("2026-10-31", "refused", 5)
    ledger.count_calls("2026-09-30", "cards", 1000)
    ledger.count_calls("2026-11-01", "cards", 1000)
    ledger.count_calls("2026-10-02", "silent", 10, client="valley", hook="order-select")
    report = ledger.report(database.open(), topic)
    assert report.calls.firing is not None
    assert (report.calls.firing.part, report.calls.firing.whole, report.calls.refused) == (3, 110, 5)
    assert report.days_called == {date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 31)}
    by_client = {(client, hook): calls.answered for (client, _, hook, _), calls in report.calls_by_client.items()}
    assert by_client == {("general", "order-sign"): 100, ("valley", "order-select"): 10}


def test_silenced_cards_are_counted_apart(database: LiveDatabase, topic: Topic) -> None:
    ledger = HandMadeLedger()
    ledger.silence("confounders", "quiet-period")
    ledger.silence("confounders", "quiet-period")
    ledger.silence("confounders", "max-cards")
    ledger.silence("confounders", "max-cards", at=NOON - timedelta(days=60))
    report = ledger.report(database.open(), topic)
    assert [(one.card, one.cause, one.cards) for one in report.silenced] == [
        ("confounders", "max-cards", 1),
        ("confounders", "quiet-period", 2),
    ]
    assert report.total.issued == 0


def test_cards_never_silenced_are_listed_one_by_one_and_are_no_candidate(database: LiveDatabase, topic: Topic) -> None:
    """As the topic says, or by their urgency; twenty at most, the latest first."""
    ledger = HandMadeLedger()
    for number in range(30):
        card = ledger.show("red-flags", indicator="warning", at=NOON + timedelta(minutes=number))
        ledger.answer(card, "overridden", reason="need-more-info", after_s=3600)
    critical = ledger.show("other", indicator="critical", at=NOON + timedelta(days=1))
    ledger.answer(critical, "overridden", after_s=90_000)
    report = ledger.report(database.open(), topic)
    assert [(group.key, group.tally.overridden) for group in report.never_silenced] == [
        ((SERVICE, "other", "critical"), 1),
        ((SERVICE, "red-flags", "warning"), 30),
    ]
    assert len(report.never_silenced_overrides) == 20
    assert report.never_silenced_overrides[0].card_uuid == uuid(critical)
    assert report.never_silenced_overrides[1].issued_at == NOON + timedelta(minutes=29)
    assert report.candidates == ()


def test_cards_of_another_service_are_told_apart(database: LiveDatabase, topic: Topic) -> None:
    """A card of the same key, and one that the other topic may silence: here of a service that is no longer served."""
    ledger = HandMadeLedger()
    for service, answers in ((SERVICE, (9, 20)), ("other", (0, 30))):
        ledger.show_many(*answers, card="confounders", service=service, content_version=f"{service}-v1")
    for service in (SERVICE, "other"):
        card = ledger.show("red-flags", service=service, suggestions=("refer-spine",))
        ledger.answer(card, "overridden", reason="need-more-info")
    ledger.silence("confounders", "max-cards", service="other")
    report = ledger.report(database.open(), topic)
    assert report.services == (SERVICE, "other")
    issued = {group.key: group.tally.issued for group in report.groups["card"]}
    assert issued == {
        (SERVICE, "confounders"): 29,
        (SERVICE, "red-flags"): 1,
        ("other", "confounders"): 30,
        ("other", "red-flags"): 1,
    }
    assert [group.key for group in report.never_silenced] == [(SERVICE, "red-flags", "info")]
    assert [one.service for one in report.never_silenced_overrides] == [SERVICE]
    assert [report.card_name(one) for one in report.candidates] == ["other / confounders", f"{SERVICE} / confounders"]
    assert {(one.service, one.suggestion) for one in report.suggestions} == {
        (SERVICE, "refer-spine"),
        ("other", "refer-spine"),
    }
    assert {(one.service, one.card, one.code) for one in report.reasons if one.code} == {
        (SERVICE, "red-flags", "need-more-info"),
        ("other", "red-flags", "need-more-info"),
    }
    assert [(one.service, one.card) for one in report.silenced] == [("other", "confounders")]
    assert report.changes == ()


def test_an_empty_ledger_has_an_empty_report(database: LiveDatabase, topic: Topic) -> None:
    report = HandMadeLedger().report(database.open(), topic)
    assert report.total == Tally()
    assert not any(report.groups.values())
    assert (report.calls.firing, report.candidates, report.changes, report.versions) == (None, (), (), ())


def test_a_report_leaves_the_ledger_as_it_was(database: LiveDatabase, topic: Topic) -> None:
    """Two in a row, over one connection."""
    ledger = HandMadeLedger()
    ledger.show_many(1, 2, 3)
    opened = database.open(pool_size=1)
    first = ledger.report(opened, topic)
    assert HandMadeLedger().report(opened, topic) == first


def test_a_report_keeps_no_writer_waiting_and_sees_one_moment(database: LiveDatabase) -> None:
    ledger = HandMadeLedger()
    ledger.show_many(0, 0, 2)
    ledger.write(database.open())
    with ledger_snapshot(database.open()) as connection:
        assert count_all(counted(connection).cells) == Tally(issued=2)
        late = HandMadeLedger(cards=10)
        late.answer(1, "accepted")
        late.show_many(0, 0, 5)
        late.write(database.opened[0])
        assert count_all(counted(connection).cells) == Tally(issued=2)
        assert list_suggestions(counted(connection)) == ()
    with ledger_snapshot(database.opened[1]) as connection:
        assert count_all(counted(connection).cells).issued == 7


def counted(connection: Connection) -> CountedCards:
    return count_cards(connection, OCTOBER, (), with_suggestions=True)


@pytest.mark.parametrize("most_cards", [pytest.param(1, id="one card each"), pytest.param(20, id="several")])
def test_a_report_read_in_slices_is_the_same(
    most_cards: int, database: LiveDatabase, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice is then the smaller part of the ledger, so that the database joins. Some cards are of one moment."""
    ledger = eventful_ledger()
    for hour in range(30):
        card = ledger.show("confounders", at=NOON + timedelta(hours=hour), suggestions=("refer-spine",))
        ledger.answer(card, "overridden", after_s=3600 * hour + 9, reason="need-more-info")
        if hour % 2:
            ledger.answer(card, "accepted", after_s=3600 * hour + 20, took=1)
    whole = ledger.report(database.open(), topic)
    monkeypatch.setattr(ledger_rows, "MOST_CARDS", most_cards)
    assert HandMadeLedger().report(database.opened[0], topic) == whole
