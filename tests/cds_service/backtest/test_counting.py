"""The numbers of a backtest: each order counted once, rates, groups, interruptions, and the digest."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cards.catalogue import load_topics
from cds_service.backtest.content import ContentPlace, load
from cds_service.backtest.engine import Results, run
from cds_service.backtest.reading.export_files import find_export
from cds_service.backtest.results.counting import digest, summarize
from cds_service.backtest.results.output import write_results
from cds_service.backtest.results.summary import Interruptions, Summary, as_json
from cds_service.backtest.rows import age_band
from tests.cds_service.backtest.exports import (
    InProcess,
    Unwatched,
    backtest,
    born,
    make_plan,
    of,
    write_export,
    write_lines,
)
from tests.charts import ASTHMA, STENOSIS, Json, condition, order
from tests.colonoscopies import COLONOSCOPY, COLONOSCOPY_SERVICE, LATEX_ALLERGY
from tests.places import FIXTURES

IMAGING = [{"coding": [{"code": "363679005", "display": "Imaging"}]}]


def placed(number: int, patient: str, on: str, code: Json | None = None, **elements: Any) -> Json:
    return order(
        code, **({"id": f"o{number}", "status": "completed", "subject": of(patient), "authoredOn": on} | elements)
    )


@pytest.fixture
def year(tmp_path: Path) -> Path:
    """A year of two clinicians: four orders for a lumbar puncture, one of a child, and two for something else."""
    ann, bob = {"requester": {"reference": "Practitioner/ann"}}, {"requester": {"reference": "Practitioner/bob"}}
    return write_export(
        tmp_path / "export",
        born("adult", "1980-02-01"),
        born("old", "1930"),
        born("child", "2015-02-01"),
        born("nobody", "1990-01-01"),
        condition(STENOSIS, id="c", subject=of("old"), onsetDateTime="2019"),
        placed(1, "adult", "2025-03-03", category=IMAGING, **ann),
        placed(2, "old", "2025-03-09", category=IMAGING, **ann),  # the same ISO week
        placed(3, "child", "2025-03-10", **ann),
        placed(4, "adult", "2025-12-30", **bob),
        placed(5, "adult", "2025-03-04", ASTHMA, **bob),
        placed(6, "old", "2025-03-04", ASTHMA),
    )


@pytest.fixture
def results(year: Path) -> tuple[Results, Summary]:
    return backtest(year)


def test_every_order_has_cards_or_one_reason_for_silence(results: tuple[Results, Summary]) -> None:
    _, summary = results
    assert summary.orders_seen == 6
    assert summary.orders_ours == 4
    assert summary.orders_with_cards == 3
    assert summary.silent == {"order-not-ours": 2, "child": 1}
    assert summary.silent_words["child"] == "the patient is under 18: red flags only"
    assert summary.cards == {
        "what-to-expect": 3,
        "confounders": 1,
        "pain-after-puncture": 0,
        "nerve-symptoms": 0,
        "red-flags": 0,
    }
    assert summary.indicators == {"info": 4}
    assert summary.findings == {"contributor": {"spinal-stenosis": 1}}
    assert (summary.patients_seen, summary.patients_with_cards) == (4, 2)


def test_rates_are_of_all_orders_and_all_patients(results: tuple[Results, Summary]) -> None:
    told = json.loads(as_json(results[1]))
    assert told["cards_per_1000_orders"]["what-to-expect"] == 500
    assert told["cards_per_1000_patients"]["what-to-expect"] == 750
    assert told["first_day"] == "2025-01-01"


def test_orders_are_grouped_by_month_category_and_age(results: tuple[Results, Summary]) -> None:
    _, summary = results
    months = {month: (group.orders_seen, group.orders_with_cards) for month, group in summary.by_month.items()}
    assert months == {"2025-03": (5, 2), "2025-12": (1, 1)}
    categories = {name: (group.orders_seen, group.orders_with_cards) for name, group in summary.by_category.items()}
    assert categories == {"Imaging": (2, 2), "unknown": (4, 1)}
    ages = {band: group.orders_ours for band, group in summary.by_age_band.items() if group.orders_ours}
    assert ages == {"0-17": 1, "40-64": 2, "80+": 1}


def test_interruptions_are_counted_by_clinician_and_week(results: tuple[Results, Summary]) -> None:
    """Ann: two in one week, none in the next; Bob: none in March, one in December."""
    weeks = results[1].interruptions
    assert (weeks.clinicians, weeks.clinician_weeks) == (2, 4)
    assert weeks.by_count == {0: 2, 1: 1, 2: 1}
    assert (weeks.mean, weeks.most, weeks.percentile(0.5), weeks.percentile(0.95)) == (0.75, 2, 0, 2)
    assert weeks.orders_without_clinician == 0


def test_without_any_clinician_there_is_no_rate() -> None:
    none = Interruptions(0, 0, {}, 3)
    assert (none.mean, none.most, none.percentile(0.95)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("years", "band"), [(0, "0-17"), (17, "0-17"), (18, "18-39"), (64, "40-64"), (65, "65-79"), (80, "80+")]
)
def test_age_bands(years: int, band: str) -> None:
    assert age_band(years) == band


def test_the_digest_is_that_of_the_rows_in_any_order_and_of_the_content(results: tuple[Results, Summary]) -> None:
    rows, summary = results[0].rows, results[1]
    shuffled = random.Random(1).sample(rows, len(rows))  # noqa: S311 - an order of rows
    assert digest(shuffled, summary.content_version) == summary.digest
    assert digest(rows, "another") != summary.digest
    assert digest(rows[1:], summary.content_version) != summary.digest
    other = replace(rows[0], answer=replace(rows[0].answer, cards=()))
    assert digest([other, *rows[1:]], summary.content_version) != summary.digest


def test_the_key_that_clinicians_are_counted_by_changes_nothing(year: Path) -> None:
    first, second = (backtest(year, hash_key=key)[1] for key in (b"1", b"2"))
    assert first == second


def test_cards_that_the_site_has_turned_off_are_silent_for_that_reason(year: Path) -> None:
    _, summary = backtest(year, cards_off=frozenset({"what-to-expect", "confounders"}))
    assert summary.orders_with_cards == 0
    assert summary.silent["cards-off"] == 3
    assert summary.cards_off == ("confounders", "what-to-expect")


def test_without_patient_files_the_patients_with_orders_are_counted(year: Path) -> None:
    (year / "Patient.ndjson").unlink()
    _, summary = backtest(year)
    assert summary.patients_seen == 3
    assert summary.export.missing_types == ("Patient",)
    assert summary.by_age_band["unknown"].orders_ours == 4


def rows_in(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_sample_is_of_our_orders_and_the_same_each_time(results: tuple[Results, Summary], tmp_path: Path) -> None:
    rows, summary = results[0].rows, replace(results[1], sample_orders=3)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_results(rows, summary, tmp_path / name)
    sample = rows_in(tmp_path / "first" / "sample.csv")
    assert len(sample) == 3
    assert sample == rows_in(tmp_path / "second" / "sample.csv")
    orders = rows_in(tmp_path / "first" / "orders.csv")
    for row in sample:
        assert {name: cell for name, cell in row.items() if name != "silent"} in orders
        assert bool(row["silent"]) != bool(row["cards"])


@pytest.mark.usefixtures("second_topic_installed")
def test_another_topic_is_judged_by_the_same_steps(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    load.cache_clear()
    request.addfinalizer(load.cache_clear)
    folder = write_export(
        tmp_path,
        born("p1"),
        placed(1, "p1", "2025-03-03", COLONOSCOPY),
        placed(2, "p1", "2025-03-03"),
    )
    write_lines(folder / "AllergyIntolerance.ndjson", LATEX_ALLERGY | {"patient": of("p1")})
    topic = load_topics()[COLONOSCOPY_SERVICE]
    export = find_export(str(folder), {"ServiceRequest", "Patient", *topic.service.resource_types.values()})
    plan = make_plan(export, content=ContentPlace(COLONOSCOPY_SERVICE))
    results = run(plan, export, InProcess(), Unwatched())
    summary = summarize(results, plan, export, sample_orders=0)
    assert summary.cards == {"preparation": 1, "latex-allergy": 1}
    assert summary.silent == {"order-not-ours": 1}


def test_every_card_and_class_comes_of_the_fixture() -> None:
    _, summary = backtest(FIXTURES / "bulk_export", exported_on=date(2026, 1, 15))
    assert all(summary.cards.values())
    assert len(summary.classes) == 7
    assert summary.orders_with_cards + sum(summary.silent.values()) == summary.orders_seen
