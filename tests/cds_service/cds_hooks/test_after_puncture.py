"""What the cards after a lumbar puncture offer and carry: referrals, provenance, red flags, urgency (design.md 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.charts import (
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
    post,
    prefetch,
    procedure,
)
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.work_ups import (
    BEARER,
    CHART,
    LUMBAGO,
    MRI,
    NEUROLOGY,
    PAIN,
    PUNCTURE,
    REASON,
    REFER,
    SPINE,
    after_puncture,
    days_ago,
    offered,
    order_select,
    referral_request,
    referring,
    serve_chart,
)

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


def test_a_referral_for_numbness_names_the_condition_that_shows_it(client: FlaskClient) -> None:
    numb = condition(coded(SNOMED, "309537005"), id="numb", onsetDateTime=days_ago(50))
    chart = prefetch(numb, procedures=[procedure(LUMBAR_PUNCTURE, performedDateTime=days_ago(60))])
    card = cards_of(client, hook_call(order(MRI), prefetch=chart))["nerve-symptoms"]
    draft = card["suggestions"][0]["actions"][0]["resource"]
    assert draft["reasonReference"] == [{"reference": "Condition/numb"}]


def test_a_referral_names_no_condition_whose_id_is_none(client: FlaskClient) -> None:
    """An `id` of FHIR has 64 characters of A-Z, a-z, 0-9, "-" and "." at most; a chart may hold any."""
    chart = prefetch(PAIN | {"id": "../Patient/1?x"}, procedures=[PUNCTURE])
    card = cards_of(client, hook_call(order(MRI), prefetch=chart))["pain-after-puncture"]
    assert "reasonReference" not in card["suggestions"][0]["actions"][0]["resource"]


def test_a_card_tells_machines_which_it_is_and_where_it_comes_from(client: FlaskClient) -> None:
    """R-4.29; design.md 5: each finding its resource, code, date and the value set that matched."""
    stenosis = condition({"text": "Lumbar spinal stenosis"}, id="stenosis", onsetDateTime=None)
    tumor = condition(coded(ICD_10_CM, "C41.2"), id="tumor", onsetDateTime="2020")
    chart = prefetch(PAIN, stenosis, tumor, procedures=[PUNCTURE])
    card = cards_of(client, hook_call(order(MRI), prefetch=chart))["pain-after-puncture"]
    told = card["extension"]["lumbar-puncture-back-pain"]
    assert (told["card"], told["class"]) == ("pain-after-puncture", "lingering")
    assert [{name: one[name] for name in one if name != "valueSetVersion"} for one in told["provenance"]] == [
        {
            "role": "puncture",
            "resource": "Procedure/lp",
            "system": SNOMED,
            "code": "277762005",
            "date": days_ago(30),
            "valueSet": "lumbar-puncture",
        },
        {
            "role": "complaint",
            "resource": "Condition/pain",
            "system": ICD_10_CM,
            "code": "M54.50",
            "date": days_ago(28),
            "valueSet": "back-pain",
        },
        {"role": "contributor", "resource": "Condition/stenosis", "valueSet": "spinal-stenosis"},
        {
            "role": "serious",
            "resource": "Condition/tumor",
            "system": ICD_10_CM,
            "code": "C41.2",
            "date": "2020",
            "valueSet": "spinal-malignancy",
        },
    ]


# --- red flags, nerve symptoms, urgency


RETENTION = condition(coded(ICD_10_CM, "R33.9", "Retention of urine"), id="retention", onsetDateTime=days_ago(29))
NUMBNESS = condition(coded(ICD_10_CM, "R20.0", "Numbness of the left leg"), id="numb", onsetDateTime=days_ago(28))


@pytest.mark.parametrize(
    "draft", [order(MRI), order(), order(priority="stat")], ids=["a work-up", "a puncture", "an urgent puncture"]
)
@pytest.mark.parametrize("status", ["completed", "in-progress", "stopped"])
def test_a_red_flag_stands_alone_and_offers_nothing_but_stat(draft: Json, status: str, client: FlaskClient) -> None:
    """design.md 5: every reassuring or confounder text is suppressed; also after a puncture that was not finished."""
    chart = prefetch(RETENTION, PAIN, NUMBNESS, condition(), procedures=[PUNCTURE | {"status": status}])
    ((key, card),) = cards_of(client, hook_call(draft, prefetch=chart)).items()
    assert (key, card["indicator"]) == ("red-flags", "critical")
    assert {suggestion["label"] for suggestion in card.get("suggestions", [])} <= {"Change this order to STAT"}
    labels = [link["label"].partition(":")[0] for link in card["links"]]
    assert labels == ["BMJ Best Practice", "GIRFT 2023", "Evidence and limits of this card"]
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
    assert "- Numbness or tingling, since" in told[cards[0]]["detail"]


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
