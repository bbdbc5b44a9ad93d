"""Reasons that an order only refers to: which Conditions of which patient are looked up, and where (design.md 5, 6)."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from tests.charts import (
    ASTHMA,
    Json,
    cards_of,
    hook_call,
    order,
    post,
    prefetch,
    searchset,
)
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.work_ups import (
    BEARER,
    CHART,
    EVERYTHING,
    FAILED,
    LUMBAGO,
    MRI,
    PAIN,
    PUNCTURE,
    REASON,
    after_puncture,
    order_select,
    referring,
    serve_chart,
)


def looked_up(event: Any) -> dict[str, int]:
    """What the log says of the reasons of a call."""
    return {name: event[f"cds_hooks.reasons.{name}"] for name in ("wanted", "fetched", "found")}


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
            id="back pain without a subject",
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
        pytest.param(FAILED, ["pain-after-puncture"], id="nothing that is available"),
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
    assert looked_up(events[-1]) == {"wanted": 8, "fetched": 8, "found": 0}


def test_the_log_tells_of_reasons_in_counts_only(client: FlaskClient, fhir_server: FakeFhirServer) -> None:
    """design.md 6: never resource ids."""
    fhir_server.answers["Condition/why"] = REASON
    with capture_logs() as events:
        cards_of(
            client, after_puncture(referring("Condition/pain", "Condition/why", "Condition/gone"), fhirServer=BASE)
        )
    assert looked_up(events[-1]) == {"wanted": 3, "fetched": 2, "found": 2}
    assert "why" not in str(events)


def test_without_a_fhir_server_a_reason_that_is_nowhere_is_not_known(client: FlaskClient) -> None:
    with capture_logs() as events:
        assert cards_of(client, after_puncture(referring("Condition/why"))) == {}
    assert looked_up(events[-1]) == {"wanted": 1, "fetched": 1, "found": 0}


@pytest.mark.parametrize(
    ("reference", "cards"),
    [
        pytest.param(f"{BASE}/Condition/why", ["pain-after-puncture"], id="the server of the call"),
        pytest.param("https://other.example.org/fhir/Condition/why", [], id="another server"),
        pytest.param(f"{BASE}-2/Condition/why", [], id="a server whose address begins alike"),
    ],
)
def test_an_absolute_reference_counts_only_on_the_server_of_the_call(
    reference: str, cards: list[str], client: FlaskClient, fhir_server: FakeFhirServer
) -> None:
    """The same id on another server is another Condition, perhaps of another person."""
    serve_chart(fhir_server)
    fhir_server.answers["Condition/why"] = REASON
    for given in (None, prefetch(PAIN, REASON, procedures=[PUNCTURE])):
        call = hook_call(referring(reference), prefetch=given, fhirServer=BASE)
        assert list(cards_of(client, call)) == cards
    assert all(one.url.startswith(f"{BASE}/") for one in fhir_server.requests)
