"""The commands for content owners: check, test, show, explain; and content faults that prevent a start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.cli import content_commands
from tests.cds_service.cli.test_main import run
from tests.charts import CPT, SNOMED, coded, condition, hook_call, order, prefetch
from tests.content import casebook
from tests.places import ROOT

COUNT = len(casebook().vignettes)
YEARS_LATER = date(2030, 1, 1)


@pytest.fixture
def asthma_is_stenosis(tmp_path: Path) -> Path:
    """A site's folder with a code that no clinician would put there."""
    concept = {"system": SNOMED, "concept": [{"code": "195967001"}]}
    file = {"resourceType": "ValueSet", "id": "spinal-stenosis", "version": "1", "title": "x", "date": "2026-11-22"}
    (tmp_path / "spinal-stenosis.json").write_text(json.dumps(file | {"compose": {"include": [concept]}}))
    return tmp_path


def test_all_vignettes_are_as_expected() -> None:
    result = run("test")
    assert (result.exit_code, result.stdout) == (0, f"{COUNT} vignettes, all as expected\n")


def test_a_failure_is_told_in_clinical_words(asthma_is_stenosis: Path) -> None:
    result = run("test", CDS_VALUE_SETS_DIR=str(asthma_is_stenosis))
    assert result.exit_code == 1
    assert "✗ " in result.stdout
    assert "expected no card `confounders`, got: Chart shows spinal stenosis" in result.stdout
    assert result.stdout.endswith(f"of {COUNT} vignettes failed\n")


def test_a_site_whose_codes_have_a_fault_is_told_where(tmp_path: Path) -> None:
    (tmp_path / "nothing-of-ours.json").write_text("{}")
    for verb, status in (("test", 1), ("check", 1), ("serve", 1)):
        result = run(verb, CDS_VALUE_SETS_DIR=str(tmp_path))
        assert result.exit_code == status
        assert "nothing-of-ours.json:1: there is no value set" in result.stderr, verb


def test_content_overdue_for_review_is_a_fault_and_refuses_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_commands, "_today", lambda: YEARS_LATER)
    for verb in ("check", "serve"):
        result = run(verb)
        assert result.exit_code == 1
        assert "lumbar_puncture/service.yaml:" in result.stderr
        assert "review it and set the date" in result.stderr


def test_a_site_may_start_with_overdue_content_and_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(content_commands, "_today", lambda: YEARS_LATER)
    monkeypatch.setattr("cds_service.server.server.run", started.append)
    result = run("serve", CDS_STALE_REVIEW="warn")
    assert (result.exit_code, len(started)) == (0, 1)
    assert "cds-service: overdue for review: lumbar_puncture/service.yaml:" in result.stderr


def test_show_prints_the_cards_as_a_clinician_would_see_them() -> None:
    result = run("show", "--vignette", "pain on day 8 after the puncture is lingering")
    said = " ".join(word.strip("│") for word in result.stdout.split())
    assert result.exit_code == 0
    assert "info · pain-after-puncture" in said
    assert "[ Refer to neurology ]" in said
    assert "→ MedlinePlus: Back Pain: https://medlineplus.gov/backpain.html" in said


def test_show_finds_a_vignette_by_a_part_of_its_name_and_speaks_the_patients_language() -> None:
    result = run("show", "--vignette", "STENOSIS is listed as a possible contributor", "--language", "es")
    assert result.exit_code == 0
    assert "medlineplus.gov/spanish/backpain.html" in "".join(word.strip("│") for word in result.stdout.split())


def test_show_says_when_a_vignette_is_silence() -> None:
    result = run("show", "--vignette", "an order for something else is silence")
    assert result.stdout.endswith("No card: the service is silent.\n")


def test_show_names_those_it_might_have_meant() -> None:
    result = run("show", "--vignette", "pain on day")
    assert result.exit_code == 1
    assert "vignettes have 'pain on day' in their name" in result.stderr
    assert "  pain on day 7 after the puncture is expected\n" in result.stderr


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param(hook_call(prefetch=prefetch(condition())), "finding, listed as spinal stenosis", id="a finding"),
        pytest.param(hook_call(order(coded(CPT, "71046"))), "no order is ours", id="an order that is not ours"),
    ],
)
def test_explain_tells_what_a_request_was_taken_for(tmp_path: Path, call: Any, said: str) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(call))
    result = run("explain", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert said in result.stdout


def test_explain_says_what_is_wrong_with_a_request_that_would_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text("{}")
    result = run("explain", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("cds-service: the service would answer 400\n")


@pytest.mark.usefixtures("second_topic_installed")
def test_a_second_topic_is_checked_tested_and_shown_beside_the_first() -> None:
    assert run("check").stdout == "content: no faults\n"
    assert run("test").stdout == f"{COUNT + 5} vignettes, all as expected\n"
    assert run("test", CDS_TOPICS="colonoscopy").stdout == "5 vignettes, all as expected\n"
    assert "info · preparation" in run("show", "--vignette", "A refuted allergy is none").stdout


@pytest.mark.usefixtures("second_topic_installed")
@pytest.mark.parametrize(
    ("hook", "services"),
    [
        pytest.param("order-sign", ["lumbar-puncture-back-pain", "colonoscopy-preparation"], id="a hook of both"),
        pytest.param("order-select", ["lumbar-puncture-back-pain"], id="a hook of the first"),
    ],
)
def test_a_request_is_explained_for_every_service_that_has_its_hook(
    tmp_path: Path, hook: str, services: list[str]
) -> None:
    path = tmp_path / "request.json"
    call = hook_call(hook=hook)
    call["context"]["selections"] = []
    path.write_text(json.dumps(call))
    lines = run("explain", str(path)).stdout.splitlines()
    assert [line for line in lines if line.startswith("Service ")] == [f"Service {name}" for name in services]


@pytest.mark.slow
def test_watch_runs_again_when_a_file_of_content_changes(tmp_path: Path) -> None:
    for package in ("cards", "cds_service"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    service = tmp_path / "cards" / "topics" / "lumbar_puncture" / "service.yaml"
    said = tmp_path / "said"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    program = "from cds_service.cli.main import main; main()"
    with said.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", program, "test", "--watch"], cwd=tmp_path, env=environment, stdout=out
        )
        try:
            wait_for(said, f"{COUNT} vignettes, all as expected\n")
            service.write_text(service.read_text().replace("expected-days: 7", "expected-days: 8"))
            wait_for(said, "✗ pain on day 8 after the puncture is lingering")
            wait_for(said, f"1 of {COUNT} vignettes failed")
        finally:
            process.kill()
            process.wait(10)


def wait_for(path: Path, words: str) -> None:
    deadline = time.monotonic() + 60
    while words not in path.read_text():
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.1)


def test_a_language_that_nothing_is_in_is_said_and_not_answered_in_english() -> None:
    result = run("show", "--vignette", "stenosis is listed as a possible contributor", "--language", "xx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cards and patient pages are in en, es, not in 'xx'" in result.stderr


def test_a_vignette_that_is_not_there_is_said_with_the_nearest() -> None:
    result = run("show", "--vignette", "stenosys is listed as a possible contributer")
    assert result.exit_code == 1
    assert "did you mean stenosis is listed as a possible contributor" in result.stderr
    assert "vignettes.yaml" in result.stderr
