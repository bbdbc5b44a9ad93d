"""Which card to look at first, and what a change of content did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cards.topic import Topic
from cds_service.report.counting.card_counts import VersionTally
from cds_service.report.counting.committee import Change, find_changes, most_overridden, rank_cards
from cds_service.report.counting.tallies import Group, Tally
from tests.cds_service.report.hand_made import NOON, SERVICE, HandMadeLedger
from tests.databases import LiveDatabase

NEVER_SILENCED = {(SERVICE, "red-flags")}


def group(card: str, accepted: int, overridden: int, unanswered: int = 0) -> Group:
    return Group((SERVICE, card), Tally(accepted + overridden + unanswered, accepted, overridden))


@pytest.mark.parametrize(
    ("cards", "order"),
    [
        pytest.param([], [], id="no cards, none to look at"),
        pytest.param([group("few", 0, 19)], [], id="19 answers are too few"),
        pytest.param([group("enough", 0, 20)], ["enough"], id="20 are enough"),
        pytest.param([group("liked", 50, 0)], [], id="never overridden, nothing to look at"),
        pytest.param([group("a", 10, 20), group("b", 10, 40)], ["b", "a"], id="the one overridden more often"),
        pytest.param([group("rare", 0, 25), group("common", 300, 200)], ["common", "rare"], id="volume counts"),
        pytest.param([group("mute", 2, 30, 9_000), group("a", 9, 60)], ["a", "mute"], id="unanswered cards do not"),
        pytest.param([group("red-flags", 0, 500), group("a", 9, 60)], ["a"], id="never silenced, listed apart"),
    ],
)
def test_the_card_to_look_at_first(cards: list[Group], order: list[str]) -> None:
    assert [one.card for one in rank_cards(cards, NEVER_SILENCED)] == order


def test_the_score_is_the_lower_end_of_the_rate_times_the_answers() -> None:
    """Wilson of 81 of 263 begins at 0.2553 (Newcombe 1998a): 67.1 cards."""
    (one,) = rank_cards([group("a", 182, 81)], NEVER_SILENCED)
    assert one.score == pytest.approx(67.1, abs=0.05)


def test_the_most_often_overridden_may_be_another_card() -> None:
    often = most_overridden(rank_cards([group("rare", 0, 25), group("common", 300, 200)], NEVER_SILENCED))
    assert often is not None
    assert often.card == "rare"


def version(name: str, accepted: int, overridden: int, day: int) -> VersionTally:
    first = NOON + timedelta(days=day)
    return VersionTally(
        SERVICE, "a", name, first, first + timedelta(days=1), Tally(accepted + overridden, accepted, overridden)
    )


def change(before: tuple[int, int], after: tuple[int, int]) -> Change:
    (found,) = find_changes([version("v1", *before, day=0), version("v2", *after, day=5)])
    return found


@pytest.mark.parametrize(
    ("before", "after", "verdict", "overlap"),
    [
        pytest.param((20, 80), (80, 20), "fell", False, id="far fewer"),
        pytest.param((80, 20), (20, 80), "rose", False, id="far more"),
        pytest.param((50, 50), (48, 52), "unclear", True, id="about the same"),
        pytest.param((14, 56), (32, 48), "fell", True, id="clearly fewer, though the intervals overlap"),
        pytest.param((0, 19), (80, 20), "too-few", False, id="too few before"),
        pytest.param((80, 20), (0, 19), "too-few", False, id="too few after"),
        pytest.param((0, 0), (80, 20), "too-few", None, id="no answers before"),
    ],
)
def test_what_a_change_of_content_did(
    before: tuple[int, int], after: tuple[int, int], verdict: str, overlap: bool | None
) -> None:
    found = change(before, after)
    assert (found.verdict, found.intervals_overlap, found.side_by_side) == (verdict, overlap, False)


def test_the_difference_is_after_minus_before_with_newcombes_interval() -> None:
    """56 of 70 after 48 of 80: 0.20 (0.0524 to 0.3339), Newcombe 1998b."""
    found = change((32, 48), (14, 56))
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=0.00005)


def test_versions_shown_at_the_same_time_are_said_so() -> None:
    (found,) = find_changes([version("v1", 5, 5, day=0), version("v2", 5, 5, day=0)])
    assert found.side_by_side


def test_versions_follow_each_other_by_when_a_card_was_first_shown(database: LiveDatabase, topic: Topic) -> None:
    """Their names are hashes, and say nothing about their order."""
    ledger = HandMadeLedger()
    for name, day, card in (("zz", 0, "a"), ("mm", 1, "a"), ("aa", 2, "a"), ("mm", 1, "b")):
        ledger.show(card, at=NOON + timedelta(days=day), content_version=name)
    report = ledger.report(database.open(), topic)
    found = [(one.card, one.before.content_version, one.after.content_version) for one in report.changes]
    assert found == [("a", "zz", "mm"), ("a", "mm", "aa")]
