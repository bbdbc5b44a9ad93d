"""One Condition or Procedure in each FHIR version: how it stands today, since when, how sure."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from cards.fhir.bundle import read_bundle
from cards.record.chart_entry import ChartEntry, Standing, read_chart_entry
from cards.terminology.match import Match
from tests.charts import STENOSIS, coded, condition, procedure, searchset

TODAY = date(2026, 11, 22)
MATCH = Match("spinal-stenosis", "SNOMED CT", "18347007")
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def read(resource: Any, *matches: Match) -> ChartEntry | None:
    (entry,) = read_bundle(json.dumps(searchset(resource)).encode()).entries
    assert entry is not None
    assert entry.resource is not None
    return read_chart_entry(entry.resource, matches or (MATCH,), TODAY)


def entry_of(resource: Any) -> ChartEntry:
    found = read(resource)
    assert found is not None
    return found


def days(entry: ChartEntry) -> tuple[str, str] | None:
    return entry.began and (entry.began.first.isoformat(), entry.began.last.isoformat())


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        pytest.param(coded(CLINICAL, "active"), Standing.CURRENT, id="R4 active"),
        pytest.param(coded(CLINICAL, "recurrence"), Standing.CURRENT, id="R4 recurrence"),
        pytest.param(coded(CLINICAL, "relapse"), Standing.CURRENT, id="R4 relapse"),
        pytest.param(coded(CLINICAL, "inactive"), Standing.RESOLVED, id="R4 inactive"),
        pytest.param(coded(CLINICAL, "remission"), Standing.RESOLVED, id="R4 remission"),
        pytest.param(coded(CLINICAL, "resolved"), Standing.RESOLVED, id="R4 resolved"),
        pytest.param(coded(CLINICAL, "unknown"), Standing.NOT_RECORDED, id="R5 unknown"),
        pytest.param("active", Standing.CURRENT, id="STU3 active"),
        pytest.param("relapse", Standing.CURRENT, id="DSTU2 relapse"),
        pytest.param("remission", Standing.RESOLVED, id="DSTU2 remission"),
        pytest.param("resolved", Standing.RESOLVED, id="STU3 resolved"),
        pytest.param(" Resolved ", Standing.RESOLVED, id="capital letter and blanks"),
        pytest.param({"text": "Resolved"}, Standing.RESOLVED, id="R4 with a text only"),
        pytest.param({"coding": [{"code": "x"}, {"code": "resolved"}]}, Standing.RESOLVED, id="the second coding"),
        pytest.param(None, Standing.NOT_RECORDED, id="no status"),
        pytest.param({}, Standing.NOT_RECORDED, id="an empty status"),
        pytest.param(7, Standing.NOT_RECORDED, id="a number for a status"),
    ],
)
def test_the_clinical_status_is_read_as_code_or_as_concept(status: Any, standing: Standing) -> None:
    """clinical.md 6, rule 2."""
    assert entry_of(condition(clinicalStatus=status)).standing is standing


@pytest.mark.parametrize(
    ("abatement", "standing"),
    [
        pytest.param({"abatementBoolean": True}, Standing.RESOLVED, id="STU3 boolean"),
        pytest.param({"abatementBoolean": "true"}, Standing.RESOLVED, id="a boolean as a string"),
        pytest.param({"abatementBoolean": False}, Standing.CURRENT, id="a boolean that says no"),
        pytest.param({"abatementDateTime": "2020-05"}, Standing.RESOLVED, id="a date that is past"),
        pytest.param({"abatementDateTime": "2026-11-22"}, Standing.RESOLVED, id="today"),
        pytest.param({"abatementDateTime": "2026-11-23"}, Standing.CURRENT, id="tomorrow"),
        pytest.param({"abatementDateTime": "2026"}, Standing.RESOLVED, id="this year"),
        pytest.param({"abatementDateTime": "2020-02-30"}, Standing.RESOLVED, id="a date that does not exist"),
        pytest.param({"abatementString": "in his twenties"}, Standing.RESOLVED, id="words"),
        pytest.param({"abatementAge": {"value": 24, "unit": "a"}}, Standing.RESOLVED, id="an age"),
        pytest.param({"abatementRange": {"low": {"value": 20}}}, Standing.RESOLVED, id="a range"),
        pytest.param(
            {"abatementPeriod": {"start": "2019", "end": "2020"}}, Standing.RESOLVED, id="a period that ended"
        ),
        pytest.param({"abatementPeriod": {"start": "2019"}}, Standing.CURRENT, id="a period that goes on"),
        pytest.param({"abatementPeriod": {"end": "2030"}}, Standing.CURRENT, id="a period that ends in years"),
        pytest.param({"abatementAge": None}, Standing.CURRENT, id="null"),
    ],
)
@pytest.mark.parametrize("status", ["active", coded(CLINICAL, "active")], ids=["STU3", "R4"])
def test_an_abatement_outweighs_an_active_status(abatement: Any, standing: Standing, status: Any) -> None:
    """clinical.md 6, rule 2: STU3 charts say active beside an abatement years back."""
    assert entry_of(condition(clinicalStatus=status, **abatement)).standing is standing


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(coded(VERIFICATION, "refuted"), id="R4 refuted"),
        pytest.param(coded(VERIFICATION, "entered-in-error"), id="R4 entered in error"),
        pytest.param("refuted", id="STU3 refuted"),
        pytest.param("entered-in-error", id="DSTU2 entered in error"),
        pytest.param({"text": "refuted"}, id="in words"),
        pytest.param(" Refuted", id="capital letter and blank"),
        pytest.param({"coding": [{"code": "confirmed"}, {"code": "refuted"}]}, id="whatever else is said beside it"),
        pytest.param(
            {"coding": [{"display": "Refuted"}], "text": "refuted"},
            id="in words beside a coding without code",
        ),
    ],
)
def test_what_never_was_is_no_entry(status: Any) -> None:
    """clinical.md 6, rule 1."""
    assert read(condition(verificationStatus=status)) is None


@pytest.mark.parametrize(
    ("status", "confirmed"),
    [
        pytest.param(coded(VERIFICATION, "confirmed"), True, id="confirmed"),
        pytest.param(None, True, id="not said counts as confirmed"),
        pytest.param("unknown", True, id="STU3 unknown"),
        pytest.param(coded(VERIFICATION, "unconfirmed"), False, id="R4 unconfirmed"),
        pytest.param(coded(VERIFICATION, "provisional"), False, id="R4 provisional"),
        pytest.param("provisional", False, id="STU3 provisional"),
        pytest.param("differential", False, id="DSTU2 differential"),
    ],
)
def test_a_provisional_condition_is_not_confirmed(status: Any, confirmed: bool) -> None:
    assert entry_of(condition(verificationStatus=status)).confirmed is confirmed


def test_uncertain_words_are_not_confirmed() -> None:
    found = read(condition(), MATCH, Match("spondylosis", None, None, certain=False))
    assert found is not None
    assert found.confirmed is False


@pytest.mark.parametrize(
    ("onset", "began"),
    [
        pytest.param({"onsetDateTime": "2019-03"}, ("2019-03-01", "2019-03-31"), id="a date"),
        pytest.param({"onsetPeriod": {"start": "2019", "end": "2020"}}, ("2019-01-01", "2020-12-31"), id="a period"),
        pytest.param({"onsetAge": {"value": 40}}, None, id="an age is not known as a date"),
        pytest.param({"onsetString": "as a child"}, None, id="nor are words"),
        pytest.param({"onsetDateTime": "2019-02-30"}, None, id="nor is a date that does not exist"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_onset_keeps_its_precision(onset: Any, began: tuple[str, str] | None) -> None:
    """clinical.md 6, rule 3."""
    assert days(entry_of(condition(**({"onsetDateTime": None} | onset)))) == began


@pytest.mark.parametrize("name", ["recordedDate", "assertedDate", "dateRecorded"], ids=["R4", "STU3", "DSTU2"])
def test_the_date_of_recording_has_a_name_in_each_version(name: str) -> None:
    recorded = entry_of(condition(onsetDateTime=None, **{name: "2020-01-02"})).recorded
    assert recorded is not None
    assert recorded.first == date(2020, 1, 2)


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"status": "entered-in-error"}, id="entered in error"),
        pytest.param({"status": "preparation"}, id="preparation"),
        pytest.param({"status": "proposed"}, id="a status of no version"),
    ],
)
def test_a_procedure_that_was_not_begun_is_no_entry(elements: Any) -> None:
    """clinical.md 6, rule 4."""
    assert read(procedure(STENOSIS, **elements)) is None


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"status": "not-done"}, id="R4 not-done"),
        pytest.param({"status": "stopped", "notDone": True}, id="STU3 notDone beside another status"),
        pytest.param({"notDone": True}, id="STU3 notDone"),
        pytest.param({"notDone": "true"}, id="STU3 notDone as a string"),
        pytest.param({"notPerformed": True}, id="DSTU2 notPerformed"),
        pytest.param({"status": " Not-Done "}, id="capital letters and blanks"),
    ],
)
def test_a_procedure_that_was_not_done_is_kept_because_its_name_may_say_that_it_was_tried(elements: Any) -> None:
    entry = entry_of(procedure(STENOSIS, **elements))
    assert (entry.standing, entry.is_active) == (Standing.NOT_DONE, False)


@pytest.mark.parametrize(
    "status",
    ["in-progress", "on-hold", "stopped", "unknown", "aborted", "suspended", " In-Progress "],
)
def test_a_procedure_that_was_begun_and_not_finished_is_kept_as_unfinished(status: str) -> None:
    """design.md 5: something may have followed; the names of DSTU2, STU3, R4 and R5."""
    entry = entry_of(procedure(STENOSIS, status=status))
    assert (entry.standing, entry.is_active, days(entry)) == (Standing.UNFINISHED, False, ("2018-05-03", "2018-05-03"))


BECAUSE = {"text": "rule out meningitis"}


@pytest.mark.parametrize(
    ("elements", "reasons", "references"),
    [
        pytest.param({}, [], [], id="nothing"),
        pytest.param({"reasonCode": [BECAUSE]}, ["rule out meningitis"], [], id="R4 reasonCode"),
        pytest.param({"reasonReference": [{"reference": "Condition/1"}]}, [], ["Condition/1"], id="R4 reasonReference"),
        pytest.param(
            {"reason": [{"concept": BECAUSE}, {"reference": {"reference": "Condition/1"}}]},
            ["rule out meningitis"],
            ["Condition/1"],
            id="R5 reason",
        ),
        pytest.param({"reasonCodeableConcept": BECAUSE}, ["rule out meningitis"], [], id="DSTU2 reasonCodeableConcept"),
        pytest.param(
            {"reasonReference": {"reference": "Condition/1"}}, [], ["Condition/1"], id="DSTU2 reasonReference"
        ),
        pytest.param({"reasonCode": [{}, 7], "reasonReference": [{"display": "x"}]}, [], [], id="nothing that says so"),
    ],
)
def test_why_a_procedure_was_done_is_read_in_every_version(
    elements: Any, reasons: list[str], references: list[str]
) -> None:
    """clinical.md 1.3: a puncture done for meningitis did not cause it."""
    entry = entry_of(procedure(STENOSIS, **elements))
    assert ([one.text for one in entry.reasons], list(entry.reason_references)) == (reasons, references)


@pytest.mark.parametrize(
    ("elements", "began"),
    [
        pytest.param({"performedDateTime": "2018-05-03"}, ("2018-05-03", "2018-05-03"), id="R4 performedDateTime"),
        pytest.param({"performedPeriod": {"start": "2018"}}, ("2018-01-01", "2018-12-31"), id="R4 performedPeriod"),
        pytest.param({"performedString": "2018-05"}, ("2018-05-01", "2018-05-31"), id="R4 performedString with a date"),
        pytest.param({"performedString": "years ago"}, None, id="R4 performedString with words"),
        pytest.param({"occurrenceDateTime": "2018-05-03"}, ("2018-05-03", "2018-05-03"), id="R5 occurrenceDateTime"),
        pytest.param({"occurrencePeriod": {"end": "2018"}}, ("2018-01-01", "2018-12-31"), id="R5 occurrencePeriod"),
        pytest.param({"occurrenceString": "2018"}, ("2018-01-01", "2018-12-31"), id="R5 occurrenceString"),
        pytest.param({"status": None, "notPerformed": False}, None, id="DSTU2 without a status"),
        pytest.param({"status": "completed", "notDone": False}, None, id="STU3 notDone false"),
    ],
)
def test_a_performed_procedure_is_done_on_its_date(elements: Any, began: tuple[str, str] | None) -> None:
    entry = entry_of(procedure(STENOSIS, **({"performedDateTime": None} | elements)))
    assert (entry.standing, entry.confirmed, days(entry)) == (Standing.DONE, True, began)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(
            {"coding": [{"display": "A"}, {"display": "B", "userSelected": True}], "text": "T"}, "B", id="picked"
        ),
        pytest.param({"coding": [{"display": "A"}], "text": "T"}, "T", id="else the text"),
        pytest.param({"coding": [{"code": "1"}, {"display": "A"}]}, "A", id="else the first display"),
        pytest.param(
            {"coding": [{"code": "1", "userSelected": True}], "text": "T"}, "T", id="picked without a display"
        ),
        pytest.param({"coding": [{"code": "1"}]}, "", id="else nothing"),
        pytest.param({"concept": {"text": "T"}}, "T", id="one level down"),
    ],
)
def test_the_charts_own_words_are_those_the_user_picked(code: Any, words: str) -> None:
    """clinical.md 6, rule 6."""
    assert entry_of(condition(code)).words == words
