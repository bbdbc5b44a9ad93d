"""The draft of a referral: a new resource, valid in the FHIR version of the session's drafts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest as R4ServiceRequest
from fhir.resources.servicerequest import ServiceRequest as R5ServiceRequest
from fhir.resources.STU3.referralrequest import ReferralRequest as STU3ReferralRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from cards.card import Coding
from cards.fhir.draft_orders import FhirVersion, OtherPatient, read_draft_orders, refuse_other_patients
from cards.fhir.referral import draft_referral
from cards.topic import Topic
from tests.charts import PATIENT, SNOMED, searchset

NEUROLOGY = Coding(SNOMED, "183521007", "Referral to neurology service")
WHY = "Back pain after a lumbar puncture"
WHAT = {"coding": [{"system": SNOMED, "code": "183521007", "display": "Referral to neurology service"}]}
WHOSE = {"reference": f"Patient/{PATIENT}"}
EVIDENCE = {"reference": "Condition/pain-1"}
DRAFTED = {"status": "draft", "intent": "order", "priority": "routine", "subject": WHOSE}
every_version = pytest.mark.parametrize("version", list(FhirVersion))


def drafted(version: FhirVersion, condition_id: str | None = "pain-1") -> Any:
    return json.loads(draft_referral(version, PATIENT, NEUROLOGY, WHY, condition_id))


@pytest.mark.parametrize(
    ("version", "resource"),
    [
        pytest.param(
            FhirVersion.R4,
            DRAFTED
            | {"resourceType": "ServiceRequest", "code": WHAT}
            | {"reasonCode": [{"text": WHY}], "reasonReference": [EVIDENCE]},
            id="R4 ServiceRequest",
        ),
        pytest.param(
            FhirVersion.R5,
            DRAFTED
            | {"resourceType": "ServiceRequest", "code": {"concept": WHAT}}
            | {"reason": [{"concept": {"text": WHY}}, {"reference": EVIDENCE}]},
            id="R5 ServiceRequest",
        ),
        pytest.param(
            FhirVersion.STU3,
            DRAFTED
            | {"resourceType": "ReferralRequest", "type": WHAT, "serviceRequested": [WHAT]}
            | {"reasonCode": [{"text": WHY}], "reasonReference": [EVIDENCE]},
            id="STU3 ReferralRequest",
        ),
        pytest.param(
            FhirVersion.DSTU2,
            {"resourceType": "ReferralRequest", "status": "draft", "patient": WHOSE}
            | {"type": WHAT, "serviceRequested": [WHAT], "reason": {"text": WHY}},
            id="DSTU2 ReferralRequest, which has a patient, one reason and neither intent nor reference",
        ),
    ],
)
def test_a_referral_has_the_shape_of_its_version(version: FhirVersion, resource: Any) -> None:
    """R-4.47, R-4.51: a new resource, so without an id, of this patient. design.md 5."""
    assert drafted(version) == resource


@pytest.mark.parametrize(
    ("version", "model"),
    [
        pytest.param(FhirVersion.R4, R4ServiceRequest, id="R4"),
        pytest.param(FhirVersion.R5, R5ServiceRequest, id="R5"),
        pytest.param(FhirVersion.STU3, STU3ReferralRequest, id="STU3"),
    ],
)
@pytest.mark.parametrize("condition_id", ["pain-1", None], ids=["with a Condition", "without a Condition"])
def test_a_referral_is_valid_fhir(version: FhirVersion, model: Any, condition_id: str | None) -> None:
    """design.md 4: everything we author is valid in the client's version."""
    resource = drafted(version, condition_id)
    assert model.model_validate(resource).model_dump(mode="json", exclude_none=True) == resource


@every_version
def test_without_an_id_of_the_condition_the_reason_is_told_in_words_alone(version: FhirVersion) -> None:
    for condition_id in (None, ""):
        assert "Condition/" not in json.dumps(drafted(version, condition_id))
        assert WHY in json.dumps(drafted(version, condition_id))


@every_version
def test_a_referral_is_read_back_as_what_was_meant(topic: Topic, version: FhirVersion) -> None:
    """An accepted referral stands among the drafts of the next call, and then is not offered again."""
    (order,) = read_draft_orders(json.dumps(searchset(drafted(version))).encode(), None)
    assert order.fhir_version is version
    assert [reason.text for reason in order.reasons] == [WHY]
    assert order.reason_references == (() if version is FhirVersion.DSTU2 else ("Condition/pain-1",))
    assert "neurology-referral" in {match.value_set for match in topic.orders.match(order.what[0])}
    refuse_other_patients([order], PATIENT)
    with pytest.raises(OtherPatient):
        refuse_other_patients([order], "somebody-else")


@every_version
def test_every_referral_that_the_settings_offer_is_known_as_ordered_once_it_is(
    topic: Topic, version: FhirVersion
) -> None:
    for referral in topic.service.after_puncture.referrals.values():
        draft = draft_referral(version, PATIENT, referral.code, WHY, None)
        (order,) = read_draft_orders(json.dumps(searchset(json.loads(draft))).encode(), None)
        assert referral.value_set in {match.value_set for match in topic.orders.match(order.what[0])}


@settings(max_examples=200, deadline=None)
@given(
    version=st.sampled_from(FhirVersion),
    patient_id=st.text(min_size=1).filter(str.strip),
    condition_id=st.none() | st.text(),
)
def test_no_id_of_a_chart_breaks_a_referral(version: FhirVersion, patient_id: str, condition_id: str | None) -> None:
    """R-4.17: never a 5xx, whatever a client calls its resources."""
    resource = json.loads(draft_referral(version, patient_id, NEUROLOGY, WHY, condition_id))
    assert (resource.get("subject") or resource["patient"])["reference"] == f"Patient/{patient_id}"


@every_version
def test_no_id_of_one_patient_stands_in_the_referral_of_the_next(version: FhirVersion) -> None:
    for patient, condition in (("anna", "pain-of-anna"), ("ben", None), ("cleo", "pain-of-cleo")):
        draft = json.loads(draft_referral(version, patient, NEUROLOGY, WHY, condition))
        told = json.dumps(draft)
        assert [name for name in ("anna", "ben", "cleo") if name in told] == [patient]
        assert (f'"Condition/{condition}"' in told) is (condition is not None and version is not FhirVersion.DSTU2)
