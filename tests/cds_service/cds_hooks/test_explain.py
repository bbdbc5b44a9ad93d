"""`explain`: whole requests, valid and invalid."""

from __future__ import annotations

import json
import random
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from cards.topic import Topic
from cds_service.cds_hooks.explain import explain
from cds_service.errors import BadRequest
from tests.charts import (
    ASTHMA,
    CPT,
    LUMBAR_PUNCTURE,
    Json,
    coded,
    condition,
    hook_call,
    key_of,
    order,
    patient,
    post,
    prefetch,
    procedure,
    searchset,
)
from tests.places import FIXTURES

TODAY = date(2026, 11, 22)
REQUESTS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))["request"]
    for path in sorted((FIXTURES / "recorded_calls").glob("[0-9]*.json"))
}
RECORDED = {name: request["body"] for name, request in REQUESTS.items() if "body" in request}  # preflights have none
EXAMPLES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))["request"]
    for path in sorted((FIXTURES / "spec_examples").glob("*.json"))
}
HEADINGS = ["Hook", "Orders", "Chart", "Decision", "Strict reading"]
MRI = coded(CPT, "72148")


def explained(topic: Topic, call: Any) -> str:
    return explain(json.dumps(call).encode(), topic, TODAY)


def lines(topic: Topic, call: Any) -> list[str]:
    """The lines of an explanation, blanks of the alignment folded."""
    return [" ".join(line.split()) for line in explained(topic, call).splitlines()]


def fired(text: str) -> list[str]:
    return sorted(line.split()[0] for line in text.splitlines() if " fires (" in line)


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in {**RECORDED, **EXAMPLES}.items()])
def test_a_call_is_explained_with_the_cards_it_gets_or_refused_where_the_service_refuses(
    body: Any, topic: Topic, client: FlaskClient
) -> None:
    """The FHIR server of this client gives nothing, so that it, too, has the prefetch alone."""
    response = post(client, body)
    if response.status_code == 400:
        with pytest.raises(BadRequest):
            explained(topic, body)
        return
    text = explained(topic, body)
    assert [line for line in text.splitlines() if line and line[0] != " "] == HEADINGS
    if response.status_code == 412:
        assert text.count("does not fire: 412: the procedures could not be read") == 5
    else:
        assert fired(text) == sorted(key_of(card, body["hookInstance"]) for card in response.get_json()["cards"])


def test_the_whole_of_a_small_explanation(topic: Topic) -> None:
    call = hook_call(prefetch=prefetch(condition(onsetDateTime="2023-06-31")) | {"procedures": None})
    assert explained(topic, call) == WHOLE


