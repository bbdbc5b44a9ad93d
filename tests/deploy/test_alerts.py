"""The alert rules: each on metrics that exist, with its section of the runbook, and with stories that try it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

from tests.places import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = "docs/operations.md"
GROUPS = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OPERATIONS = (ROOT / RUNBOOK).read_text("utf-8")
BY_NAME = pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS.keys())
MAY_BE_TOLD = {"mode", "instance", "client", "reason", "type", "key"}  # labels whose values are ours


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"cds_hooks[a-z0-9_:]+", expression)) - RECORDED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_asks_for_metrics_that_exist_by_labels_and_values_that_they_have(
    client: FlaskClient, rule: dict[str, Any]
) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    series = [line for line in text.splitlines() if not line.startswith("#")]
    for name in metrics_in(rule["expr"]):
        assert [line for line in series if re.match(rf"{name}[ {{]", line)], name
    for name, matchers in re.findall(r"(cds_hooks\w+)\{(.*?)\}", rule["expr"]):
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"(.*?)"', matchers):
            for one in value.split("|"):
                found = [line for line in series if line.startswith(f"{name}{{") and f'{label}="{one}"' in line]
                assert found, f"{name}: no {label} is ever {one} ({operator})"
    for label in re.findall(r"by \((\w+)\)", rule["expr"]):
        if label != "instance":
            assert [line for line in series if f'{label}="' in line], label


@BY_NAME
def test_every_alert_says_how_urgent_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    notes = alert["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"{RUNBOOK}#{alert['alert'].lower()}"
    assert set(re.findall(r"\$labels\.(\w+)", str(notes))) <= MAY_BE_TOLD


def test_every_alert_has_its_section_of_the_runbook_and_every_section_its_alert() -> None:
    assert re.findall(r"^### (CdsHooks\w+)$", OPERATIONS, re.MULTILINE) == list(ALERTS)


@BY_NAME
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(alert: dict[str, Any]) -> None:
    section = OPERATIONS.partition(f"\n### {alert['alert']}\n")[2].partition("\n#")[0]
    for words in ("**Means**", "**Look at**", "**Do**", "**Wake**"):
        assert words in section, words
    urgent = alert["labels"]["severity"] == "critical"
    assert (re.search(r"\*\*Wake\*\* nobody", section) is None) == urgent


@BY_NAME
def test_every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not(alert: dict[str, Any]) -> None:
    """promtool holds the rules against them, in tests/interop/test_alerts.py."""
    files = [yaml.safe_load(path.read_text("utf-8")) for path in PROMETHEUS.glob("*_test.yaml")]
    told = [
        bool(case.get("exp_alerts"))
        for file in files
        for story in file["tests"]
        for case in story["alert_rule_test"]
        if case["alertname"] == alert["alert"]
    ]
    assert set(told) == {True, False}


def test_every_metric_stands_in_the_table_of_the_documentation_and_every_row_is_one(client: FlaskClient) -> None:
    families = set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").get_data(as_text=True), re.MULTILINE))
    assert set(re.findall(r"^\| `(cds_hooks_\w+)`", OPERATIONS, re.MULTILINE)) == families
