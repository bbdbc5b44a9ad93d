"""Orders that work up back pain after a lumbar puncture: which are ours, what is read for them, what they get.

design.md 5; every test goes through the real application.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from tests.charts import (
    ASTHMA,
    CPT,
    ICD_10_CM,
    LUMBAR_PUNCTURE,
    PATIENT,
    SNOMED,
    Json,
    cards_of,
    coded,
    condition,
    hook_call,
    order,
    patient,
    post,
    prefetch,
    procedure,
    searchset,
)
from tests.fake_fhir_server import BASE, FakeFhirServer

TODAY = date(2026, 11, 22)
CONDITIONS = f"Condition?patient={PATIENT}&_count=500"
PROCEDURES = f"Procedure?patient={PATIENT}&_count=500"
EVERYTHING = [CONDITIONS, f"Patient/{PATIENT}", PROCEDURES]  # in the order of FakeFhirServer.asked
BEARER = {"access_token": "made-up-token", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
LUMBAGO = coded(ICD_10_CM, "M54.50", "Low back pain, unspecified")
MRI = coded(CPT, "72148")
EMG = coded(CPT, "95886")
CHEST_X_RAY = {"text": "Chest X-ray"}
NEUROLOGY = coded(SNOMED, "183521007", "Referral to neurology service")
SPINE = coded(SNOMED, "183545006", "Referral to orthopedic service")
REFER = ["Refer to neurology", "Refer to a spine specialist"]
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


PUNCTURE = procedure(LUMBAR_PUNCTURE, id="lp", performedDateTime=days_ago(30))
PAIN = condition(LUMBAGO, id="pain", onsetDateTime=days_ago(28))
CHART = prefetch(PAIN, procedures=[PUNCTURE])


def after_puncture(*drafts: Any, **elements: Any) -> Json:
    """A call with these orders, 30 days after a lumbar puncture and with back pain since two days after it."""
    return hook_call(*drafts, **({"prefetch": CHART} | elements))


def order_select(call: Json, *selections: str) -> Json:
    return call | {"hook": "order-select", "context": call["context"] | {"selections": list(selections)}}


def referral_request(code: Any, **elements: Any) -> Json:
    """A ReferralRequest in draft, STU3; None elements are left out."""
    draft = {"resourceType": "ReferralRequest", "id": "r1", "status": "draft", "intent": "order"}
    draft |= {"serviceRequested": [code], "subject": {"reference": f"Patient/{PATIENT}"}} | elements
    return {name: value for name, value in draft.items() if value is not None}


def offered(card: Json) -> list[str]:
    return [one["label"] for one in card.get("suggestions", [])]


def serve_chart(server: FakeFhirServer) -> None:
    server.answers |= {
        f"Patient/{PATIENT}": patient(),
        CONDITIONS: searchset(PAIN),
        PROCEDURES: searchset(PUNCTURE),
    }


# --- which orders are ours


WORK_UPS = [
    pytest.param(order(MRI), id="MRI of the lumbar spine"),
    pytest.param(order({"text": "MRI lumbar spine without contrast"}), id="the same in words"),
    pytest.param(order(EMG), id="electromyography"),
    pytest.param(order({"text": "Nerve conduction study, legs"}), id="nerve conduction in words"),
    pytest.param(order(NEUROLOGY), id="a referral to neurology"),
    pytest.param(order(SPINE), id="a referral to a spine specialist"),
    pytest.param(order({"text": "Referral to pain clinic"}), id="a referral to the pain clinic"),
    pytest.param(order({"text": "Physical therapy evaluation"}), id="a physical therapy evaluation"),
    pytest.param(order(CHEST_X_RAY, reasonCode=[LUMBAGO]), id="anything for low back pain"),
    pytest.param(
        order(CHEST_X_RAY, reasonCode=[ASTHMA, {"text": "Dolor lumbar"}]), id="for back pain in Spanish words"
    ),
    pytest.param(order(CHEST_X_RAY, reasonCode=[{"text": "Numbness in both legs"}]), id="anything for numb legs"),
    pytest.param(order(CHEST_X_RAY, reasonCode=[{"text": "possible low back pain"}]), id="for pain that is in doubt"),
    pytest.param(order({"concept": CHEST_X_RAY}, reason=[{"concept": LUMBAGO}]), id="for low back pain in R5"),
    pytest.param(
        order(CHEST_X_RAY, resourceType="ProcedureRequest", reasonCode=[LUMBAGO]), id="for low back pain in STU3"
    ),
    pytest.param(
        order(CHEST_X_RAY, resourceType="ProcedureRequest", intent=None, reasonCodeableConcept=LUMBAGO),
        id="for low back pain in DSTU2",
    ),
    pytest.param(referral_request(NEUROLOGY), id="a referral in STU3"),
    pytest.param(
        referral_request(NEUROLOGY, intent=None, subject=None, patient={"reference": f"Patient/{PATIENT}"}),
        id="a referral in DSTU2",
    ),
    pytest.param(referral_request(CHEST_X_RAY, specialty={"text": "Referral to neurology"}), id="by its specialty"),
    pytest.param(
        {"resourceType": "DiagnosticOrder", "id": "d", "item": [{"code": CHEST_X_RAY}, {"code": MRI}]},
        id="the second item of a DSTU2 DiagnosticOrder",
    ),
    pytest.param([order(MRI)], id="an order that stands in a list of one"),
]


@pytest.mark.parametrize("draft", WORK_UPS)
def test_a_work_up_after_a_puncture_gets_the_card_on_pain(draft: Any, client: FlaskClient) -> None:
    """design.md 5, what is ours."""
    assert list(cards_of(client, after_puncture(draft))) == ["pain-after-puncture"]


SILENT = [
    pytest.param(order(CHEST_X_RAY), id="an order for something else"),
    pytest.param(order(CHEST_X_RAY, reasonCode=[ASTHMA]), id="an order for another reason"),
    pytest.param(order(CHEST_X_RAY, reasonCode=[{"text": "Lumbar puncture"}]), id="an order because of a puncture"),
    pytest.param(order(CHEST_X_RAY, reasonCode=[{"text": "no back pain"}]), id="for pain that is denied"),
    pytest.param(order({"text": "MRI brain"}), id="an MRI of the head"),
    pytest.param(order(MRI, status="revoked"), id="a work-up that was revoked"),
    pytest.param(order(MRI, doNotPerform=True), id="a work-up that is not to be done"),
]
NO_SERVICE_ORDERS = [
    pytest.param("MedicationRequest", id="R4 MedicationRequest"),
    pytest.param("MedicationOrder", id="DSTU2 MedicationOrder"),
    pytest.param("DeviceRequest", id="DeviceRequest"),
    pytest.param("NutritionOrder", id="NutritionOrder"),
    pytest.param("Task", id="Task"),
]


@pytest.mark.parametrize("draft", SILENT)
def test_other_orders_after_a_puncture_get_nothing_and_read_nothing(
    draft: Any, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    assert cards_of(client, after_puncture(draft, prefetch=None, fhirServer=BASE)) == {}
    assert fhir_server.requests == []


@pytest.mark.parametrize("resource_type", NO_SERVICE_ORDERS)
def test_a_medication_for_back_pain_gets_nothing_and_reads_nothing(
    resource_type: str, client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """design.md 5: any service order, never a medication."""
    draft = order(MRI, resourceType=resource_type, reasonCode=[LUMBAGO])
    draft |= {"medicationCodeableConcept": {"text": "Ibuprofen"}, "reasonReference": [{"reference": "Condition/pain"}]}
    assert cards_of(client, after_puncture(draft, fhirServer=BASE)) == {}
    assert fhir_server.requests == []


def test_only_a_selected_work_up_counts(client: FlaskClient) -> None:
    """design.md 5: order-select speaks of the selected orders."""
    call = after_puncture(order(MRI, id="mri"), order(CHEST_X_RAY, id="x-ray"))
    assert list(cards_of(client, order_select(call, "ServiceRequest/mri"))) == ["pain-after-puncture"]
    assert cards_of(client, order_select(call, "ServiceRequest/x-ray")) == {}


@pytest.mark.parametrize(
    ("procedures", "cards"),
    [
        pytest.param([PUNCTURE], ["pain-after-puncture"], id="a puncture in the look-back"),
        pytest.param([], [], id="no puncture"),
        pytest.param([procedure({"text": "Epidural steroid injection"})], [], id="a near miss"),
        pytest.param([PUNCTURE | {"status": "not-done"}], [], id="a puncture that was not done"),
        pytest.param([PUNCTURE | {"status": "stopped"}], [], id="a puncture that was stopped"),
        pytest.param(
            [PUNCTURE | {"performedDateTime": days_ago(365)}],
            ["pain-after-puncture"],
            id="the last day of the look-back",
        ),
        pytest.param([PUNCTURE | {"performedDateTime": days_ago(366)}], [], id="the day before the look-back"),
        pytest.param(
            [procedure(LUMBAR_PUNCTURE, performedDateTime=None)], ["pain-after-puncture"], id="without a date"
        ),
    ],
)
def test_a_work_up_counts_where_a_puncture_was_completed_in_the_look_back(
    procedures: list[Json], cards: list[str], client: FlaskClient
) -> None:
    """design.md 5: within 365 days, and an undated one counts."""
    assert list(cards_of(client, hook_call(order(MRI), prefetch=prefetch(PAIN, procedures=procedures)))) == cards


UNTOLD = {"resourceType": "Condition", "id": "c1", "onsetString": "since the fall"}


@pytest.mark.parametrize(
    ("elements", "told"),
    [
        pytest.param({"reasonCode": [ASTHMA]}, True, id="another reason by code"),
        pytest.param({"reasonCode": [{"text": "Follow-up of known scoliosis"}]}, True, id="another reason in words"),
        pytest.param({}, False, id="no reason"),
        pytest.param({"reasonCode": [{"coding": [{}]}]}, False, id="a reason that says nothing"),
        pytest.param({"reasonCode": [ASTHMA, LUMBAGO]}, False, id="back pain among the reasons"),
        pytest.param(
            {"reasonCode": [ASTHMA], "reasonReference": [{"reference": "Observation/1"}]}, False, id="half told"
        ),
        pytest.param(
            {"contained": [UNTOLD], "reasonReference": [{"reference": "#c1"}]},
            False,
            id="a reason without code or word",
        ),
    ],
)
def test_a_work_up_for_another_reason_is_left_in_peace_where_nobody_complains(
    elements: Json, told: bool, client: FlaskClient
) -> None:
    quiet = prefetch(condition(ASTHMA), procedures=[PUNCTURE])
    assert list(cards_of(client, hook_call(order(MRI, **elements), prefetch=quiet))) == (
        [] if told else ["pain-after-puncture"]
    )
    assert list(cards_of(client, after_puncture(order(MRI, **elements)))) == ["pain-after-puncture"]


# --- reasons that are told elsewhere


def referring(*references: str, **elements: Any) -> Json:
    """An order that says nothing of back pain but by reference."""
    return order(CHEST_X_RAY, reasonReference=[{"reference": one} for one in references], **elements)


REASON = condition(LUMBAGO, id="why", onsetDateTime=days_ago(28))


def test_a_reason_in_prefetch_is_looked_up_there(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    call = after_puncture(referring("Condition/pain"), fhirServer=BASE)
    assert list(cards_of(client, call)) == ["pain-after-puncture"]
    assert fhir_server.requests == []


@pytest.mark.parametrize(
    ("answer", "cards", "asked"),
    [
        pytest.param(REASON, ["pain-after-puncture"], ["Condition/why", *EVERYTHING], id="back pain"),
        pytest.param(REASON | {"code": ASTHMA}, [], ["Condition/why"], id="another condition"),
        pytest.param(REASON | {"code": {}}, [], ["Condition/why"], id="a condition without a code"),
        pytest.param(
            REASON | {"subject": {"reference": "Patient/pat-2"}}, [], ["Condition/why"], id="somebody else's back pain"
        ),
        pytest.param(
            REASON | {"subject": {"reference": "urn:uuid:1"}},
            [],
            ["Condition/why"],
            id="back pain of nobody knows whom",
        ),
        pytest.param(
            {"resourceType": "Observation", "id": "why", "code": LUMBAGO}, [], ["Condition/why"], id="no Condition"
        ),
        pytest.param(FAILED, [], ["Condition/why"], id="an OperationOutcome"),
        pytest.param((404, FAILED), [], ["Condition/why"], id="404"),
        pytest.param((403, REASON), [], ["Condition/why"], id="403"),
        pytest.param(b"<html>", [], ["Condition/why"], id="a login page"),
    ],
)
def test_only_that_condition_is_requested_before_it_is_decided(
    answer: Any, cards: list[str], asked: list[str], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """design.md 5: the Condition first and alone; the chart only where it is back pain."""
    serve_chart(fhir_server)
    fhir_server.answers["Condition/why"] = answer
    call = hook_call(referring("Condition/why"), prefetch=None, fhirServer=BASE, fhirAuthorization=BEARER)
    assert list(cards_of(client, call)) == cards
    assert fhir_server.asked == sorted(asked)
    assert fhir_server.requests[0].url == f"{BASE}/Condition/why"
    assert {one.headers["Authorization"] for one in fhir_server.requests} == {"Bearer made-up-token"}


@pytest.mark.parametrize(
    ("reason", "cards"),
    [
        pytest.param(REASON, ["pain-after-puncture"], id="this patient's"),
        pytest.param(REASON | {"subject": {"reference": "Patient/pat-2"}}, [], id="another patient's"),
    ],
)
def test_the_reason_of_another_patient_in_prefetch_is_never_used(
    reason: Json, cards: list[str], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """R-2.88: the order is then nothing of ours, and the rest of the chart is not looked at."""
    given = CHART | {"conditions": searchset(reason)}
    assert list(cards_of(client, after_puncture(referring("Condition/why"), prefetch=given, fhirServer=BASE))) == cards
    assert fhir_server.requests == []


def test_a_resource_of_another_type_with_the_same_id_is_not_taken_for_the_reason(
    client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """FHIR ids are unique within a type only: the Condition is looked up."""
    fhir_server.answers["Condition/why"] = REASON
    encounter = {"resourceType": "Encounter", "id": "why"}
    given = prefetch(PAIN, encounter, procedures=[PUNCTURE])
    call = after_puncture(referring("Condition/why"), prefetch=given, fhirServer=BASE)
    assert list(cards_of(client, call)) == ["pain-after-puncture"]
    assert fhir_server.asked == ["Condition/why"]


@pytest.mark.parametrize(
    ("answer", "cards"),
    [
        pytest.param(REASON, ["pain-after-puncture"], id="back pain"),
        pytest.param(REASON | {"code": ASTHMA}, [], id="another condition, which explains it"),
        pytest.param(REASON | {"code": {}}, ["pain-after-puncture"], id="a condition without a code, which does not"),
        pytest.param(FAILED, ["pain-after-puncture"], id="nothing that can be had"),
    ],
)
def test_the_reason_of_a_work_up_is_looked_up_so_that_another_one_leaves_it_in_peace(
    answer: Any, cards: list[str], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """A work-up by what it orders, in a chart without complaints."""
    fhir_server.answers["Condition/why"] = answer
    draft = order(MRI, reasonReference=[{"reference": "Condition/why"}])
    call = hook_call(draft, prefetch=prefetch(procedures=[PUNCTURE]), fhirServer=BASE)
    assert list(cards_of(client, call)) == cards
    assert fhir_server.asked == ["Condition/why"]


@pytest.mark.parametrize(
    "draft",
    [
        pytest.param(
            referring("Observation/why", "urn:uuid:1", "#why", "Condition?code=1"), id="no Condition by its id"
        ),
        pytest.param(referring("Condition/why", id="other"), id="an order that is not selected"),
        pytest.param(referring("Condition/why", reasonCode=[LUMBAGO]), id="a reason that is told beside it"),
        pytest.param(order(reasonReference=[{"reference": "Condition/why"}]), id="a lumbar puncture"),
        pytest.param(referring("Condition/why", status="entered-in-error"), id="an order that was never meant"),
    ],
)
def test_no_reason_is_looked_up_for(draft: Json, client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """design.md 5: only where nothing else decides."""
    fhir_server.answers["Condition/why"] = REASON
    call = order_select(after_puncture(draft, fhirServer=BASE), "ServiceRequest/order-1")
    assert post(client, call).status_code == 200
    assert fhir_server.requests == []


def test_at_most_eight_reasons_are_looked_up_in_one_call(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """design.md 6: over all orders, each reference once."""
    drafts = [
        referring(*(f"Condition/c{number}" for number in range(first, first + 6)), id=f"o{first}")
        for first in (0, 3, 9)
    ]
    with capture_logs() as events:
        assert cards_of(client, after_puncture(*drafts, fhirServer=BASE)) == {}
    assert fhir_server.asked == [f"Condition/c{number}" for number in range(8)]
    assert events[-1]["reasons_looked_up"] == {"wanted": 8, "fetched": 8, "found": 0}


def test_the_log_tells_of_reasons_in_counts_only(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """design.md 6: never resource ids."""
    fhir_server.answers["Condition/why"] = REASON
    with capture_logs() as events:
        cards_of(
            client, after_puncture(referring("Condition/pain", "Condition/why", "Condition/gone"), fhirServer=BASE)
        )
    assert events[-1]["reasons_looked_up"] == {"wanted": 3, "fetched": 2, "found": 2}
    assert "why" not in str(events)


def test_without_a_fhir_server_a_reason_that_is_nowhere_is_not_known(client: FlaskClient) -> None:
    with capture_logs() as events:
        assert cards_of(client, after_puncture(referring("Condition/why"))) == {}
    assert events[-1]["reasons_looked_up"] == {"wanted": 1, "fetched": 1, "found": 0}


# --- procedures that cannot be had


def without_procedures(*drafts: Any, **elements: Any) -> Json:
    given = {key: value for key, value in CHART.items() if key != "procedures"}
    return after_puncture(*drafts, prefetch=given, **elements)


NEXT_PAGE = [{"relation": "next", "url": f"{BASE}/Procedure?page=2"}]
OTHER_PROCEDURE = procedure({"text": "Appendectomy"})
LOST = [
    pytest.param(None, None, id="not sent, and no server"),
    pytest.param(None, BASE, id="not sent, and not on the server"),
    pytest.param(None, "https://elsewhere.example.org/fhir", id="not sent, and a server that is not allowed"),
    pytest.param(FAILED, None, id="an OperationOutcome"),
    pytest.param(searchset(PAIN), None, id="the answer to another question"),
    pytest.param(searchset(OTHER_PROCEDURE, link=NEXT_PAGE), None, id="the first page, and no server"),
    pytest.param(searchset(OTHER_PROCEDURE, link=NEXT_PAGE), BASE, id="the first page, and the next is lost"),
    pytest.param(searchset(OTHER_PROCEDURE, total=2), None, id="fewer than the server counted"),
    pytest.param(searchset(FAILED, OTHER_PROCEDURE), None, id="an error among the entries"),
]


@pytest.mark.parametrize(("procedures", "server"), LOST)
def test_a_work_up_cannot_be_judged_without_the_procedures(
    procedures: Any, server: str | None, client: FlaskClient
) -> None:
    """R-2.86: 412, and what to send; never taken for "no puncture"."""
    call = without_procedures(order(MRI), fhirServer=server)
    if procedures is not None:
        call["prefetch"]["procedures"] = procedures
    with capture_logs() as events:
        response = post(client, call)
    (issue,) = response.get_json()["issue"]
    assert (response.status_code, response.mimetype) == (412, "application/fhir+json")
    assert (issue["severity"], issue["code"], issue["expression"]) == ("error", "not-found", ["prefetch.procedures"])
    assert "fhirServer" in issue["diagnostics"]
    assert (events[-1]["status"], events[-1]["outcome"], events[-1]["cards"]) == (412, "refused", [])


@pytest.mark.parametrize(("procedures", "server"), LOST)
@pytest.mark.parametrize("beside", [[], [order(MRI, id="mri")]], ids=["alone", "beside a work-up"])
def test_a_puncture_is_answered_without_the_procedures(
    procedures: Any, server: str | None, beside: list[Json], client: FlaskClient
) -> None:
    """design.md 5: the card says that they were not read."""
    call = without_procedures(order(), *beside, fhirServer=server)
    if procedures is not None:
        call["prefetch"]["procedures"] = procedures
    cards = cards_of(client, call)
    assert "what-to-expect" in cards
    assert "hecked:** " in cards["what-to-expect"]["detail"]


@pytest.mark.parametrize(
    ("procedures", "cards"),
    [
        pytest.param(None, [], id="null, which says that there is none"),
        pytest.param(searchset(), [], id="an empty searchset"),
        pytest.param(searchset(PUNCTURE, link=NEXT_PAGE), ["pain-after-puncture"], id="a first page with a puncture"),
    ],
)
def test_a_work_up_is_judged_by_what_procedures_there_are(
    procedures: Any, cards: list[str], client: FlaskClient
) -> None:
    """R-2.82: null is an answer."""
    assert list(cards_of(client, after_puncture(order(MRI), prefetch=CHART | {"procedures": procedures}))) == cards


def test_procedures_that_are_missing_are_read_from_the_server(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """R-2.83."""
    serve_chart(fhir_server)
    assert cards_of(client, without_procedures(order(MRI), fhirServer=BASE)) == cards_of(
        client, after_puncture(order(MRI))
    )
    assert fhir_server.asked == [PROCEDURES]


# --- what a card offers


@pytest.mark.parametrize(
    ("puncture", "onset", "told", "labels"),
    [
        pytest.param(30, 60, "pre-existing", [], id="pain before the puncture"),
        pytest.param(200, 100, "late-onset", [], id="pain that began months later"),
        pytest.param(30, None, "unknown", REFER, id="pain without an onset"),
        pytest.param(5, 4, "expected", [], id="pain in the first days"),
        pytest.param(200, 199, "chronic", REFER, id="chronic pain"),
        pytest.param(30, 28, "lingering", REFER, id="pain that lingers"),
    ],
)
def test_referrals_are_offered_for_pain_that(
    puncture: int, onset: int | None, told: str, labels: list[str], client: FlaskClient
) -> None:
    """design.md 5: lingering, chronic and unknown; the clinician picks at most one."""
    pain = condition(LUMBAGO, onsetDateTime=days_ago(onset) if onset else None)
    chart = prefetch(pain, procedures=[procedure(LUMBAR_PUNCTURE, performedDateTime=days_ago(puncture))])
    card = cards_of(client, hook_call(order(MRI), prefetch=chart))["pain-after-puncture"]
    assert card["extension"]["lumbar-puncture-back-pain"]["class"] == told
    assert offered(card) == labels
    assert card.get("selectionBehavior") == ("at-most-one" if labels else None)


@pytest.mark.parametrize(
    ("held", "labels"),
    [
        pytest.param(order(NEUROLOGY, id="held"), [REFER[1]], id="a referral to neurology"),
        pytest.param(order({"text": "Neurology consult"}, id="held"), [REFER[1]], id="the same in words"),
        pytest.param(order(SPINE, id="held"), [REFER[0]], id="a referral to a spine specialist"),
        pytest.param(referral_request(NEUROLOGY), [REFER[1]], id="a ReferralRequest"),
        pytest.param(order(NEUROLOGY, id="held", status="active"), [REFER[1]], id="a referral that is active"),
        pytest.param(order(NEUROLOGY, id="held", status="revoked"), REFER, id="a referral that was revoked"),
        pytest.param(order(NEUROLOGY, id="held", doNotPerform=True), REFER, id="a referral that is not to be made"),
        pytest.param(order({"text": "Referral to cardiology"}, id="held"), REFER, id="a referral elsewhere"),
        pytest.param(order({"text": "possible neurology referral"}, id="held"), REFER, id="a referral in doubt"),
    ],
)
@pytest.mark.parametrize("selected", [True, False], ids=["selected", "not selected"])
def test_a_specialty_that_the_session_already_orders_is_not_offered(
    held: Json, labels: list[str], selected: bool, client: FlaskClient
) -> None:
    """design.md 5; every draft of the session counts, selected or not."""
    call = after_puncture(order(MRI, id="mri"), held)
    chosen = ["ServiceRequest/mri"] + [f"{held['resourceType']}/{held['id']}"] * selected
    assert offered(cards_of(client, order_select(call, *chosen))["pain-after-puncture"]) == labels


def test_where_both_are_ordered_there_is_no_suggestion(client: FlaskClient) -> None:
    """R-4.26."""
    card = cards_of(client, after_puncture(order(NEUROLOGY, id="n"), order(SPINE, id="s")))["pain-after-puncture"]
    assert not {"suggestions", "selectionBehavior"} & set(card)


@pytest.mark.parametrize(
    ("draft", "resource_type", "elements"),
    [
        pytest.param(order(MRI), "ServiceRequest", {"code", "reasonCode", "reasonReference"}, id="R4"),
        pytest.param(order({"concept": MRI}), "ServiceRequest", {"code", "reason"}, id="R5"),
        pytest.param(
            order(MRI, resourceType="ProcedureRequest"),
            "ReferralRequest",
            {"intent", "reasonCode", "reasonReference"},
            id="STU3",
        ),
        pytest.param(
            order(MRI, resourceType="ProcedureRequest", intent=None), "ReferralRequest", {"patient"}, id="DSTU2"
        ),
        pytest.param(
            referral_request({"text": "EMG"}, intent=None, requester={"reference": "Practitioner/1"}),
            "ReferralRequest",
            {"patient"},
            id="DSTU2, by a ReferralRequest that has a requester",
        ),
        pytest.param(
            {"resourceType": "DiagnosticOrder", "item": [{"code": MRI}], "note": [{"text": "x"}]},
            "ReferralRequest",
            {"patient"},
            id="DSTU2, by a DiagnosticOrder",
        ),
    ],
)
def test_a_referral_is_offered_in_the_version_of_the_drafts(
    draft: Json, resource_type: str, elements: set[str], client: FlaskClient
) -> None:
    """design.md 4; R-4.47."""
    card = cards_of(client, after_puncture(draft))["pain-after-puncture"]
    assert offered(card) == REFER
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        assert (action["type"], action["resource"]["resourceType"]) == ("create", resource_type)
        assert elements <= set(action["resource"])
        assert "id" not in action["resource"]


def test_a_referral_names_the_condition_that_shows_the_pain(client: FlaskClient) -> None:
    card = cards_of(client, after_puncture(order(MRI)))["pain-after-puncture"]
    drafts = [one["actions"][0]["resource"] for one in card["suggestions"]]
    assert [draft["reasonReference"] for draft in drafts] == [[{"reference": "Condition/pain"}]] * 2
    assert [draft["subject"] for draft in drafts] == [{"reference": f"Patient/{PATIENT}"}] * 2


def test_a_card_tells_machines_which_it_is_and_where_it_comes_from(client: FlaskClient) -> None:
    """R-4.29; design.md 5: each finding its resource, code, date and the value set that matched."""
    stenosis = condition({"text": "Lumbar spinal stenosis"}, id="stenosis", onsetDateTime=None)
    tumour = condition(coded(ICD_10_CM, "C41.2"), id="tumour", onsetDateTime="2020")
    chart = prefetch(PAIN, stenosis, tumour, procedures=[PUNCTURE])
    card = cards_of(client, hook_call(order(MRI), prefetch=chart))["pain-after-puncture"]
    told = card["extension"]["lumbar-puncture-back-pain"]
    assert (told["card"], told["class"]) == ("pain-after-puncture", "lingering")
    assert [{name: one[name] for name in one if name != "valueSetVersion"} for one in told["provenance"]] == [
        {
            "role": "puncture",
            "resource": "Procedure/lp",
            "system": "SNOMED CT",
            "code": "277762005",
            "date": days_ago(30),
            "valueSet": "lumbar-puncture",
        },
        {
            "role": "complaint",
            "resource": "Condition/pain",
            "system": "ICD-10-CM",
            "code": "M54.50",
            "date": days_ago(28),
            "valueSet": "back-pain",
        },
        {"role": "contributor", "resource": "Condition/stenosis", "valueSet": "spinal-stenosis"},
        {
            "role": "serious",
            "resource": "Condition/tumour",
            "system": "ICD-10-CM",
            "code": "C41.2",
            "date": "2020",
            "valueSet": "spinal-malignancy",
        },
    ]


# --- red flags, nerve symptoms, urgency


RETENTION = condition(coded(ICD_10_CM, "R33.9", "Retention of urine"), id="retention", onsetDateTime=days_ago(29))
NUMBNESS = condition(coded(ICD_10_CM, "R20.0", "Numbness"), id="numb", onsetDateTime=days_ago(28))


@pytest.mark.parametrize(
    "draft", [order(MRI), order(), order(priority="stat")], ids=["a work-up", "a puncture", "an urgent puncture"]
)
@pytest.mark.parametrize("status", ["completed", "in-progress", "stopped"])
def test_a_red_flag_stands_alone_and_offers_nothing(draft: Json, status: str, client: FlaskClient) -> None:
    """design.md 5: every reassuring or confounder text is suppressed; also after a puncture that was not finished."""
    chart = prefetch(RETENTION, PAIN, NUMBNESS, condition(), procedures=[PUNCTURE | {"status": status}])
    ((key, card),) = cards_of(client, hook_call(draft, prefetch=chart)).items()
    assert (key, card["indicator"]) == ("red-flags", "critical")
    assert not {"suggestions", "links", "selectionBehavior"} & set(card)
    assert not [word for word in ("stenosis", "exceedingly rare", "common", "contributor") if word in card["detail"]]
    roles = {one["role"] for one in card["extension"]["lumbar-puncture-back-pain"]["provenance"]}
    assert roles == {"puncture", "red-flag"}


@pytest.mark.parametrize(
    ("conditions", "cards"),
    [
        pytest.param([NUMBNESS], ["nerve-symptoms"], id="without pain, in a card of its own"),
        pytest.param([NUMBNESS, PAIN], ["pain-after-puncture"], id="with pain, on the card on pain"),
    ],
)
def test_numbness_since_the_puncture_is_told(conditions: list[Json], cards: list[str], client: FlaskClient) -> None:
    """design.md 5."""
    told = cards_of(client, hook_call(order(MRI), prefetch=prefetch(*conditions, procedures=[PUNCTURE])))
    assert list(told) == cards
    assert "Condition/numb" in told[cards[0]]["detail"]


@pytest.mark.parametrize("given", [CHART, None, {}], ids=["a whole chart", "no prefetch", "an empty prefetch"])
@pytest.mark.parametrize("priority", ["stat", "asap", "urgent"])
@pytest.mark.parametrize(
    "beside",
    [
        pytest.param([], id="alone"),
        pytest.param([order(MRI, id="mri")], id="beside a work-up"),
        pytest.param([referring("Condition/why", id="other")], id="beside an order whose reason is told elsewhere"),
        pytest.param([order(id="routine")], id="beside a puncture that is not urgent"),
    ],
)
def test_an_urgent_puncture_reads_nothing_from_the_server(
    priority: str, given: Any, beside: list[Json], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """design.md 5: never delayed; `what-to-expect` only and no suggestions."""
    serve_chart(fhir_server)
    draft = order(priority=priority, reasonReference=[{"reference": "Condition/why"}])
    call = after_puncture(*beside, draft, prefetch=given, fhirServer=BASE, fhirAuthorization=BEARER)
    cards = cards_of(client, call)
    assert list(cards) == ["what-to-expect"]
    assert "suggestions" not in cards["what-to-expect"]
    assert fhir_server.requests == []


def test_two_readings_of_one_call_share_its_time(make_app: Callable[..., Flask], fhir_server: FakeFhirServer) -> None:
    """design.md 3: one budget; with none left nothing is read, and a work-up that needs the chart is 412."""
    serve_chart(fhir_server)
    fhir_server.answers["Condition/why"] = REASON
    client = make_app(fhir_budget_ms=0).test_client()
    assert cards_of(client, hook_call(referring("Condition/why"), prefetch=None, fhirServer=BASE)) == {}
    assert post(client, hook_call(order(MRI), prefetch=None, fhirServer=BASE)).status_code == 412
