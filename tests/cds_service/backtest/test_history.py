"""What was known from a chart when an order was placed: no look-ahead, and undated entries are reported."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.backtest.rows import Row
from tests.cds_service.backtest.exports import backtest, born, cards_of, of, rows_of, write_export
from tests.charts import CPT, ICD_10_CM, LUMBAR_PUNCTURE, STENOSIS, Json, coded, condition, order, procedure

ORDERED = "2025-06-10T10:00:00Z"
EXPORT_DAY = "2026-01-15T10:00:00Z"
HIDDEN = ["what-to-expect"]
SEEN = ["what-to-expect", "confounders"]


def puncture_order(authored_on: str = ORDERED, **elements: Any) -> Json:
    """An order for a lumbar puncture, as an export has it."""
    return order(id="o1", subject=of("p1"), authoredOn=authored_on, status="completed", **elements)


def stenosis(**elements: Any) -> Json:
    """A finding that adds a card, without any date unless `elements` say one."""
    return condition(STENOSIS, subject=of("p1"), **({"onsetDateTime": None} | elements))


def judged(tmp_path: Path, *resources: Json) -> Row:
    """The row of the one order."""
    return rows_of(write_export(tmp_path, born("p1"), *resources))["ServiceRequest/o1"]


@pytest.mark.parametrize(
    ("dates", "cards"),
    [
        pytest.param({"recordedDate": "2025-06-09"}, SEEN, id="recorded the day before"),
        pytest.param({"recordedDate": "2025-06-11"}, HIDDEN, id="recorded the day after"),
        pytest.param({"recordedDate": "2025-06-10T09:59:00Z"}, SEEN, id="recorded a minute before"),
        pytest.param({"recordedDate": "2025-06-10T10:01:00Z"}, HIDDEN, id="recorded a minute after"),
        pytest.param({"recordedDate": "2025-06-10T06:30:00-05:00"}, HIDDEN, id="after, in another zone"),
        pytest.param({"assertedDate": "2025-06-11"}, HIDDEN, id="asserted after: STU3"),
        pytest.param({"dateRecorded": "2025-06-11"}, HIDDEN, id="recorded after: DSTU2"),
        pytest.param({"onsetDateTime": "2019", "recordedDate": "2025-07-01"}, HIDDEN, id="old, recorded after"),
        pytest.param({"onsetDateTime": "2019"}, SEEN, id="no record date: the onset counts"),
        pytest.param({"onsetDateTime": "2025-07"}, HIDDEN, id="began after"),
        pytest.param({"onsetPeriod": {"start": "2025-07-01"}}, HIDDEN, id="a period after"),
        pytest.param({"onsetPeriod": {"end": "2025-07-01"}}, SEEN, id="a period without a start is undated"),
        pytest.param({"recordedDate": "soon", "onsetDateTime": "2025-07"}, HIDDEN, id="an unreadable record date"),
        pytest.param({"meta": {"lastUpdated": "2025-12-01T00:00:00Z"}}, SEEN, id="a last update says nothing"),
        pytest.param({"recordedDate": "2031-01-01"}, SEEN, id="recorded after the export: a wrong date"),
    ],
)
def test_what_was_recorded_after_the_order_is_hidden(tmp_path: Path, dates: Json, cards: list[str]) -> None:
    assert cards_of(judged(tmp_path, puncture_order(), stenosis(**dates))) == cards


@pytest.mark.parametrize(
    ("dates", "is_undated"),
    [
        pytest.param({}, True, id="no date"),
        pytest.param({"recordedDate": "2025-06-10"}, True, id="the day of the order, without a time"),
        pytest.param({"recordedDate": "2025"}, True, id="the year of the order"),
        pytest.param({"recordedDate": "2024"}, False, id="the year before"),
        pytest.param({"recordedDate": "2031-01-01"}, True, id="after the export"),
    ],
)
def test_what_cannot_be_placed_in_time_is_decided_both_ways(tmp_path: Path, dates: Json, is_undated: bool) -> None:
    resources = (born("p1"), puncture_order(), stenosis(**dates))
    results, summary = backtest(write_export(tmp_path, *resources))
    (row,) = results.rows
    assert cards_of(row) == SEEN
    assert summary.undated.orders_with_undated == summary.undated.orders_changed == is_undated
    if is_undated:
        assert row.without_undated is not None
        assert [card.key for card in row.without_undated.cards] == HIDDEN
        (change,) = summary.undated.changes
        assert change.before == ("what-to-expect (info)",)
        assert change.after == ("what-to-expect (info)", "confounders (info)")


def test_an_order_of_the_day_of_the_export_sees_the_chart_as_it_is(tmp_path: Path) -> None:
    late = stenosis(recordedDate="2026-01-15T12:00:00Z")
    results, _ = backtest(
        write_export(tmp_path, born("p1"), puncture_order(EXPORT_DAY), late),
        last_day=date(2026, 1, 15),
    )
    assert cards_of(results.rows[0]) == SEEN


def test_a_condition_that_the_order_names_was_there(tmp_path: Path) -> None:
    named = puncture_order(reasonReference=[{"reference": "Condition/condition-1"}])
    assert cards_of(judged(tmp_path, named, stenosis(recordedDate="2025-06-11"))) == SEEN


LUMBAGO = coded(ICD_10_CM, "M54.50", "Low back pain")
IMAGE = coded(CPT, "72148")


@pytest.mark.parametrize(
    ("elements", "silence"),
    [
        pytest.param({"performedDateTime": "2025-06-01"}, None, id="performed before"),
        pytest.param({"performedPeriod": {"start": "2025-06-01T08:00:00Z"}}, None, id="a period before"),
        pytest.param({"performedDateTime": "2025-06-20"}, "no-puncture", id="performed after"),
        pytest.param(
            {"performedDateTime": "2025-06-10", "basedOn": [{"reference": "ServiceRequest/o1"}]},
            "no-puncture",
            id="performed on this order, on the same day",
        ),
        pytest.param(
            {"performedDateTime": "2025-06-09", "basedOn": [{"reference": "ServiceRequest/other"}]},
            None,
            id="performed on another order",
        ),
    ],
)
def test_a_procedure_counts_from_the_day_it_was_performed(tmp_path: Path, elements: Json, silence: str | None) -> None:
    image = order(IMAGE, id="o1", subject=of("p1"), authoredOn=ORDERED, status="active", reasonCode=[LUMBAGO])
    performed = procedure(LUMBAR_PUNCTURE, subject=of("p1"), **({"performedDateTime": None} | elements))
    row = judged(tmp_path, image, performed)
    assert (row.answer.silence and row.answer.silence[0]) == silence


def test_a_problem_that_ended_after_the_order_was_not_over_yet(tmp_path: Path) -> None:
    """The status in the export is that of today; the abatement tells that it was another one then."""
    resolved = coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")
    pain = condition(
        LUMBAGO, subject=of("p1"), onsetDateTime="2025-06-03", recordedDate="2025-06-03", clinicalStatus=resolved
    )
    image = order(IMAGE, id="o1", subject=of("p1"), authoredOn=ORDERED, status="active", reasonCode=[])
    performed = procedure(LUMBAR_PUNCTURE, subject=of("p1"), performedDateTime="2025-06-01")
    over = judged(tmp_path / "over", image, performed, pain | {"abatementDateTime": "2025-06-05"})
    later = judged(tmp_path / "later", image, performed, pain | {"abatementDateTime": "2025-09-01"})
    assert [card.card_class for card in later.answer.cards] == ["lingering"]
    assert [card.card_class for card in over.answer.cards] != ["lingering"]
