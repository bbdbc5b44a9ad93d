"""Override reasons by the standard code they are mapped to, and cards that a site has turned off, in every format."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cards.topic import Topic
from cds_service.report.formats.as_html import as_html
from cds_service.report.formats.as_json import as_json
from cds_service.report.formats.as_table import as_table
from cds_service.report.ledger_report import LedgerReport
from tests.cds_service.report.hand_made import REASONS, SERVICE, HandMadeLedger
from tests.databases import LiveDatabase


@pytest.fixture
def report(sqlite_database: LiveDatabase, topic: Topic) -> LedgerReport:
    """Two reasons of ours that are mapped to one HL7 code, that code itself as earlier cards offered it, and others."""
    ours = topic.service.override_reasons.system
    ledger = HandMadeLedger()
    for reason, system, foreign in (
        ("already-evaluated", ours, False),
        ("baseline-documented", ours, False),
        ("action-completed", REASONS, False),
        ("wrong-time-workflow", REASONS, False),
        ("made-up", "urn:x", True),
    ):
        ledger.answer(ledger.show(), "overridden", reason=reason, reason_system=system, foreign_reason=foreign)
    ledger.silence("confounders", "switched-off")
    made = ledger.report(sqlite_database.open(), topic)
    return replace(made, words=replace(made.words, switched_off=frozenset({(SERVICE, "confounders")})))


def test_reasons_are_grouped_by_the_code_they_are_mapped_to(report: LedgerReport) -> None:
    grouped = {(reason.system, reason.code): reason.cards for reason in report.standard_reasons()}
    assert grouped == {(REASONS, "action-completed"): 3, (REASONS, "wrong-time-workflow"): 1, ("urn:x", "made-up"): 1}
    assert len(report.all_reasons()) == 5


def test_reasons_have_words_whether_they_are_ours_or_of_hl7(report: LedgerReport) -> None:
    words = [report.words.reason(reason) for reason in report.all_reasons()]
    assert "Already evaluated" in words
    assert "Recommended action was already completed" in words


def test_every_format_says_so(report: LedgerReport) -> None:
    data = json.loads(as_json(report, ("card", "reason")))
    assert data["reasons_by_standard_code"][0]["code"] == "action-completed"
    assert data["reasons_by_standard_code"][0]["cards"] == 3
    assert data["switched_off"] == [{"service": SERVICE, "card": "confounders"}]
    assert [silenced["cause"] for silenced in data["silenced"]] == ["switched-off"]
    table = as_table(report, "card", 160)
    assert "By HL7 code    action-completed (3)" in table
    assert f"Turned off     {SERVICE}/confounders" in table
    html = as_html(report, ("card",))
    assert "action-completed (3)" in html
    assert "Cards that this site has turned off" in html
