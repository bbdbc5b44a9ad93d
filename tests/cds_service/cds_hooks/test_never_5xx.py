"""Every request gets a JSON answer, never a server error (R-4.17)."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cds_service.cds_hooks.test_requests import outcome
from tests.charts import LUMBAR_PUNCTURE, SERVICE, condition, hook_call, order, prefetch, procedure, searchset

GOOD = hook_call(
    order(priority="routine", patientInstruction="Rest."),
    hook="order-select",
    fhirServer="http://127.0.0.1:8113/fhir/R4",
    fhirAuthorization={"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "s"},
    prefetch=prefetch(condition(), procedures=[procedure({"text": "lumbar laminectomy"})], language="es"),
)
GOOD["context"]["selections"] = ["ServiceRequest/order-1"]

WORK_UP = hook_call(
    order({"text": "MRI lumbar spine"}, reasonReference=[{"reference": "Condition/why"}, {"reference": "#held"}])
    | {"contained": [condition({"text": "Lumbago"}, id="held")]},
    {"resourceType": "ReferralRequest", "serviceRequested": [{"text": "Neurology consult"}], "reason": {"text": "x"}},
    {"resourceType": "DiagnosticOrder", "item": [{"code": {"text": "EMG"}}]},
    prefetch=prefetch(
        condition({"text": "Low back pain"}, id="pain", onsetDateTime="2026-11-01", recordedDate="2026-11-02"),
        condition({"text": "Numbness in both legs"}, id="numb", onsetDateTime="2026-11-01"),
        condition(),
        procedures=[
            procedure(LUMBAR_PUNCTURE, performedDateTime="2026-10-30", reasonCode=[{"text": "rule out meningitis"}])
        ],
    ),
)

DRAFTS = ("context", "draftOrders")
CHART = [("prefetch", key) for key in ("patient", "conditions", "procedures")]

widely = settings(
    max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
names = texts | st.sampled_from(
    ["resourceType", "resource", "entry", "code", "coding", "reference", "id", "total", "text"]
)
words = texts | st.sampled_from(
    ["Bundle", "Condition", "Procedure", "Patient", "OperationOutcome", "2019-03", "Patient/pat-1"]
)
any_json = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document, but not of the document itself."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in members for place in ((*path, key), *places_in(inner, (*path, key)))]


def value_at(call: dict[str, Any], place: tuple[Any, ...]) -> Any:
    value: Any = call
    for key in place:
        value = value[key]
    return value


def spoiled(call: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    call = copy.deepcopy(call)
    inner: Any = call
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return call


def assert_answered(client: FlaskClient, body: bytes) -> int:
    response = client.post(SERVICE, data=body, content_type="application/json")
    answer = json.loads(response.data)
    assert response.status_code < 500, response.data
    assert response.is_json
    assert ("cards" in answer) == (response.status_code == 200)
    return response.status_code


def test_the_calls_that_are_spoilt_below_are_good(client: FlaskClient) -> None:
    for good in (GOOD, WORK_UP):
        assert assert_answered(client, json.dumps(good).encode()) == 200
        assert len(places_in(good)) > 80


@pytest.mark.slow
@widely
@given(place=st.sampled_from(places_in(GOOD)), value=any_json)
def test_any_json_in_any_place_of_a_call(client: FlaskClient, place: tuple[Any, ...], value: Any) -> None:
    """R-2.9, R-2.29, R-2.70."""
    assert_answered(client, json.dumps(spoiled(GOOD, place, value)).encode())


@pytest.mark.slow
@widely
@given(place=st.sampled_from(places_in(WORK_UP)), value=any_json)
def test_any_json_in_any_place_of_a_call_after_a_puncture(
    client: FlaskClient, place: tuple[Any, ...], value: Any
) -> None:
    """R-2.9, R-2.29, R-2.70."""
    assert_answered(client, json.dumps(spoiled(WORK_UP, place, value)).encode())


@pytest.mark.parametrize("call", [GOOD, WORK_UP], ids=["a puncture", "after a puncture"])
def test_fhir_is_read_where_a_list_of_one_stands_for_a_value(client: FlaskClient, call: dict[str, Any]) -> None:
    """design.md 4: some servers write `[x]` for x."""
    fhir = [place for place in places_in(call) if len(place) > 1 and place[:2] in (DRAFTS, *CHART)]
    for place in fhir:
        spoiled_call = spoiled(call, place, [value_at(call, place)])
        assert assert_answered(client, json.dumps(spoiled_call).encode()) == 200, place


@pytest.mark.slow
@widely
@given(body=st.binary(max_size=200))
def test_any_bytes_as_a_body(client: FlaskClient, body: bytes) -> None:
    """R-2.8."""
    assert_answered(client, body)


@pytest.mark.slow
@widely
@given(values=st.dictionaries(st.sampled_from(["patient", "conditions", "procedures", "x"]), any_json))
def test_any_prefetch(client: FlaskClient, values: dict[str, Any]) -> None:
    """R-2.89: and a lumbar puncture gets its card, unless the data is about somebody else."""
    assert assert_answered(client, json.dumps(GOOD | {"prefetch": values}).encode()) in (200, 400)


@pytest.mark.slow
@widely
@given(elements=st.dictionaries(names, any_json, max_size=3), kind=st.sampled_from(["Condition", "Procedure"]))
def test_any_resource_in_a_chart(client: FlaskClient, elements: dict[str, Any], kind: str) -> None:
    """R-2.89."""
    resource = condition(resourceType=kind) | elements
    chart = {"conditions": searchset(resource), "procedures": searchset(resource)}
    assert_answered(client, json.dumps(GOOD | {"prefetch": chart}).encode())


@pytest.mark.slow
@widely
@given(instruction=any_json, name=st.sampled_from(["patientInstruction", "note", "notes", "reason", "intent"]))
def test_any_draft_that_is_to_be_updated(client: FlaskClient, instruction: Any, name: str) -> None:
    """R-2.35: in the shape of every FHIR version."""
    for kind in ("ServiceRequest", "ProcedureRequest", "ReferralRequest", "DiagnosticOrder"):
        call = hook_call(order(resourceType=kind) | {name: instruction})
        assert assert_answered(client, json.dumps(call).encode()) == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="white space"),
        pytest.param(b"Zq7Canary", id="no JSON"),
        pytest.param(b'["Zq7Canary"]', id="a list"),
        pytest.param(b'"Zq7Canary"', id="a string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"5", id="a number"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b'{"hook": "Zq7Canary"', id="half an object"),
        pytest.param(b'{"hook": "order-sign",}', id="a comma too many"),
        pytest.param(b'// Zq7Canary\n{"hook": "order-sign"}', id="a comment"),
        pytest.param(b"{} {}", id="two documents"),
        pytest.param(b'\xef\xbb\xbf{"hook": "order-sign"}', id="a byte order mark"),
        pytest.param(json.dumps(hook_call()).encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"hook": "\xff"}', id="a string that is not UTF-8"),
        pytest.param(b'{"hook": "\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"Zq7Canary": NaN}', id="NaN"),
        pytest.param(b'{"Zq7Canary": -Infinity}', id="infinity"),
        pytest.param(b"[" * 10_000, id="ten thousand open lists"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="ten thousand objects"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: FlaskClient, body: bytes) -> None:
    """R-2.8, R-2.16: 400, never 2xx, never 5xx."""
    response = client.post(SERVICE, data=body, content_type="application/json")
    assert outcome(response, 400)["code"] in ("structure", "required")


PLACES = [
    ("prefetch", "patient"),
    ("prefetch", "conditions"),
    ("prefetch", "nobody-asked"),
    ("context", "draftOrders"),
    ("context", "draftOrders", "entry", 0, "resource", "patientInstruction"),
    ("context", "selections"),
    ("context", "surprise"),
    ("surprise",),
]
at_every_place = pytest.mark.parametrize(
    "place", [pytest.param(place, id=".".join(map(str, place))) for place in PLACES]
)


def with_bytes(place: tuple[Any, ...], value: bytes) -> bytes:
    return json.dumps(spoiled(GOOD, place, "@")).encode().replace(b'"@"', value)


@at_every_place
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"[" * 10_000 + b"]" * 10_000, id="ten thousand lists"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="ten thousand objects"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b'"\\ud800"', id="a lone surrogate"),
        pytest.param(b"01", id="a number with a leading zero"),
    ],
)
def test_what_is_no_json_is_refused_wherever_it_stands(
    client: FlaskClient, place: tuple[Any, ...], value: bytes
) -> None:
    """R-2.16: also in parts of the body that nobody reads."""
    assert assert_answered(client, with_bytes(place, value)) == 400


@at_every_place
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"1e999", id="a number beyond all floats"),
        pytest.param(b"9" * 5_000, id="a number of 5,000 digits"),
        pytest.param(b"[" * 900 + b"]" * 900, id="nine hundred lists"),
        pytest.param(b'{"resource":' * 900 + b"{}" + b"}" * 900, id="nine hundred wrappers"),
        pytest.param(b'{"a": 1, "a": [1], "a": {}}', id="equal keys"),
        pytest.param(b'{"resourceType": "Bundle", "entry": [1, null, {}, [], "x", {"resource": 5}]}', id="odd entries"),
        pytest.param(b'{"resourceType": "Bundle", "total": "x"}', id="a total in words"),
    ],
)
def test_odd_json_never_breaks_the_service(client: FlaskClient, place: tuple[Any, ...], value: bytes) -> None:
    """R-2.16, R-2.89."""
    assert_answered(client, with_bytes(place, value))


DRAFT = ("context", "draftOrders", "entry", 0, "resource")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(PLACES[0], b'["\xff"]', id="in a list of patients"),
        pytest.param(PLACES[1], b'{"resourceType": "Bundle", "total": "\xff"}', id="in the total of a Bundle"),
        pytest.param(PLACES[1], b'{"resource": {"\xff": 1, "resource": 5}}', id="in the name of a member"),
        pytest.param((*DRAFT, "patientInstruction"), b'"\xff"', id="in what we add to"),
        pytest.param((*DRAFT, "priority"), b'"routine", "\xff": 1', id="in the name of an element"),
        pytest.param((*DRAFT, "note"), b'"\xff"', id="in a draft that is sent back"),
    ],
)
def test_a_string_that_is_not_utf8_never_breaks_the_service(
    client: FlaskClient, place: tuple[Any, ...], value: bytes
) -> None:
    """R-0.5, R-2.8."""
    assert assert_answered(client, with_bytes(place, value)) == 400


def test_a_number_beyond_all_floats_does_not_lose_the_order(client: FlaskClient) -> None:
    """R-2.35: an odd element that nobody reads costs nothing."""
    body = with_bytes(("context", "draftOrders", "entry", 0, "resource", "quantity"), b"1e999")
    assert len(client.post(SERVICE, data=body, content_type="application/json").get_json()["cards"]) == 2
