"""Which lines of an export are orders of the period, which of them are ours, and how the others are counted."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.cds_service.backtest.exports import backtest, born, cards_of, of, write_export, write_lines
from tests.charts import ASTHMA, CPT, ICD_10_CM, LUMBAR_PUNCTURE, STENOSIS, Json, coded, condition, order, procedure

LUMBAGO = coded(ICD_10_CM, "M54.50", "Low back pain")
PUNCTURED = procedure(LUMBAR_PUNCTURE, id="lp", subject=of("p1"), performedDateTime="2025-05-01")


def placed(code: Json | None = None, **elements: Any) -> Json:
    """An order of the period as an export has it: the order is done by now."""
    return order(
        code, **({"id": "o1", "status": "completed", "subject": of("p1"), "authoredOn": "2025-06-01"} | elements)
    )


@pytest.mark.parametrize(
    ("elements", "is_seen"),
    [
        pytest.param({"authoredOn": "2025-01-01"}, True, id="the first day"),
        pytest.param({"authoredOn": "2024-12-31"}, False, id="the day before"),
        pytest.param({"authoredOn": "2025-12-31T23:59:59Z"}, True, id="the last second"),
        pytest.param({"authoredOn": "2026-01-01T00:00:00Z"}, False, id="the second after"),
        pytest.param({"authoredOn": "2024-12-31T22:00:00-05:00"}, True, id="the first day in UTC alone"),
        pytest.param({"authoredOn": "2025-12-31T22:00:00-05:00"}, False, id="the last day in its zone alone"),
        pytest.param({"authoredOn": "2025-06-01T10:00"}, True, id="a time without a zone"),
        pytest.param({"status": "revoked"}, True, id="revoked later"),
        pytest.param({"status": "active", "intent": "original-order"}, True, id="an original order"),
        pytest.param(
            {"subject": {"reference": "https://ehr.example.org/fhir/Patient/p1"}}, True, id="an absolute subject"
        ),
        pytest.param({"subject": {"reference": "urn:uuid:p1"}}, True, id="a subject by its UUID"),
        pytest.param({"subject": [of("p1")]}, True, id="a list of one subject"),
    ],
)
def test_orders_of_the_period_are_judged(tmp_path: Path, elements: Json, is_seen: bool) -> None:
    _, summary = backtest(write_export(tmp_path, born("p1"), placed(**elements)))
    assert (summary.orders_seen, summary.orders_with_cards) == (is_seen, is_seen)
    assert not summary.unread


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"status": "draft"}, id="a draft"),
        pytest.param({"status": "entered-in-error"}, id="entered in error"),
        pytest.param({"doNotPerform": True}, id="not to be done"),
        pytest.param({"intent": "plan"}, id="a plan"),
        pytest.param({"intent": "filler-order"}, id="part of another order"),
    ],
)
def test_what_was_never_placed_is_silent_for_that_reason(tmp_path: Path, elements: Json) -> None:
    _, summary = backtest(write_export(tmp_path, born("p1"), placed(**elements)))
    assert summary.silent == {"order-not-placed": 1}
    assert summary.orders_ours == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(placed(authoredOn=None), "order-without-date", id="no date"),
        pytest.param(placed(authoredOn="2025-06"), "order-without-date", id="a month"),
        pytest.param(placed(authoredOn="2025-06-31"), "order-without-date", id="a day that does not exist"),
        pytest.param(placed(subject=None), "order-without-patient", id="no patient"),
        pytest.param(placed(subject={"reference": "Group/1"}), "order-without-patient", id="a group"),
        pytest.param(placed() | {"id": None}, "order-without-id", id="no id"),
        pytest.param({"resourceType": "Observation"}, "line-of-another-type", id="another type"),
        pytest.param("<html>", "line-not-json", id="an error page"),
        pytest.param('{"resourceType":"ServiceRequest","id":}', "line-not-json", id="broken JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_counted_by_reason(tmp_path: Path, line: Json | str, reason: str) -> None:
    folder = write_export(tmp_path, born("p1"))
    write_lines(folder / "ServiceRequest.ndjson", placed(id="good"), line)
    _, summary = backtest(folder)
    assert summary.unread == {reason: 1}
    assert summary.orders_seen == summary.orders_with_cards == 1


def test_an_order_that_stands_twice_counts_once(tmp_path: Path) -> None:
    _, summary = backtest(write_export(tmp_path, born("p1"), placed(), placed()))
    assert (summary.orders_seen, summary.orders_ours) == (1, 1)
    assert summary.unread == {"order-twice": 1}
    assert sum(summary.silent.values()) + summary.orders_with_cards == summary.orders_seen


def test_orders_of_stu3(tmp_path: Path) -> None:
    request = placed(resourceType="ProcedureRequest", requester={"agent": {"reference": "Practitioner/1"}})
    results, summary = backtest(write_export(tmp_path, born("p1"), request))
    assert [row.order for row in results.rows] == ["ProcedureRequest/o1"]
    assert summary.interruptions.clinicians == 1
    assert summary.interruptions.by_count == {1: 1}


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param({"reasonReference": [{"reference": "Condition/why"}]}, id="by reference"),
        pytest.param({"reasonReference": [{"reference": "https://ehr.example.org/fhir/Condition/why"}]}, id="absolute"),
        pytest.param({"reasonCode": [LUMBAGO]}, id="in the order"),
        pytest.param({"note": [{"text": "new low back pain since LP"}]}, id="in a note"),
        pytest.param(
            {
                "contained": [{"resourceType": "Condition", "id": "c", "code": LUMBAGO}],
                "reasonReference": [{"reference": "#c"}],
            },
            id="contained",
        ),
    ],
)
def test_an_order_that_is_ours_by_its_reason_is_found(tmp_path: Path, reason: Json) -> None:
    why = condition(LUMBAGO, id="why", subject=of("p1"), onsetDateTime="2025-05-03")
    other = condition(ASTHMA, id="other", subject=of("p1"))
    folder = write_export(
        tmp_path,
        born("p1"),
        PUNCTURED,
        why,
        other,
        placed(ASTHMA, **reason),
        placed(ASTHMA, id="o2", reasonReference=[{"reference": "Condition/other"}]),
        placed(ASTHMA, id="o3", reasonReference=[{"reference": "Condition/missing"}]),
    )
    results, summary = backtest(folder)
    assert [(row.order, cards_of(row)) for row in results.rows] == [("ServiceRequest/o1", ["pain-after-puncture"])]
    assert summary.silent == {"order-not-ours": 2}


def test_procedures_stand_for_orders_where_there_are_none(tmp_path: Path) -> None:
    """The Procedure that stands for the order is no history of its own order."""
    image = procedure(
        coded(CPT, "72148"),
        id="mri",
        subject=of("p1"),
        performedPeriod={"start": "2025-06-01T08:00:00Z", "end": "2025-06-01T09:00:00Z"},
        performedDateTime=None,
        reasonCode=[LUMBAGO],
        category=coded("http://snomed.info/sct", "363679005", "Imaging"),
    )
    folder = write_export(tmp_path, born("p1"), PUNCTURED, image, placed(id="not-read"))
    results, summary = backtest(folder, orders_from="Procedure")
    assert summary.export.lines["Procedure"] == summary.orders_seen == 2  # read twice, counted once
    rows = {row.order: row for row in results.rows}
    assert {order: cards_of(row) for order, row in rows.items()} == {
        "Procedure/lp": ["what-to-expect"],
        "Procedure/mri": ["pain-after-puncture"],
    }
    assert rows["Procedure/mri"].on == date(2025, 6, 1)
    assert rows["Procedure/mri"].category == "Imaging"


def test_charts_of_others_and_damaged_entries(tmp_path: Path) -> None:
    """An entry counts for the patient it is about, whoever else it names; one that cannot be read is counted."""
    recorded_by_p1 = condition(STENOSIS, subject=of("p2"), recorder=of("p1"))
    escaped = (
        '{"resourceType":"Condition","id":"e","code":{"text":"Lumbar stenosis"},"subject":{"reference":"Patient\\/p1"}}'
    )
    odd_subject = '{"resourceType":"Condition","id":"s","code":{"text":"?"},"subject":"Patient/p1"}'
    folder = write_export(tmp_path, born("p1"), placed())
    write_lines(folder / "Condition.ndjson", recorded_by_p1)
    (row,) = backtest(folder)[0].rows
    assert cards_of(row) == ["what-to-expect"]
    write_lines(folder / "Condition.ndjson", recorded_by_p1, escaped, odd_subject)
    results, summary = backtest(folder)
    assert cards_of(results.rows[0]) == ["what-to-expect", "confounders"]
    assert summary.unread == {"Condition: patient not resolved": 1}


def test_a_patient_without_a_chart_is_judged_and_counted(tmp_path: Path) -> None:
    _, summary = backtest(write_export(tmp_path, born("p2"), placed()))
    assert summary.orders_with_cards == 1
    assert summary.unread == {"patient-without-chart": 1}


def test_an_export_without_procedures_says_so_and_reassures_nobody(tmp_path: Path) -> None:
    folder = write_export(tmp_path, born("p1"), placed(coded(CPT, "72148"), reasonCode=[LUMBAGO]))
    (folder / "Procedure.ndjson").unlink()
    _, summary = backtest(folder)
    assert summary.silent == {"procedures-missing": 1}
    assert summary.export.missing_types == ("Procedure",)
