"""The record of one patient: what matters, how much was seen, what could not be read."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from cards.fhir.bundle import read_bundle
from cards.record.patient_record import OtherPatient, PatientFacts, Section, SectionRead, read_patient, read_section
from cards.topic import Topic
from tests.charts import ASTHMA, PATIENT, STENOSIS, condition, patient, procedure, searchset

TODAY = date(2026, 11, 22)


def read(topic: Topic, bundle: Any, resource_type: str = "Condition", **section: bool) -> SectionRead:
    entries = read_bundle(json.dumps(bundle).encode()).entries
    return read_section(Section(entries, **section), resource_type, PATIENT, topic.chart, TODAY)


def found_ids(section: SectionRead) -> list[str | None]:
    return [entry.id for entry in section.matched]


@pytest.mark.parametrize(
    ("resources", "found", "seen", "unread"),
    [
        pytest.param([], [], 0, {}, id="an empty chart"),
        pytest.param([condition()], ["condition-1"], 1, {}, id="what matters is found"),
        pytest.param([condition(ASTHMA), condition(id="c2")], ["c2"], 2, {}, id="what does not is only counted"),
        pytest.param([condition({}), condition(id="c2")], ["c2"], 2, {"no code": 1}, id="a condition without a code"),
        pytest.param([condition(7), condition(id="c2")], ["c2"], 2, {"no code": 1}, id="an odd code"),  # type: ignore[arg-type]
        pytest.param(
            [condition({"text": "Stable, " * 500 + "new saddle numbness"}), condition(id="c2")],
            ["c2"],
            2,
            {"no code": 1},
            id="a text whose end is beyond what is read is not said to be read",
        ),
        pytest.param(
            [condition({"text": "Lumbar spinal stenosis. " + "Stable, " * 500})],
            ["condition-1"],
            1,
            {"no code": 1},
            id="a match at the beginning of such a text counts, and the text is still not all read",
        ),
        pytest.param([None, condition(id="c2")], ["c2"], 2, {"not a resource": 1}, id="null for a resource"),
        pytest.param([{"id": "x"}, condition(id="c2")], ["c2"], 2, {"not a resource": 1}, id="no resourceType"),
        pytest.param(
            [condition(subject={"reference": "urn:uuid:9"}), condition(id="c2")],
            ["c2"],
            2,
            {"patient not resolved": 1},
            id="a subject that nothing resolves",
        ),
        pytest.param(
            [patient(), procedure(STENOSIS), condition(id="c2")], ["c2"], 1, {}, id="other types are passed over"
        ),
        pytest.param([condition(verificationStatus="refuted")], [], 1, {}, id="a refuted condition is seen, not found"),
        pytest.param(
            [condition(subject=None, patient={"reference": f"Patient/{PATIENT}"})],
            ["condition-1"],
            1,
            {},
            id="DSTU2 patient",
        ),
        pytest.param([condition(subject=None)], ["condition-1"], 1, {}, id="nobody named"),
        pytest.param([condition(subject=7)], [], 1, {"patient not resolved": 1}, id="a subject that cannot be read"),
        pytest.param([condition({"concept": STENOSIS})], ["condition-1"], 1, {}, id="a concept one level down"),
        pytest.param([condition(onsetDateTime={"odd": 1})], ["condition-1"], 1, {}, id="an odd date costs nothing"),
    ],
)
def test_every_entry_is_found_passed_over_or_counted_as_unread(
    topic: Topic, resources: list[Any], found: list[str], seen: int, unread: dict[str, int]
) -> None:
    """clinical.md 6, rule 9: missing data is never taken for nothing found."""
    section = read(topic, searchset(*resources))
    assert (found_ids(section), section.seen_count, section.unread) == (found, seen, unread)
    assert section.unread_count == sum(unread.values())


@pytest.mark.parametrize("name", ["subject", "patient"], ids=["R4", "DSTU2"])
@pytest.mark.parametrize("code", [STENOSIS, ASTHMA], ids=["one that matters", "one that does not"])
def test_an_entry_about_somebody_else_is_refused_with_its_place(topic: Topic, name: str, code: Any) -> None:
    """R-2.88."""
    other = condition(code, **({"subject": None} | {name: {"reference": "Patient/pat-2"}}))
    with pytest.raises(OtherPatient) as refused:
        read(topic, searchset(condition(), other))
    assert refused.value.index == 1


@pytest.mark.parametrize(
    ("issues", "complete"),
    [
        pytest.param([{"severity": "error"}], False, id="an error"),
        pytest.param([{"severity": "fatal"}], False, id="a fatal error"),
        pytest.param([{}], False, id="an issue without severity"),
        pytest.param([{"severity": "warning"}, {"severity": "error"}], False, id="an error after a warning"),
        pytest.param([{"severity": "warning"}], True, id="a warning"),
        pytest.param([{"severity": "information"}], True, id="a remark"),
        pytest.param([], False, id="no issue at all"),
    ],
)
def test_an_outcome_in_the_bundle_that_tells_of_an_error_makes_the_section_incomplete(
    topic: Topic, issues: list[Any], complete: bool
) -> None:
    section = read(topic, searchset({"resourceType": "OperationOutcome", "issue": issues}, condition()))
    assert (section.complete, found_ids(section), section.seen_count) == (complete, ["condition-1"], 1)


def test_how_the_section_was_obtained_is_kept(topic: Topic) -> None:
    section = read(topic, searchset(), obtained=False, complete=False)
    assert (section.obtained, section.complete) == (False, False)


@pytest.mark.parametrize(
    ("resources", "obtained"),
    [
        pytest.param([procedure(STENOSIS)], False, id="only procedures"),
        pytest.param([procedure(STENOSIS), condition(ASTHMA)], True, id="conditions among procedures"),
        pytest.param([], True, id="nothing"),
    ],
)
def test_the_answer_to_another_question_is_no_answer(topic: Topic, resources: list[Any], obtained: bool) -> None:
    assert read(topic, searchset(*resources)).obtained is obtained


def test_procedures_are_read_from_their_own_section(topic: Topic) -> None:
    laminectomy = {"text": "Laminectomy L4"}
    section = read(topic, searchset(procedure(laminectomy), condition()), "Procedure")
    assert found_ids(section) == ["procedure-1"]


def spoken(*languages: tuple[Any, Any]) -> dict[str, Any]:
    return {"communication": [{"language": language, "preferred": preferred} for language, preferred in languages]}


def tag(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "urn:ietf:bcp:47", "code": code}]}


@pytest.mark.parametrize(
    ("elements", "language"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param(spoken((tag("es"), True)), "es", id="Spanish"),
        pytest.param(spoken((tag("es-MX"), True)), "es", id="Mexican Spanish"),
        pytest.param(spoken((tag(" ES"), True)), "es", id="upper case and a blank"),
        pytest.param(spoken((tag("en"), None), (tag("es"), True)), "es", id="the preferred one wins"),
        pytest.param(spoken((tag("en"), None), (tag("es"), None)), "en", id="else the first one"),
        pytest.param(spoken((tag("es"), "true")), "es", id="preferred as a string"),
        pytest.param(spoken(({"text": "Spanish"}, True)), None, id="words only"),
        pytest.param(spoken((tag(""), True)), None, id="an empty tag"),
        pytest.param({"communication": "es"}, None, id="a string for the list"),
        pytest.param({"communication": [7, {"language": tag("es")}]}, "es", id="a number in the list"),
        pytest.param(
            spoken((tag("spa"), True)),
            "es",
            id="Spanish in three letters",
        ),
        pytest.param(
            spoken((tag("est"), True)),
            "est",
            id="Estonian in three letters is not Spanish",
        ),
        pytest.param(
            spoken(({"text": "English"}, True), (tag("es"), None)),
            None,
            id="a preferred one in words only",
        ),
    ],
)
def test_the_language_is_the_preferred_one_as_its_primary_subtag(
    elements: dict[str, Any], language: str | None
) -> None:
    (entry,) = read_bundle(json.dumps(searchset(patient(**elements))).encode()).entries
    facts = read_patient(entry)
    assert facts is not None
    assert (facts.id, facts.language) == (PATIENT, language)


@pytest.mark.parametrize(
    ("born", "first", "last"),
    [
        pytest.param("2008-11-22", "2008-11-22", "2008-11-22", id="a day"),
        pytest.param("2008-11", "2008-11-01", "2008-11-30", id="a month"),
        pytest.param("2008", "2008-01-01", "2008-12-31", id="a year"),
        pytest.param("the 1980s", None, None, id="words"),
        pytest.param(None, None, None, id="nothing"),
    ],
)
def test_the_date_of_birth_is_as_precise_as_the_chart(born: str | None, first: str | None, last: str | None) -> None:
    (entry,) = read_bundle(json.dumps(searchset(patient(birthDate=born))).encode()).entries
    facts = read_patient(entry)
    assert facts is not None
    known = facts.birth_date
    assert (known and known.first.isoformat(), known and known.last.isoformat()) == (first, last)


def test_what_is_no_patient_has_no_facts() -> None:
    assert read_patient(None) is None
    (entry,) = read_bundle(json.dumps(searchset(condition())).encode()).entries
    assert read_patient(entry) is None
    (entry,) = read_bundle(json.dumps(searchset(patient())).encode()).entries
    assert read_patient(entry) == PatientFacts(PATIENT)
