"""What is being ordered and why: which drafts count, which are selected, and in which FHIR version they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cards.fhir.draft_orders import (
    FhirVersion,
    NotABundle,
    OtherPatient,
    read_draft_orders,
    refuse_other_patients,
)
from tests.cards.fhir.drafts import diagnostic_order, ids, read, referral
from tests.charts import LUMBAR_PUNCTURE, order


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
        pytest.param(referral(intent="order"), FhirVersion.STU3, id="ReferralRequest with intent is STU3"),
        pytest.param(referral(reason={"text": "x"}), FhirVersion.DSTU2, id="ReferralRequest without is DSTU2"),
        pytest.param(
            referral(requester={"reference": "Practitioner/1"}),
            FhirVersion.DSTU2,
            id="the requester of a ReferralRequest is DSTU2's, too",
        ),
        pytest.param(diagnostic_order(), FhirVersion.DSTU2, id="DiagnosticOrder is DSTU2"),
        pytest.param(diagnostic_order(note=[{"text": "x"}]), FhirVersion.DSTU2, id="whatever it holds"),
        pytest.param([order()], FhirVersion.R4, id="a list of one order is R4 as that order is"),
    ],
)
def test_the_shape_of_an_order_tells_its_fhir_version(draft: Any, version: FhirVersion) -> None:
    (found,) = read(draft)
    assert found.fhir_version is version
    assert [concept.coding[0].code for concept in found.what] == ["277762005"]


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
        pytest.param({"resourceType": "Observation"}, id="another resource"),
        pytest.param({"resourceType": None}, id="no resourceType"),
    ],
)
@pytest.mark.parametrize("resource_type", ["ServiceRequest", "ProcedureRequest"])
def test_what_is_over_or_was_never_meant_is_no_order(elements: Any, resource_type: str) -> None:
    """clinical.md 6, rule 4; R-2.73."""
    assert read(order(**({"resourceType": resource_type} | elements))) == ()


@pytest.mark.parametrize(
    "draft",
    [
        pytest.param(
            {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "Warfarin"}}, id="R4, STU3"
        ),
        pytest.param({"resourceType": "MedicationRequest", "medication": {"concept": {"text": "Warfarin"}}}, id="R5"),
        pytest.param(
            {"resourceType": "MedicationOrder", "medicationCodeableConcept": {"text": "Warfarin"}}, id="DSTU2"
        ),
    ],
)
def test_a_medication_is_kept_with_what_it_orders(draft: Any) -> None:
    (medication,) = read(draft | {"id": "m", "status": "draft"})
    assert medication.is_medication
    assert [concept.text for concept in medication.what] == ["Warfarin"]


@pytest.mark.parametrize(
    "code",
    [pytest.param({}, id="an empty code"), pytest.param(7, id="a number"), pytest.param({"coding": [{}]}, id="[{}]")],
)
def test_an_order_without_a_code_orders_nothing_and_keeps_its_reasons(code: Any) -> None:
    """The reference client sends such a draft before a study is picked (clients.md 2)."""
    (found,) = read(order(code, reasonCode=[{"text": "Lumbago"}]))
    assert found.what == ()
    assert [reason.text for reason in found.reasons] == ["Lumbago"]


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
def test_every_order_of_the_session_is_kept_and_tells_whether_it_is_selected(
    selections: list[str] | None, selected: list[str]
) -> None:
    """R-2.33."""
    entry = [{"fullUrl": f"urn:uuid:{one}", "resource": order(id=one)} for one in "ab"]
    drafts = json.dumps({"resourceType": "Bundle", "entry": entry}).encode()
    orders = read_draft_orders(drafts, selections)
    assert ids(orders) == ["a", "b"]
    assert [one.id for one in orders if one.selected] == selected


def test_an_order_without_an_id_is_never_selected() -> None:
    (found,) = read(order(id=None), selections=["ServiceRequest/None", "ServiceRequest/"])
    assert (found.id, found.selected) == (None, False)
    (found,) = read(order(id=None))
    assert (found.id, found.selected) == (None, True)


def test_an_order_counts_whatever_stands_beside_it() -> None:
    junk = [None, 7, "x", [], {}, {"resourceType": "ServiceRequest"}, order(id={"odd": 1})]
    assert ids(read(*junk, order(id="last"))) == [None, None, "last"]


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


def test_a_referral_of_dstu2_for_another_patient_is_refused() -> None:
    """R-4.51: DSTU2 calls the subject of a ReferralRequest its patient."""
    with pytest.raises(OtherPatient):
        refuse_other_patients(read(referral(patient={"reference": "Patient/pat-2"})), "pat-1")


@pytest.mark.parametrize(
    ("draft", "what"),
    [
        pytest.param(order({"text": "MRI"}), ["MRI"], id="the code of a ServiceRequest"),
        pytest.param(order({"concept": {"text": "MRI"}}), ["MRI"], id="the concept of a code in R5"),
        pytest.param(order({"reference": {"reference": "PlanDefinition/1"}}), [], id="no code but a reference in R5"),
        pytest.param(referral(type={"text": "Referral"}), ["Referral"], id="the type of a ReferralRequest"),
        pytest.param(
            referral(
                type=None, serviceRequested=[{"text": "Consult"}, {"text": "EMG"}], specialty={"text": "Neurology"}
            ),
            ["Consult", "EMG", "Neurology"],
            id="the services and the specialty of a ReferralRequest",
        ),
        pytest.param(
            diagnostic_order(item=[{"code": {"text": "MRI"}}, {}, {"code": {"text": "CT"}}]),
            ["MRI", "CT"],
            id="every item of a DiagnosticOrder",
        ),
        pytest.param(diagnostic_order(item={"code": {"text": "MRI"}}), ["MRI"], id="one item without its list"),
        pytest.param(diagnostic_order(item=None), [], id="no item"),
    ],
)
def test_what_is_ordered_is_told_under_each_name_it_has(draft: Any, what: list[str]) -> None:
    """design.md 4: the same reader takes every version."""
    (found,) = read(draft)
    assert [concept.text for concept in found.what] == what


@pytest.mark.parametrize(
    ("draft", "notes", "beside"),
    [
        pytest.param(order(orderDetail=[{"text": "numb"}]), ["numb"], [], id="details"),
        pytest.param(order(orderDetail=[{"coding": [{"display": "numb"}]}]), ["numb"], [], id="a coded detail"),
        pytest.param(order(orderDetail=[{"parameter": [{"valueString": "x"}]}]), [], [], id="details as R5 has them"),
        pytest.param(order(bodySite=[{"text": "Arm"}, {}]), [], ["Arm"], id="a body site"),
        pytest.param(order(bodySite={"text": "Arm"}), [], ["Arm"], id="a body site without its list"),
        pytest.param(referral(description="numb"), ["numb"], ["referral"], id="the description of a referral"),
        pytest.param(referral(description=["numb", 7]), [], ["referral"], id="a description that is none"),
    ],
)
def test_details_are_notes_and_a_body_site_belongs_to_what_is_ordered(
    draft: Any, notes: list[str], beside: list[str]
) -> None:
    (found,) = read(draft)
    assert ([*found.notes], [*found.beside]) == (notes, beside)
