"""Every way a call can be wrong, and what must be tolerated: POST /cds-services/<id> (R-2.x)."""

from __future__ import annotations

import copy
import gzip
import io
import json
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.charts import SERVICE, cards_of, condition, hook_call, order, patient, post, prefetch, searchset

CANARY = "Zq7Canary"
ABSENT = object()
JSON_TYPE = "application/json"
SOMEBODY_ELSE = {"reference": f"Patient/{CANARY}-else"}
BUNDLE = {"resourceType": "Bundle", "entry": []}


def canary_call(hook: str = "order-sign") -> dict[str, Any]:
    """A valid call about a patient with a canary in everything that may be about a person."""
    whose = {"reference": f"Patient/{CANARY}"}
    call = hook_call(
        order(id=f"{CANARY}-order", subject=whose, note=[{"text": CANARY}]),
        hook=hook,
        fhirServer=f"https://{CANARY}.example.org/fhir",
        fhirAuthorization={"access_token": CANARY, "token_type": "Bearer", "expires_in": 300, "scope": CANARY},
        extension={f"org.example.{CANARY}": CANARY},
        prefetch=prefetch(condition(id=f"{CANARY}-c", subject=whose)) | {"patient": patient(id=CANARY), CANARY: CANARY},
    )
    call["context"] |= {"patientId": CANARY, "userId": f"Practitioner/{CANARY}", "encounterId": CANARY, CANARY: CANARY}
    if hook == "order-select":
        call["context"]["selections"] = [f"ServiceRequest/{CANARY}-order"]
    return call


