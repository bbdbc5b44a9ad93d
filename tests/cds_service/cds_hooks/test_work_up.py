"""Which orders work up back pain after a lumbar puncture, and procedures that are not available (design.md 5)."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from tests.charts import (
    ASTHMA,
    LUMBAR_PUNCTURE,
    PATIENT,
    SNOMED,
    Json,
    cards_of,
    coded,
    condition,
    hook_call,
    order,
    post,
    prefetch,
    procedure,
    searchset,
)
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.work_ups import (
    CHART,
    CHEST_X_RAY,
    EMG,
    FAILED,
    LUMBAGO,
    MRI,
    NEUROLOGY,
    PAIN,
    PROCEDURES,
    PUNCTURE,
    SPINE,
    after_puncture,
    days_ago,
    order_select,
    referral_request,
    serve_chart,
)

# --- which orders are ours


WORK_UPS = [
    pytest.param(order(MRI), id="MRI of the lumbar spine"),
    pytest.param(order({"text": "MRI lumbar spine without contrast"}), id="the same in words"),
    pytest.param(order(EMG), id="electromyography"),
    pytest.param(order({"text": "Nerve conduction study, legs"}), id="nerve conduction in words"),
    pytest.param(order(NEUROLOGY), id="a referral to neurology"),
    pytest.param(order(SPINE), id="a referral to a spine specialist"),
    pytest.param(order({"text": "Referral to pain clinic"}), id="a referral to the pain clinic"),
    pytest.param(order(CHEST_X_RAY, reasonCode=[LUMBAGO]), id="anything for low back pain"),
    pytest.param(
        order(CHEST_X_RAY, reasonCode=[ASTHMA, {"text": "Dolor lumbar"}]), id="for back pain in Spanish words"
    ),
    pytest.param(order(CHEST_X_RAY, reasonCode=[{"text": "Numbness in left leg"}]), id="anything for a numb leg"),
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


# --- procedures that are not available


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
    pytest.param(searchset(procedure({"text": "N/A"})), None, id="one procedure, which cannot be read"),
    pytest.param(
        {"resourceType": "Bundle", "type": "batch-response", "entry": [{"response": {"status": "403"}}]},
        None,
        id="a batch whose only answer is a refusal",
    ),
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
    assert (events[-1]["http.response.status_code"], events[-1]["cds_hooks.outcome"]) == (412, "refused")
    assert "cds_hooks.cards" not in events[-1]


@pytest.mark.parametrize(
    ("conditions", "reason", "status"),
    [
        pytest.param([], [ASTHMA], 200, id="another reason, and nobody complains"),
        pytest.param([condition(LUMBAGO)], [ASTHMA], 200, id="another reason, and a sore back"),
        pytest.param([condition(coded(SNOMED, "309537005"))], [ASTHMA], 200, id="another reason, and a numb leg"),
        pytest.param([condition(coded(SNOMED, "386661006"))], [ASTHMA], 200, id="another reason, and fever"),
        pytest.param([], [LUMBAGO], 412, id="back pain as the reason"),
        pytest.param([], None, 200, id="no reason, and nobody complains"),
        pytest.param([condition(LUMBAGO)], None, 412, id="no reason, and a sore back"),
    ],
)
def test_an_order_for_something_else_needs_no_procedures_where_nobody_complains(
    conditions: list[Json], reason: Any, status: int, client: FlaskClient
) -> None:
    """No puncture could change that there is nothing to say: a 412 would only be noise."""
    call = without_procedures(order(NEUROLOGY, reasonCode=reason))
    call["prefetch"]["conditions"] = searchset(*conditions)
    assert post(client, call).status_code == status


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
    assert "Not checked: " in cards["what-to-expect"]["detail"]


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
