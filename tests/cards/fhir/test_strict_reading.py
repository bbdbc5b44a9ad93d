"""What a strict library rejects, and where; never the value itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cards.fhir.draft_orders import FhirVersion
from cards.fhir.strict_reading import Objection, has_models, read_strictly
from tests.charts import ASTHMA, condition, order, patient, procedure, searchset

NAME = "Condition/condition-1"
SECRET = "Jane Doe of Main Street"  # noqa: S105 - what must not come back


def objections(resource: Any, version: FhirVersion = FhirVersion.R4) -> list[tuple[str, str, str]]:
    read = read_strictly([("prefetch.x", json.dumps(searchset(resource)).encode())], version)
    assert (read.total, read.valid) == (1, 0 if read.objections else 1)
    return [(one.resource, one.path, one.message) for one in read.objections]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        pytest.param(condition(), [], id="valid"),
        pytest.param(
            condition(onsetDateTime=SECRET),
            [(NAME, "onsetDateTime", "DateTime value string does not match spec regex.")],
            id="no date",
        ),
        pytest.param(
            condition(onsetDateTime="2023-06-31"),
            [(NAME, "onsetDateTime", "Input should be a valid datetime or date, day value is outside expected range")],
            id="a date that does not exist",
        ),
        pytest.param(
            condition({"coding": [{"code": " 1 "}]}),
            [(NAME, "code.coding[0].code", r"String should match pattern '^[^\s]+(\s[^\s]+)*$'")],
            id="deep inside",
        ),
        pytest.param(
            condition([ASTHMA]),  # type: ignore[arg-type]
            [(NAME, "code", "Value is expected from the instance of CodeableConcept, but got type <class 'list'>")],
            id="a list of one",
        ),
        pytest.param(
            condition(subject=None, onset=SECRET),
            [(NAME, "onset", "Extra inputs are not permitted"), (NAME, "subject", "Field required")],
            id="two faults, in the order of their paths",
        ),
        pytest.param(
            condition(id=None, clinicalStatus="active"),
            [("Condition (prefetch.x[0])", "clinicalStatus", "Invalid JSON: expected value at line 1 column 1")],
            id="no id",
        ),
        pytest.param(
            condition(contained=[{"resourceType": "Nonsense"}]),
            [(NAME, "", "the library itself fails (KeyError)")],
            id="an unknown type inside",
        ),
        pytest.param(
            {"resourceType": "Nonsense", "id": "1"},
            [("Nonsense/1", "resourceType", "no resource type of R4")],
            id="an unknown type",
        ),
        pytest.param(
            {"resourceType": "Coding", "id": "1"},
            [("Coding/1", "resourceType", "no resource type of R4")],
            id="a data type",
        ),
        pytest.param({"resourceType": 7}, [("prefetch.x[0]", "resourceType", "no FHIR resource")], id="an odd type"),
        pytest.param(None, [("prefetch.x[0]", "resourceType", "no FHIR resource")], id="null"),
    ],
)
def test_why_a_resource_is_not_valid(resource: Any, expected: list[tuple[str, str, str]]) -> None:
    found = objections(resource)
    assert found == expected
    assert SECRET not in str(found)


def test_each_version_has_its_own_models() -> None:
    without_status = condition(clinicalStatus=None)
    assert objections(without_status) == []
    assert objections(without_status, FhirVersion.R5) == [(NAME, "clinicalStatus", "Field required")]
    old = condition(clinicalStatus="active", verificationStatus="confirmed", assertedDate="2020", recordedDate=None)
    assert objections(old, FhirVersion.STU3) == []
    assert [version for version in FhirVersion if not has_models(version)] == [FhirVersion.DSTU2]


def test_every_resource_is_read_once_wherever_it_stands() -> None:
    parts = [
        ("draftOrders", searchset(order(), order())),
        ("prefetch.patient", patient()),
        ("prefetch.conditions", [condition(), {"resource": condition()}]),
        ("prefetch.procedures", {"resource": procedure(ASTHMA)}),
        ("prefetch.nothing", None),
        ("prefetch.single", {"resourceType": "Bundle", "entry": {"resource": condition()}}),
        ("prefetch.empty", {"resourceType": "Bundle", "entry": None}),
    ]
    read = read_strictly([(part, json.dumps(value).encode()) for part, value in parts], FhirVersion.R4)
    assert (read.total, read.valid, read.objections) == (7, 7, ())


def test_what_nests_without_end_is_an_objection_not_a_fault() -> None:
    for depth in (300, 5_000):
        nested = b'{"url":"x","extension":[' * depth + b"]}" * depth
        raw = b'{"resourceType":"Condition","id":"1","extension":[%b]}' % nested
        (objection,) = read_strictly([("prefetch.x", raw)], FhirVersion.R4).objections
        assert objection in (
            Objection("Condition/1", "", "the library itself fails (RecursionError)"),
            Objection("prefetch.x", "resourceType", "no FHIR resource"),
        )
