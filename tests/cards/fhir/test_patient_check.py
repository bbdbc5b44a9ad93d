"""Whose entry this is: the patient of the call, somebody else, or unknown."""

from __future__ import annotations

import json

import pytest

from cards.fhir.bundle import read_bundle
from cards.fhir.patient_check import OtherPatient, Ownership
from cards.fhir.resources import Reference
from tests.charts import PATIENT, condition, patient


def ownership(*patients: tuple[str, str | None]) -> Ownership:
    """A chart with these Patients: fullUrl and id."""
    entry = [{"fullUrl": url, "resource": patient(id=patient_id)} for url, patient_id in patients]
    bundle = {"resourceType": "Bundle", "entry": [*entry, {"resource": condition()}, {"fullUrl": "urn:uuid:nobody"}]}
    return Ownership(PATIENT, read_bundle(json.dumps(bundle).encode()).entries)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(f"Patient/{PATIENT}", id="relative"),
        pytest.param(f"https://fhir.example.org/r4/Patient/{PATIENT}", id="absolute"),
        pytest.param(f"Patient/{PATIENT}/_history/3", id="with a version"),
        pytest.param(f"https://fhir.example.org/Patient/{PATIENT}/_history/3", id="absolute with a version"),
        pytest.param(f" Patient/{PATIENT} ", id="with blanks"),
        pytest.param(f"urn:uuid:{PATIENT}", id="as a uuid"),
        pytest.param(PATIENT, id="the bare id"),
        pytest.param("urn:uuid:0001", id="a Patient of the same Bundle, as Synthea writes it"),
    ],
)
def test_a_reference_to_the_patient_of_the_call_is_ours_in_any_form(reference: str) -> None:
    assert ownership(("urn:uuid:0001", PATIENT)).is_ours(Reference(reference), 0) is True


def test_an_entry_without_a_subject_is_ours() -> None:
    assert ownership().is_ours(None, 0) is True


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("Patient/pat-2", id="relative"),
        pytest.param("https://fhir.example.org/Patient/pat-2", id="absolute"),
        pytest.param("Patient/pat-11", id="an id that begins alike"),
        pytest.param("Patient/PAT-1", id="ids are case-sensitive"),
        pytest.param("Patient/pat-2/_history/pat-1", id="our id as somebody's version"),
        pytest.param("urn:uuid:0002", id="another Patient of the same Bundle"),
    ],
)
def test_a_reference_to_somebody_else_is_refused_with_its_place(reference: str) -> None:
    """R-2.88: two people are never mixed."""
    asked = ownership(("urn:uuid:0001", PATIENT), ("urn:uuid:0002", "pat-2"))
    with pytest.raises(OtherPatient) as refused:
        asked.is_ours(Reference(reference), 4)
    assert refused.value.index == 4
    assert "pat-2" not in str(refused.value)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("urn:uuid:0009", id="a uuid that nothing resolves"),
        pytest.param("urn:uuid:0003", id="a Patient without an id"),
        pytest.param("#patient", id="a contained resource"),
        pytest.param("Group/7", id="a group"),
        pytest.param("", id="an empty reference"),
        pytest.param(None, id="a subject without a reference"),
    ],
)
def test_a_reference_that_cannot_be_resolved_is_not_ours_and_no_reason_to_refuse(reference: str | None) -> None:
    asked = ownership(("urn:uuid:0001", PATIENT), ("urn:uuid:0003", None))
    assert asked.is_ours(Reference(reference), 0) is False
    assert asked.is_ours(Reference(reference), 1) is False


def test_somebody_else_is_refused_each_time() -> None:
    asked = ownership()
    for index in (1, 2):
        with pytest.raises(OtherPatient):
            asked.is_ours(Reference("Patient/pat-2"), index)
