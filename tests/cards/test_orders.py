"""What is being ordered: which drafts count, in which FHIR version, and which of them is a lumbar puncture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cards.orders import (
    DraftOrder,
    FhirVersion,
    NotABundle,
    OtherPatient,
    read_draft_orders,
    refuse_other_patients,
)
from tests.charts import LUMBAR_PUNCTURE, order, searchset


def read(*resources: Any, selections: list[str] | None = None) -> tuple[DraftOrder, ...]:
    return read_draft_orders(json.dumps(searchset(*resources)).encode(), selections)


def ids(orders: tuple[DraftOrder, ...]) -> list[str | None]:
    return [one.id for one in orders]


@pytest.mark.parametrize(
    ("draft", "version"),
    [
        pytest.param(order(), FhirVersion.R4, id="ServiceRequest is R4"),
        pytest.param(order(reasonCode=[{"text": "x"}]), FhirVersion.R4, id="reasonCode is R4's"),
        pytest.param(order({"concept": LUMBAR_PUNCTURE}), FhirVersion.R5, id="code.concept is R5's"),
        pytest.param(order(reason=[{"concept": {"text": "x"}}]), FhirVersion.R5, id="reason is R5's"),
        pytest.param(
            order(resourceType="ProcedureRequest"), FhirVersion.STU3, id="ProcedureRequest with intent is STU3"
        ),
        pytest.param(
            order(resourceType="ProcedureRequest", intent=None),
            FhirVersion.DSTU2,
            id="ProcedureRequest without is DSTU2",
        ),
        pytest.param(
            order(resourceType="ProcedureRequest", intent=None, note=[]), FhirVersion.STU3, id="note is STU3's"
        ),
        pytest.param(
            order(resourceType="ProcedureRequest", intent=None, notes=[]), FhirVersion.DSTU2, id="notes are DSTU2's"
        ),
    ],
)
def test_the_shape_of_an_order_tells_its_fhir_version(draft: Any, version: FhirVersion) -> None:
    (found,) = read(draft)
    assert found.fhir_version is version
    assert found.concept.coding[0].code == "277762005"


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"status": "revoked"}, id="revoked"),
        pytest.param({"status": "entered-in-error"}, id="entered in error"),
        pytest.param({"status": "completed"}, id="completed"),
        pytest.param({"status": "cancelled"}, id="DSTU2 cancelled"),
        pytest.param({"status": "rejected"}, id="DSTU2 rejected"),
        pytest.param({"status": "aborted"}, id="DSTU2 aborted"),
        pytest.param({"status": "stopped"}, id="stopped"),
        pytest.param({"status": " Revoked "}, id="capital letter and blanks"),
        pytest.param({"doNotPerform": True}, id="doNotPerform"),
        pytest.param({"doNotPerform": "true"}, id="doNotPerform as a string"),
        pytest.param({"doNotPerform": [True]}, id="doNotPerform in a list"),
        pytest.param(
            {"doNotPerform": "TRUE"},
            id="doNotPerform in capital letters",
        ),
        pytest.param({"code": 7}, id="a number for a code"),
        pytest.param({"resourceType": "MedicationRequest"}, id="a medication"),
        pytest.param({"resourceType": "Observation"}, id="another resource"),
        pytest.param({"resourceType": None}, id="no resourceType"),
    ],
)
@pytest.mark.parametrize("resource_type", ["ServiceRequest", "ProcedureRequest"])
def test_what_is_over_or_was_never_meant_is_no_order(elements: Any, resource_type: str) -> None:
    """clinical.md 6, rule 4; R-2.73."""
    assert read(order(**({"resourceType": resource_type} | elements))) == ()


def test_an_order_without_a_code_is_no_order() -> None:
    assert read({name: value for name, value in order().items() if name != "code"}) == ()


@pytest.mark.parametrize("status", ["draft", "active", "on-hold", "unknown", "proposed", "requested", None, 7, {}])
def test_an_order_in_any_other_status_counts(status: Any) -> None:
    assert ids(read(order(status=status))) == ["order-1"]


@pytest.mark.parametrize("value", [False, "false", None])
def test_an_order_that_says_it_is_to_be_performed_counts(value: Any) -> None:
    assert ids(read(order(doNotPerform=value))) == ["order-1"]


@pytest.mark.parametrize(
    ("priority", "read_as"),
    [("STAT ", "stat"), ("routine", "routine"), (["urgent"], "urgent"), ({}, None), ("", None), (None, None)],
)
def test_the_priority_is_read_in_any_case(priority: Any, read_as: str | None) -> None:
    (found,) = read(order(priority=priority))
    assert found.priority == read_as


@pytest.mark.parametrize(
    ("selections", "selected"),
    [
        pytest.param(None, ["a", "b"], id="order-sign selects nothing, so all count"),
        pytest.param(["ServiceRequest/a"], ["a"], id="by Type and id"),
        pytest.param(["ServiceRequest/b", "ServiceRequest/a"], ["a", "b"], id="two of them"),
        pytest.param(["urn:uuid:b"], ["b"], id="by fullUrl"),
        pytest.param(["https://fhir.example.org/r4/ServiceRequest/a"], ["a"], id="by absolute URL"),
        pytest.param(["MedicationRequest/a"], [], id="another type"),
        pytest.param(["a"], [], id="the bare id"),
        pytest.param(["ServiceRequest/aa", "XServiceRequest/a"], [], id="names that only end or begin alike"),
        pytest.param([], [], id="nothing selected"),
        pytest.param([""], [], id="an empty selection"),
    ],
)
def test_with_selections_only_what_is_selected_counts(selections: list[str] | None, selected: list[str]) -> None:
    """R-2.33."""
    entry = [{"fullUrl": f"urn:uuid:{one}", "resource": order(id=one)} for one in "ab"]
    drafts = json.dumps({"resourceType": "Bundle", "entry": entry}).encode()
    assert ids(read_draft_orders(drafts, selections)) == selected


def test_an_order_without_an_id_is_never_selected() -> None:
    assert read(order(id=None), selections=["ServiceRequest/None", "ServiceRequest/"]) == ()
    assert ids(read(order(id=None))) == [None]


def test_an_order_counts_whatever_stands_beside_it() -> None:
    junk = [None, 7, "x", [], {}, {"resourceType": "ServiceRequest"}, order(id={"odd": 1})]
    assert ids(read(*junk, order(id="last"))) == [None, "last"]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        pytest.param([order()], ["order-1"], id="a bare resource for an entry"),
        pytest.param({"resource": order()}, ["order-1"], id="one entry without its list"),
        pytest.param([None, 7, [], {"resource": order()}], ["order-1"], id="entries that are no objects"),
        pytest.param(None, [], id="null"),
    ],
)
def test_odd_entries_are_passed_over(entry: Any, found: list[str]) -> None:
    assert ids(read_draft_orders(json.dumps({"resourceType": "Bundle", "entry": entry}).encode(), None)) == found


def test_an_entry_that_is_odd_and_not_utf_8_is_passed_over() -> None:
    good = json.dumps(order()).encode()
    drafts = b'{"resourceType": "Bundle", "entry": [{"resource": {"id": {}, "x": "\xff"}}, {"resource": %s}]}' % good
    assert ids(read_draft_orders(drafts, None)) == ["order-1"]


@pytest.mark.parametrize("raw", [b"", b"{", b"7", b"[]", b'{"entry": []}', b'{"resourceType": "List", "entry": []}'])
def test_what_is_no_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(NotABundle):
        read_draft_orders(raw, None)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param({"reference": "Patient/pat-1"}, id="the patient of the call"),
        pytest.param({"reference": "https://fhir.example.org/Patient/pat-1"}, id="by absolute URL"),
        pytest.param({"reference": "urn:uuid:77"}, id="a reference that cannot be resolved"),
        pytest.param({"display": "somebody"}, id="no reference"),
        pytest.param(None, id="no subject"),
    ],
)
def test_an_order_that_names_nobody_else_is_accepted(subject: Any) -> None:
    assert refuse_other_patients(read(order(subject=subject)), "pat-1") is None


def test_an_order_for_another_patient_is_refused_with_its_place() -> None:
    """R-4.51."""
    orders = read(order(), order(subject={"reference": "Patient/pat-2"}))
    with pytest.raises(OtherPatient) as refused:
        refuse_other_patients(orders, "pat-1")
    assert refused.value.index == 1
