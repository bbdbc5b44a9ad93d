"""For any ledger, the parts of a report add up to the whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.topic import Topic
from cds_service.report.ledger_report import LedgerReport
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from tests.cds_service.report.hand_made import NOON, HandMadeLedger

pytestmark = pytest.mark.slow

_ENTRY = st.tuples(
    st.sampled_from(["accepted", "overridden"]),
    st.integers(-200, 1_000_000),
    st.sampled_from([None, "action-completed", "need-more-info", "other"]),
    st.booleans(),
)
_CARD = st.fixed_dictionaries(
    {
        "card": st.sampled_from(["confounders", "what-to-expect", "red-flags"]),
        "client": st.sampled_from(["general", "valley"]),
        "tenant": st.sampled_from(["", "north"]),
        "content_version": st.sampled_from(["v1", "v2", "v3"]),
        "indicator": st.sampled_from(["info", "critical"]),
        "days": st.integers(-20, 20),
        "entries": st.lists(_ENTRY, max_size=3),
    }
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        yield Path(made)


def report_of(cards: list[dict[str, object]], empty: Path, folder: Path, topic: Topic) -> LedgerReport:
    ledger = HandMadeLedger()
    for card in cards:
        given_card = dict(card)
        entries, days = given_card.pop("entries"), given_card.pop("days")
        number = ledger.show(at=NOON + timedelta(days=int(str(days))), suggestions=("refer-spine",), **given_card)  # type: ignore[arg-type]
        for place, (outcome, after_s, reason, foreign) in enumerate(entries):  # type: ignore[arg-type,var-annotated]
            took = int(outcome == "accepted")
            wait = after_s + place / 1000  # no two entries are the same entry
            ledger.answer(number, outcome, after_s=wait, reason=reason, foreign_card=foreign, took=took)
    path = folder / "ledger.sqlite"
    copyfile(empty, path)
    database = Database(parse_database_url(f"sqlite:///{path}"), pool_size=1)
    try:
        return ledger.report(database, topic)
    finally:
        database.close()


@settings(max_examples=40)
@given(cards=st.lists(_CARD, max_size=12))
def test_parts_add_up_to_the_whole(
    cards: list[dict[str, object]], empty_ledger: Path, folder: Path, topic: Topic
) -> None:
    report = report_of(cards, empty_ledger, folder, topic)
    total = report.total
    assert total.issued == sum(-13 <= int(str(card["days"])) <= 17 for card in cards)
    assert total.accepted + total.overridden + total.unanswered == total.issued
    assert total.timed <= total.answered
    for groups in report.groups.values():
        for name in ("issued", "accepted", "overridden", "unanswered", "timed"):
            assert sum(getattr(group.tally, name) for group in groups) == getattr(total, name)
        assert all(group.tally.issued for group in groups)
    assert sum(one.cards for one in report.reasons) == total.overridden
    assert sum(one.cards for one in report.all_reasons()) == total.overridden
    assert sum(one.issued for one in report.versions) == total.issued
    for offer in report.suggestions:
        parts = (offer.taken, offer.accepted_without, offer.overridden, offer.unanswered)
        assert sum(parts) == offer.offered
        assert min(parts) >= 0
    assert sum(offer.offered for offer in report.suggestions) == total.issued
    timing = report.timing
    assert total.timed + timing.too_early + timing.too_late == total.answered
    assert len(report.never_silenced_overrides) == sum(group.tally.overridden for group in report.never_silenced)