def changed(call: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The call with the member at this dotted path replaced, or left out where the value is ABSENT."""
    call = copy.deepcopy(call)
    *parents, last = path.split(".")
    place = call
    for name in parents:
        place = place[name]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return call


def post_raw(client: FlaskClient, body: bytes, content_type: str | None = JSON_TYPE, **headers: str) -> TestResponse:
    return client.post(SERVICE, data=body, content_type=content_type, headers=headers)


def outcome(response: TestResponse, status: int) -> dict[str, Any]:
    """The one issue of a refusal, valid as FHIR R4B, that repeats nothing of what was sent (R-2.15, R-4.60)."""
    text = response.get_data(as_text=True)
    assert (response.status_code, response.mimetype) == (status, "application/fhir+json"), text
    (issue,) = OperationOutcome.model_validate_json(text).model_dump()["issue"]
    assert issue["severity"] == "error"
    assert issue["diagnostics"]
    assert CANARY not in text + str(response.headers)
    return issue


def wrong(path: str, code: str, values: dict[str, Any], field: str | None = None) -> list[Any]:
    """One row for each value that is wrong at this path."""
    return [pytest.param(path, value, field or path, code, id=f"{path} {what}") for what, value in values.items()]


LEFT_OUT = {"is left out": ABSENT}
NO_STRING = {"is null": None, "is a number": 5, "is a list": [CANARY], "is an object": {CANARY: CANARY}}
NO_OBJECT = {"is a string": CANARY, "is a number": 5, "is a list": [CANARY]}
NO_FHIR_ID = {  # where {} is a text that the answer must not have
    "is a reference": "Patient/{}",
    "names two patients": "{},pat-2",
    "has another parameter": "{}&_count=1",
    "has a blank": "{} 1",
    "ends with a line break": "{}\n",
    "has an underscore": "{}_1",
    "has a letter beyond ASCII": "{}ñ",
    "has a digit beyond ASCII": "{}٢",
    "has 65 letters": "{:a<65}",
    "is any": "*",
}
WRONG = [
    *wrong("hook", "required", LEFT_OUT),
    *wrong("hook", "structure", NO_STRING),
    *wrong("hook", "value", {"is empty": "", "is not of this service": "patient-view", "is unknown": CANARY}),
    *wrong("hookInstance", "required", LEFT_OUT),
    *wrong("hookInstance", "structure", NO_STRING),
    *wrong("hookInstance", "value", {"is empty": "", "is no UUID": CANARY, "is half a UUID": "d1577c69-dfbe"}),
    *wrong("context", "required", LEFT_OUT),
    *wrong("context", "structure", NO_OBJECT | {"is null": None}),
    *wrong("context", "required", {"is empty": {}}, "context.userId"),
    *wrong("context.userId", "required", LEFT_OUT | {"is empty": "", "is blank": " "}),
    *wrong("context.userId", "structure", NO_STRING),
    *wrong("context.patientId", "required", LEFT_OUT | {"is empty": "", "is blank": " \n"}),
    *wrong("context.patientId", "structure", NO_STRING),
    *wrong("context.patientId", "value", {what: text.format(CANARY) for what, text in NO_FHIR_ID.items()}),
    *wrong("context.draftOrders", "required", LEFT_OUT),
    *wrong(
        "context.draftOrders", "structure", NO_OBJECT | {"is null": None, "is empty": {}, "is a Patient": patient()}
    ),
    *wrong(
        "context.draftOrders",
        "business-rule",
        {"is for somebody else": searchset(order(id=f"{CANARY}-order", subject=SOMEBODY_ELSE))},
    ),
    *wrong("context.selections", "required", LEFT_OUT | {"is null": None}),
    *wrong("context.selections", "structure", {"is a string": CANARY, "is an object": {CANARY: CANARY}}),
    *wrong("context.selections", "structure", {"holds a number": [CANARY, 5]}, "context.selections[1]"),
    *wrong("fhirServer", "required", LEFT_OUT | {"is null": None, "is empty": ""}),
    *wrong("fhirServer", "structure", {"is a number": 5, "is an object": {CANARY: CANARY}}),
    *wrong("fhirAuthorization", "structure", NO_OBJECT),
    *wrong("fhirAuthorization", "required", {"is empty": {}}, "fhirAuthorization.access_token"),
    *wrong("fhirAuthorization.access_token", "required", LEFT_OUT),
    *wrong("fhirAuthorization.access_token", "structure", NO_STRING),
    *wrong("fhirAuthorization.token_type", "structure", NO_STRING),
    *wrong("prefetch", "structure", NO_OBJECT),
    *wrong("prefetch.patient", "business-rule", {"is somebody else": patient(id=f"{CANARY}-else")}),
    *wrong(
        "prefetch.conditions",
        "business-rule",
        {"are about somebody else": searchset(condition(subject=SOMEBODY_ELSE))},
    ),
]


@pytest.mark.parametrize(("path", "value", "field", "code"), WRONG)
def test_a_wrong_call_is_told_which_field_to_mend(
    client: FlaskClient, path: str, value: Any, field: str, code: str
) -> None:
    """R-2.9 to R-2.12, R-2.15, R-2.20 to R-2.44, R-2.70, R-2.71, R-2.88: 400 with the field, and no echo."""
    issue = outcome(post(client, changed(canary_call("order-select"), path, value)), 400)
    assert (issue["code"], issue["expression"]) == (code, [field])
    assert field.partition("[")[0].rpartition(".")[2] in issue["diagnostics"]


def test_the_call_that_these_rows_spoil_is_good(client: FlaskClient) -> None:
    for hook in ("order-sign", "order-select"):
        assert len(post(client, canary_call(hook)).get_json()["cards"]) == 2


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param("text/plain", {}, id="plain text"),
        pytest.param("text/json", {}, id="an old name of JSON"),
        pytest.param("application/xml", {}, id="XML"),
        pytest.param("application/x-www-form-urlencoded", {}, id="a form"),
        pytest.param("multipart/form-data; boundary=x", {}, id="a multipart form"),
        pytest.param("application/json; charset=latin-1", {}, id="JSON in Latin-1"),
        pytest.param("application/json; charset=utf-16", {}, id="JSON in UTF-16"),
        pytest.param(JSON_TYPE, {"Content-Encoding": "gzip"}, id="compressed JSON"),
        pytest.param(JSON_TYPE, {"Content-Encoding": "br"}, id="JSON in another encoding"),
    ],
)
def test_a_body_that_is_not_declared_as_plain_json_is_415(
    client: FlaskClient, content_type: str | None, headers: dict[str, str]
) -> None:
    """R-2.13, R-4.15: good JSON or not."""
    body = json.dumps(hook_call()).encode()
    issue = outcome(
        post_raw(client, gzip.compress(body) if "Content-Encoding" in headers else body, content_type, **headers), 415
    )
    assert issue["code"] == "not-supported"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/fhir+json",
        "Application/JSON",
    ],
)
def test_json_is_taken_by_all_its_names(client: FlaskClient, content_type: str) -> None:
    """R-0.5, R-2.13."""
    assert post_raw(client, json.dumps(hook_call()).encode(), content_type).status_code == 200


@pytest.mark.parametrize(
    "chunked",
    [
        pytest.param(False, id="with its length"),
        pytest.param(True, id="in chunks"),
    ],
)
def test_a_body_over_the_limit_is_413(make_app: Any, chunked: bool) -> None:
    """R-2.16: also where the length is not said beforehand."""
    client = make_app(max_body_bytes=1000).test_client()
    body = CANARY.encode() * 200
    if chunked:
        stream = {"input_stream": io.BytesIO(body), "environ_overrides": {"wsgi.input_terminated": True}}
        response = client.post(SERVICE, content_type=JSON_TYPE, headers={"Transfer-Encoding": "chunked"}, **stream)
    else:
        response = post_raw(client, body)
    assert outcome(response, 413)["code"] == "too-long"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("extension", {"org.example": {"a": [None, "", {}]}}, id="an extension"),
        pytest.param("surprise", [None], id="an unknown member"),
        pytest.param("user", "Practitioner/1", id="the user where CDS Hooks 0.x had it"),
        pytest.param("context.surprise", {"a": 1}, id="an unknown member of the context"),
        pytest.param("context.selections", ["ServiceRequest/other"], id="selections on order-sign"),
        pytest.param("context.encounterId", None, id="an encounter that is null"),
        pytest.param("context.userId", "COREPRACTITIONER1", id="a user without a type"),
        pytest.param("context.userId", "PractitionerRole/1", id="a user by role"),
        pytest.param("hookInstance", "D1577C69-DFBE-44AD-BA6D-3E05E953B2EA", id="a UUID in capital letters"),
        pytest.param("hookInstance", "00000000-0000-0000-0000-000000000000", id="a UUID of no version"),
        pytest.param("fhirServer", "not an address", id="a server that is no address"),
        pytest.param("fhirServer", None, id="a server that is null"),
        pytest.param("fhirAuthorization", None, id="an authorization that is null"),
        pytest.param("prefetch", prefetch() | {"x": [1]}, id="a prefetch key nobody asked for"),
        pytest.param("prefetch.patient", None, id="a patient that was not found"),
        pytest.param("prefetch", {}, id="an empty prefetch"),
        pytest.param("prefetch", None, id="a prefetch that is null"),
        pytest.param("prefetch", ABSENT, id="no prefetch"),
    ],
)
def test_what_is_odd_but_harmless_is_tolerated(client: FlaskClient, path: str, value: Any) -> None:
    """R-2.14, R-2.22, R-2.42, R-2.44, R-2.80 to R-2.84, clients.md 2."""
    call = changed(hook_call(), path, value)
    response = post(client, call)
    assert (response.status_code, len(response.get_json()["cards"])) == (200, 1)


@pytest.mark.parametrize(
    "member",
    [{"expires_in": "300"}, {"scope": None}, {"subject": 5}, {"patient": []}, {"x": 1}, {"token_type": "bearer"}],
)
def test_an_authorization_needs_no_more_than_a_token(client: FlaskClient, member: dict[str, Any]) -> None:
    """R-2.20 to R-2.25, R-2.29: what we do not use is not judged."""
    call = hook_call(fhirServer="http://127.0.0.1:8113/fhir/R4", fhirAuthorization={"access_token": "t"} | member)
    assert list(cards_of(client, call)) == ["what-to-expect"]


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param({"category": {"text": "procedure"}, "reasonCode": []}, id="category is an object"),
        pytest.param({"status": "active"}, id="it is signed again"),
        pytest.param({"status": None, "intent": None, "subject": None}, id="it is hardly begun"),
        pytest.param({"id": "not a FHIR id!"}, id="its id is odd"),
        pytest.param({"id": 5}, id="its id is a number"),
        pytest.param(
            {"code": {"coding": [{}, {"system": "http://snomed.info/sct", "code": "277762005"}]}},
            id="a coding is empty",
        ),
    ],
)
def test_an_order_may_be_odd_or_unfinished(client: FlaskClient, elements: dict[str, Any]) -> None:
    """R-2.35, R-2.44, R-2.75, clients.md 2."""
    assert list(cards_of(client, hook_call(order(**elements)))) == ["what-to-expect"]


@pytest.mark.parametrize(
    "drafts",
    [
        pytest.param(BUNDLE, id="an empty list of orders"),
        pytest.param({"resourceType": "Bundle"}, id="no list of orders"),
        pytest.param(searchset({"resourceType": "MedicationRequest", "id": "1"}, {}, 5, None), id="orders not ours"),
        pytest.param(searchset(order({"coding": [{}]})), id="an order before a study is picked"),
    ],
)
def test_a_session_without_a_lumbar_puncture_gets_no_card(client: FlaskClient, drafts: Any) -> None:
    """R-2.72, R-2.73, R-4.1, R-4.2."""
    assert post(client, changed(hook_call(), "context.draftOrders", drafts)).get_json() == {"cards": []}


@pytest.mark.parametrize(
    ("selections", "count"),
    [
        pytest.param(["ServiceRequest/order-1"], 1, id="the puncture"),
        pytest.param(["https://ehr.example.org/fhir/ServiceRequest/order-1"], 1, id="the puncture by its address"),
        pytest.param(["MedicationRequest/order-1"], 0, id="an order of another type"),
        pytest.param(["ServiceRequest/nothing", "", "/"], 0, id="what resolves to nothing"),
        pytest.param([], 0, id="nothing"),
    ],
)
def test_order_select_is_about_what_is_selected(client: FlaskClient, selections: list[str], count: int) -> None:
    """R-2.33, R-2.35, R-2.36."""
    call = hook_call(hook="order-select")
    call["context"]["selections"] = selections
    assert len(post(client, call).get_json()["cards"]) == count


def test_of_two_equal_keys_the_last_one_counts_everywhere(client: FlaskClient) -> None:
    """R-2.16: the stated policy; a spoiled first value does no harm."""
    body = json.dumps(hook_call()).replace('"patientId"', '"patientId": "first", "patientId"')
    assert len(post_raw(client, body.encode()).get_json()["cards"]) == 1
