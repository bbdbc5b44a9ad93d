"""How the evidence for one kind of problem relates in time to an event (design.md 5.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards.fhir.dates import DateRange, Days, exactly, read_date
from cards.fhir.resources import CodeableConcept
from cards.record.chart_entry import ChartEntry, Standing
from cards.record.problem import Evidence, Problem, began_by_duration

TODAY = date(2026, 11, 30)
EVENT = exactly(date(2026, 11, 10))
ENTRY = ChartEntry("Condition", "1", CodeableConcept(text="Back pain"), (), Standing.CURRENT, True, None, None)


def on(text: str | None) -> DateRange | None:
    return read_date(text) if text else None


def seen(
    began: str | None = None,
    recorded: str | None = None,
    *,
    words: str = "",
    over: bool = False,
    ended: str | None = None,
    order: bool = False,
    since_event: bool = False,
) -> Evidence:
    """One piece of evidence; an order at hand is recorded today."""
    recorded = TODAY.isoformat() if order else recorded
    modifiers = frozenset(words.split())
    return Evidence(ENTRY, on(began), on(recorded), on(ended), over, order, since_event, modifiers)


def problem(*evidence: Evidence) -> Problem:
    return Problem(evidence, TODAY, chronic_days=90)


@pytest.mark.parametrize(
    ("evidence", "known", "new"),
    [
        pytest.param([seen("2024-03")], True, False, id="an onset before the event is known before"),
        pytest.param([seen(recorded="2024-03-01")], True, False, id="a record before the event is known before"),
        pytest.param([seen("2026-11-10")], False, True, id="an onset on the day of the event is new"),
        pytest.param([seen("2026-11-09")], True, False, id="an onset on the day before the event is known before"),
        pytest.param([seen(recorded="2026-11-12")], False, True, id="a first record after the event is new"),
        pytest.param([seen("2026-11")], False, False, id="an onset in the month of the event decides nothing"),
        pytest.param([seen()], False, False, id="evidence without a date decides nothing"),
        pytest.param(
            [seen("2024-03"), seen(recorded="2026-11-12")], True, False, id="a later record only repeats an old problem"
        ),
        pytest.param([seen("2024-03"), seen("2026-11-12")], True, True, id="a later onset of its own is a new episode"),
        pytest.param(
            [seen("2024-03", over=True, ended="2025-01-01"), seen(recorded="2026-11-12")],
            False,
            True,
            id="a problem that had ended before the event is not known before",
        ),
        pytest.param(
            [seen("2024-03", over=True, ended="2026-11-20"), seen(recorded="2026-11-25")],
            True,
            False,
            id="a problem that ended after the event was known before",
        ),
        pytest.param(
            [seen("2024-03", over=True), seen(recorded="2026-11-12")],
            False,
            True,
            id="a problem that is over without a date is not known before",
        ),
        pytest.param([seen(order=True)], False, True, id="the reason of an order is new"),
        pytest.param(
            [seen("2024-03"), seen(order=True)], True, False, id="the reason of an order repeats an old problem"
        ),
        pytest.param(
            [seen("2024-03"), seen(order=True, words="worse")], True, True, id="a reason that is worse is new"
        ),
        pytest.param(
            [seen("2024-03"), seen(order=True, words="acute")], True, True, id="a reason that is acute is new"
        ),
        pytest.param(
            [seen("2024-03"), seen(order=True, words="severe")], True, False, id="a reason that is severe is not new"
        ),
        pytest.param(
            [seen("2024-03"), seen("2026-11-25", order=True)], True, True, id="a reason with a duration has an onset"
        ),
        pytest.param(
            [seen("2024-03"), seen(recorded="2026-11-20", since_event=True)],
            True,
            True,
            id="words that say since the procedure are new",
        ),
        pytest.param(
            [seen(recorded="2026-11-20", words="chronic")], True, False, id="chronic soon after began before the event"
        ),
        pytest.param(
            [seen(order=True, words="chronic worse")], True, True, id="chronic and worse is both known and new"
        ),
    ],
)
def test_known_before_and_new_since(evidence: list[Evidence], known: bool, new: bool) -> None:
    found = problem(*evidence)
    assert (bool(found.known_before(EVENT)), bool(found.new_since(EVENT))) == (known, new)


@pytest.mark.parametrize(
    ("evidence", "onset"),
    [
        pytest.param([seen("2026-11-13")], ("2026-11-13", "2026-11-13"), id="the onset of a new episode"),
        pytest.param(
            [seen("2026-11-20"), seen("2026-11-13")], ("2026-11-13", "2026-11-13"), id="the earliest of several"
        ),
        pytest.param(
            [seen(recorded="2026-11-20")], ("2026-11-10", "2026-11-20"), id="a record only: between event and record"
        ),
        pytest.param([seen(since_event=True)], ("2026-11-10", "2026-11-30"), id="words only: between event and today"),
        pytest.param([seen(order=True)], ("2026-11-10", "2026-11-30"), id="a reason only: between event and today"),
        pytest.param(
            [seen("2024"), seen("2026-11-20")],
            ("2026-11-20", "2026-11-20"),
            id="an old onset is not that of the episode",
        ),
    ],
)
def test_onset_of_what_is_new(evidence: list[Evidence], onset: tuple[str, str]) -> None:
    found = problem(*evidence).onset_since(EVENT)
    assert found is not None
    assert (found.first.isoformat(), found.last.isoformat()) == onset


def test_chronic_pain_recorded_long_after_the_event_began_at_least_chronic_days_ago() -> None:
    event = exactly(date(2026, 3, 1))
    onset = problem(seen(order=True, words="chronic")).onset_since(event)
    assert onset == DateRange(date(2026, 3, 1), date(2026, 8, 31), "2026-11-30")


@pytest.mark.parametrize(
    ("evidence", "latest"),
    [
        pytest.param([seen("2026-11-12", "2026-11-20")], "2026-11-20", id="the record"),
        pytest.param([seen("2026-11-12")], "2026-11-12", id="the onset where there is no record"),
        pytest.param([seen("2026-11-12"), seen(recorded="2026-11-15")], "2026-11-15", id="the latest of several"),
        pytest.param([seen("2026-11-12"), seen()], "2026-11-30", id="evidence without a date is of today"),
    ],
)
def test_latest_evidence(evidence: list[Evidence], latest: str) -> None:
    assert problem(*evidence).latest_evidence(evidence).last.isoformat() == latest


@pytest.mark.parametrize(
    ("days", "began"),
    [
        pytest.param(Days(35, 35), ("2026-10-26", "2026-10-26"), id="for five weeks"),
        pytest.param(Days(0, 1), ("2026-11-29", "2026-11-30"), id="since this morning or last night"),
        pytest.param(Days(365, 10**7), ("0001-01-01", "2025-11-30"), id="for years, without end"),
    ],
)
def test_an_onset_by_a_duration(days: Days, began: tuple[str, str]) -> None:
    onset = began_by_duration(days, exactly(TODAY))
    assert (onset.first.isoformat(), onset.last.isoformat()) == began


DAYS = st.integers(-40, 20).map(lambda days: (EVENT.first + timedelta(days=days)).isoformat())
EVIDENCE = st.builds(
    seen,
    st.none() | DAYS,
    st.none() | DAYS,
    words=st.sampled_from(["", "worse", "chronic", "new"]),
    over=st.booleans(),
    order=st.booleans(),
)


@given(st.lists(EVIDENCE, min_size=1, max_size=5), st.integers(0, 4))
def test_a_copy_of_an_old_problem_never_makes_it_new(evidence: list[Evidence], chosen: int) -> None:
    """A visit that codes an old problem again, with the date of the visit as its record."""
    before = problem(*evidence)
    copied = evidence[chosen % len(evidence)]
    if copied not in before.known_before(EVENT) or copied.is_order or before.new_since(EVENT):
        return
    copy = replace(copied, recorded=exactly(TODAY))
    assert problem(*evidence, copy).new_since(EVENT) == ()


@given(st.lists(EVIDENCE, max_size=5), DAYS)
def test_a_new_episode_is_always_new(evidence: list[Evidence], onset: str) -> None:
    episode = seen(onset, onset)
    is_after = episode.began is not None and episode.began.first >= EVENT.last
    assert (episode in problem(*evidence, episode).new_since(EVENT)) == is_after