WHOLE = """\
Hook
  hook                 order-sign
  today                2026-11-22 (UTC)
  FHIR server          none given
  prefetch.patient     satisfied: 1 entry
  prefetch.conditions  satisfied: 1 entry
  prefetch.procedures  empty: there is nothing

Orders
  ServiceRequest/order-1
    words      “Lumbar puncture”
    codes      SNOMED CT 277762005
    taken for  a lumbar puncture: lumbar-puncture, by SNOMED CT 277762005; lumbar-puncture, by its words

Chart
  Conditions: 1 in the call
  Condition/condition-1
    words     “Spinal stenosis of lumbar region”
    codes     SNOMED CT 18347007
    standing  current; a date that could not be read
    in        spinal-stenosis, by SNOMED CT 18347007; spinal-stenosis, by its words
    role      finding, listed as spinal stenosis (lumbar)
  Procedures: 0 in the call

Decision
  orders               1 for a lumbar puncture
  punctures            no lumbar puncture within 365 days
  pain                 not judged: no completed lumbar puncture within 365 days
  nerve symptom        none that may be new since a puncture
  red flags            none applies
  findings             spinal stenosis (lumbar): Condition/condition-1
  what-to-expect       fires (info): “A sore back is common after LP and usually eases within days. \
Lasting back pain is described as exceedingly rare (expert opinion).” It offers patient-instruction.
  confounders          fires (info): “Chart shows spinal stenosis: may contribute to back pain. \
Document baseline pain before the LP.”
  pain-after-puncture  does not fire: no completed lumbar puncture within 365 days
  nerve-symptoms       does not fire: no completed lumbar puncture within 365 days
  red-flags            does not fire: no lumbar puncture within 365 days

Strict reading
  valid R4: 2 of 3 resources
  Condition/condition-1
    invalid  onsetDateTime: Input should be a valid datetime or date, day value is outside expected range
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(
            hook_call(prefetch=None),
            [
                "prefetch.conditions not in prefetch: cannot be read without a FHIR server",
                "Conditions: could not be read",
            ],
            id="nothing is sent and there is no server",
        ),
        pytest.param(
            hook_call(prefetch=None, fhirServer="https://ehr.example.org/fhir"),
            [
                "FHIR server https://ehr.example.org/fhir (not called here)",
                "prefetch.conditions not in prefetch: would be fetched from the FHIR server",
                "note judged from the prefetch alone; patient, conditions, procedures: would be fetched from the "
                "FHIR server",
            ],
            id="nothing is sent",
        ),
        pytest.param(
            hook_call(order(priority="stat"), prefetch={}, fhirServer="https://ehr.example.org/fhir"),
            ["prefetch.patient not in prefetch: would not be fetched, for an urgent order does not wait"],
            id="an urgent puncture",
        ),
        pytest.param(
            hook_call(order(ASTHMA), prefetch={"coverage": {}}),
            [
                "prefetch.patient not in prefetch: not needed, for no order is ours",
                "prefetch.coverage passed over: the service does not ask for it",
                "not read: no order is ours",
            ],
            id="no order is ours",
        ),
        pytest.param(
            hook_call(
                prefetch={
                    "conditions": searchset(condition(), total=9),
                    "procedures": {"resourceType": "OperationOutcome"},
                }
            ),
            [
                "prefetch.conditions partial: 1 entry of 9; the rest cannot be read without a FHIR server",
                "prefetch.procedures failed: an error instead of data",
                "Conditions: 1 in the call, and there are more",
            ],
            id="a part and an error",
        ),
        pytest.param(
            hook_call(
                context={"userId": "Practitioner/1", "patientId": "1", "draftOrders": {"resourceType": "Bundle"}}
            ),
            ["none: draftOrders is empty"],
            id="no orders",
        ),
        pytest.param(
            hook_call({"resourceType": "DiagnosticOrder", "id": "1", "item": [{"code": LUMBAR_PUNCTURE}]}),
            ["DSTU2: no library keeps up models of this version, so nothing is checked"],
            id="DSTU2",
        ),
        pytest.param(hook_call(order({"concept": LUMBAR_PUNCTURE})), ["valid R5: 2 of 2 resources"], id="R5"),
        pytest.param(
            hook_call(prefetch=prefetch(*(condition(id=f"c{number}", subject=None) for number in range(23)))),
            ["valid R4: 2 of 25 resources", "invalid subject: Field required", "3 more that are not valid"],
            id="much that is not valid",
        ),
    ],
)
def test_what_a_request_is_told_to_be(topic: Topic, call: Any, expected: list[str]) -> None:
    told = lines(topic, call)
    assert [line for line in expected if line not in told] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"\xff", "not UTF-8", id="not text"),
        pytest.param(json.dumps(hook_call(hook="patient-view")).encode(), "hook", id="another hook"),
        pytest.param(
            json.dumps(hook_call(context={"userId": "P/1", "patientId": "1", "draftOrders": []})).encode(),
            "draftOrders",
            id="no Bundle",
        ),
        pytest.param(
            json.dumps(hook_call(order(subject={"reference": "Patient/other"}))).encode(), "another patient", id="order"
        ),
        pytest.param(
            json.dumps(hook_call(prefetch=prefetch(condition(subject={"reference": "Patient/other"})))).encode(),
            "prefetch.conditions",
            id="chart of another patient",
        ),
    ],
)
def test_a_bad_request_is_refused(topic: Topic, body: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        explain(body, topic, TODAY)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["18-order-select-mri-lp-5-months-ago", "22-order-select-lp-many-all-pages"])
def test_the_order_of_keys_does_not_matter(topic: Topic, name: str) -> None:
    assert explained(topic, RECORDED[name]) == explained(topic, reversed_keys(RECORDED[name]))


def test_nothing_of_a_chart_reaches_the_terminal_as_a_command(topic: Topic) -> None:
    text = "\x1b]0;owned\x07 spinal stenosis\r\n\u202e" + "long " * 200
    told = explained(topic, hook_call(prefetch=prefetch(condition({"text": text}, id="\x1b[31m"))))
    assert all(char.isprintable() or char == "\n" for char in told)
    assert max(len(line) for line in told.splitlines()) <= 400


def test_nothing_is_logged_and_no_token_is_shown(topic: Topic, capfd: pytest.CaptureFixture[str]) -> None:
    token = {"access_token": "very-secret", "token_type": "Bearer", "expires_in": 300, "scope": "", "subject": "s"}
    call = hook_call(prefetch=None, fhirServer="https://ehr.example.org", fhirAuthorization=token)
    assert "very-secret" not in explained(topic, call)
    assert capfd.readouterr() == ("", "")


NONSENSE = [None, 7, "", [], {}, [None], "x", True, 1.5, {"resourceType": "Condition"}, "2030", "Patient/other", "\x1b"]


def spoiled(call: Json, dice: random.Random) -> Json:
    """A copy of a call in which up to four values of context and prefetch are nonsense."""
    copy: Json = json.loads(json.dumps(call))
    for _ in range(dice.randint(1, 4)):
        holder: Any = copy[dice.choice(["context", "prefetch"])]
        while True:
            key: Any = dice.choice(list(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
            if not isinstance(holder[key], dict | list) or not holder[key] or dice.random() < 0.2:
                break
            holder = holder[key]
        holder[key] = dice.choice(NONSENSE)
    return copy


def test_nonsense_is_explained_or_refused(topic: Topic, client: FlaskClient) -> None:
    """Where the service answers, the explanation has the same cards."""
    dice = random.Random(7)  # noqa: S311 - not for secrets
    chart = prefetch(condition(), procedures=[procedure(LUMBAR_PUNCTURE, performedDateTime="2026-11-02")])
    drafts = [order(), order(MRI, id="2", reasonReference=[{"reference": "Condition/condition-1"}])]
    call = hook_call(*drafts, prefetch=chart | {"patient": patient()})
    for _ in range(150):
        body = spoiled(call, dice)
        response = post(client, body)
        try:
            told = explained(topic, body)
        except BadRequest:
            assert response.status_code == 400
            continue
        keys = [key_of(card, body["hookInstance"]) for card in response.get_json().get("cards", [])]
        assert fired(told) == sorted(keys)
