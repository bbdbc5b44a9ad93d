"""Cards of a second topic, installed as a plug-in and served beside the first, are counted separately."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from cds_service.report.report_command import report
from tests.charts import condition, hook_call, post, prefetch
from tests.colonoscopies import COLONOSCOPY_SERVICE, colonoscopy_call

SERVICE = "lumbar-puncture-back-pain"


@pytest.fixture
def run(make_app: Callable[..., Flask], second_topic_installed: object) -> Callable[..., str]:
    """Runs the command over a ledger with one call of each service, the second one's urgent card overridden."""
    app = make_app(clock=lambda: datetime.now(UTC))
    client = app.test_client()
    assert post(client, hook_call(prefetch=prefetch(condition()))).status_code == 200
    cards = client.post(f"/cds-services/{COLONOSCOPY_SERVICE}", json=colonoscopy_call()).get_json()["cards"]
    outcome = {"card": cards[0]["uuid"], "outcome": "overridden", "outcomeTimestamp": datetime.now(UTC).isoformat()}
    url = f"/cds-services/{COLONOSCOPY_SERVICE}/feedback"
    assert client.post(url, json={"feedback": [outcome]}).status_code == 200
    app.extensions["database"].close()

    def with_options(*options: str) -> str:
        database = str(app.extensions["database"].engine.url)
        result = CliRunner().invoke(report, ["--database-url", database, *options])
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    return with_options


def test_each_service_has_its_own_cards_and_versions(run: Callable[..., str]) -> None:
    data: dict[str, Any] = json.loads(run("--format", "json"))
    assert data["services"] == [COLONOSCOPY_SERVICE, SERVICE]
    cards = {(row["service"], row["card"]): row["issued"] for row in data["by"]["card"]}
    assert cards == {
        (COLONOSCOPY_SERVICE, "latex-allergy"): 1,
        (COLONOSCOPY_SERVICE, "preparation"): 1,
        (SERVICE, "confounders"): 1,
        (SERVICE, "what-to-expect"): 1,
    }
    assert {row["service"] for row in data["content_versions"]} == {COLONOSCOPY_SERVICE, SERVICE}


def test_each_topic_says_which_of_its_cards_are_never_silenced(run: Callable[..., str]) -> None:
    data = json.loads(run("--format", "json"))
    overridden = [(one["service"], one["card"]) for one in data["never_silenced"]["latest_overrides"]]
    assert overridden == [(COLONOSCOPY_SERVICE, "latex-allergy")]
    assert "<h2>Latex allergy, red flags overridden</h2>" in run("--format", "html")


def test_each_service_is_summed_up(run: Callable[..., str]) -> None:
    rows = csv.DictReader(io.StringIO(run("--by", "service", "--format", "csv")))
    assert [(row["service"], row["issued_cards"]) for row in rows] == [(COLONOSCOPY_SERVICE, "2"), (SERVICE, "2")]
