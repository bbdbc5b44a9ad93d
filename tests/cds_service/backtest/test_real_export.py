"""An export that another program made (Synthea): its chart types as they are, orders that are ours written beside them.

The data stays outside the repository; where it is absent these tests say so and are skipped.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.cds_service.backtest.exports import backtest, cards_of, rows_of, write_lines
from tests.charts import Json
from tests.places import SHARED_DATA

EXPORT = SHARED_DATA / "bulk-10-patients"
PATIENTS, PROCEDURES = 13, 2056

pytestmark = pytest.mark.skipif(not EXPORT.exists(), reason="the sample export is not beside this checkout")


def lines_of(resource_type: str) -> list[Json]:
    return [json.loads(line) for line in (EXPORT / f"{resource_type}.000.ndjson").read_text("utf-8").splitlines()]


def puncture_orders(on: str) -> list[Json]:
    """An order for a lumbar puncture for each patient, on this day."""
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "277762005"}]}
    return [
        {
            "resourceType": "ServiceRequest",
            "id": f"order-{number}",
            "status": "completed",
            "intent": "order",
            "code": code,
            "subject": {"reference": f"Patient/{patient['id']}"},
            "authoredOn": on,
        }
        for number, patient in enumerate(lines_of("Patient"))
    ]


@pytest.fixture
def with_orders(tmp_path: Path) -> Path:
    """The export, to which a test adds orders."""
    folder = tmp_path / "export"
    shutil.copytree(EXPORT, folder)
    return folder


def test_procedures_that_stand_for_orders_are_none_of_ours() -> None:
    """2,056 procedures of a century, no lumbar puncture, no spine image: silence, and every line read once."""
    _, summary = backtest(EXPORT, orders_from="Procedure", first_day=date(1900, 1, 1), last_day=date(2026, 11, 30))
    assert (summary.orders_seen, summary.orders_ours, summary.orders_with_cards) == (PROCEDURES, 0, 0)
    assert summary.patients_seen == PATIENTS
    assert summary.silent == {"order-not-ours": PROCEDURES}
    assert summary.export.lines == {"Procedure": PROCEDURES, "Condition": 555, "Patient": PATIENTS}
    assert summary.unread == {}


@pytest.mark.parametrize(
    ("on", "known"),
    [
        pytest.param("2013-06-01", [], id="before either pain began"),
        pytest.param("2015-06-01", ["2014-01-31"], id="after the first, before the second"),
        pytest.param("2025-06-01", ["2014-01-31", "2020-09-03"], id="after both"),
    ],
)
def test_a_chart_is_seen_as_it_was_on_the_day_of_the_order(with_orders: Path, on: str, known: list[str]) -> None:
    """Of 555 Conditions the two that are chronic low back pain are named, from their onset on."""
    write_lines(with_orders / "ServiceRequest.ndjson", *puncture_orders(on))
    day = date.fromisoformat(on)
    rows = rows_of(with_orders, first_day=day, last_day=day)
    assert len(rows) == PATIENTS
    baseline = {row.patient for row in rows.values() if "confounders" in cards_of(row)}
    pains = [one for one in lines_of("Condition") if one["code"]["coding"][0]["code"] == "278860009"]
    assert baseline == {
        one["subject"]["reference"].removeprefix("Patient/") for one in pains if one["onsetDateTime"][:10] in known
    }
    silent = {row.answer.silence[0] for row in rows.values() if row.answer.silence}
    assert silent <= {"child"}
