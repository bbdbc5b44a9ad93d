"""The answer does not depend on when the chart is decoded: with its request, later, or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings

from cards.fhir.bundle import BundleRead
from cards.topic import Topic
from cds_service.cds_hooks import request_decoder
from cds_service.cds_hooks.request_decoder import RequestDecoder
from tests.charts import ASTHMA, SERVICE, condition, hook_call, order, patient, prefetch, procedure, searchset
from tests.fuzz.calls import MadeUpCall
from tests.fuzz.changes import changed_calls, damaged_calls

CHART = prefetch(condition(), condition(ASTHMA, id="condition-2"), procedures=[procedure(ASTHMA)], language="es")
CHEST = {"text": "Chest X-ray"}


def answers(app: Flask, body: bytes, path: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bytes]]:
    """Status and body, with a look at what stands before prefetch, and without."""
    found = []
    for worth in (0, sys.maxsize):
        monkeypatch.setattr(request_decoder, "_WORTH_A_LOOK", worth)
        response = app.test_client().post(path, data=body, content_type="application/json")
        found.append((response.status_code, response.get_data()))
    return found


def members(*pairs: tuple[str, Any]) -> bytes:
    """An object with these members in this order, some of them perhaps twice."""
    return ("{" + ",".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pairs) + "}").encode()


def call(*others: tuple[str, Any], drafts: dict[str, Any] | None = None, chart: Any = CHART) -> bytes:
    """A call with these members after its prefetch."""
    whole = hook_call(drafts or order())
    return members(
        *((name, value) for name, value in whole.items() if name != "prefetch"), ("prefetch", chart), *others
    )


PLAIN = hook_call(order())
BODIES = [
    pytest.param(call(), id="a chart as FHIR has it"),
    pytest.param(call(drafts=order(CHEST)), id="an order that is not ours"),
    pytest.param(
        call(("context", hook_call(order(CHEST))["context"])),
        id="another context after prefetch, without an order of ours",
    ),
    pytest.param(
        call(("context", PLAIN["context"]), drafts=order(CHEST)),
        id="another context after prefetch, with an order of ours",
    ),
    pytest.param(
        call(("context", hook_call(order(subject={"reference": "Patient/other"}))["context"])),
        id="another context after prefetch, for another patient",
    ),
    pytest.param(call(("hook", "order-select")), id="another hook after prefetch"),
    pytest.param(call(("prefetch", {})), id="prefetch twice, the second empty"),
    pytest.param(call(("prefetch", prefetch())), id="prefetch twice, the second another"),
    pytest.param(
        members(("prefetch", CHART), *(pair for pair in PLAIN.items() if pair[0] != "prefetch")), id="prefetch first"
    ),
    pytest.param(
        call().replace(b'"hook":', b'"note": "the \\"prefetch\\": {", "hook":', 1), id="the word within a string"
    ),
    pytest.param(call().replace(b'"userId":', b'"prefetch": {}, "userId":', 1), id="the word within the context"),
    pytest.param(call(chart=None), id="prefetch that is null"),
    pytest.param(call(chart=[]), id="prefetch that is a list"),
    pytest.param(call(chart=CHART | {"conditions": None}), id="no conditions, by null"),
    pytest.param(call(chart={"patient": patient()}), id="no conditions and procedures at all"),
    pytest.param(call(chart=CHART | {"conditions": [searchset(condition())]}), id="a Bundle in a list"),
    pytest.param(call(chart=CHART | {"conditions": condition()}), id="a bare Condition"),
    pytest.param(call(chart=CHART | {"conditions": {"resource": searchset(condition())}}), id="a Bundle in a wrapper"),
    pytest.param(call(chart=CHART | {"conditions": {"resourceType": "OperationOutcome"}}), id="an OperationOutcome"),
    pytest.param(
        call(chart=CHART | {"conditions": searchset(condition(), 7, None)}), id="entries that are no resources"
    ),
    pytest.param(
        call(chart=CHART | {"conditions": searchset(condition(), condition(id=7, code="x"))}), id="an odd Condition"
    ),
    pytest.param(call(chart=CHART | {"conditions": searchset(condition(), total=3)}), id="a Bundle that is not whole"),
    pytest.param(
        call(chart=CHART | {"conditions": searchset(condition(subject={"reference": "Patient/other"}))}),
        id="a Condition of somebody else",
    ),
    pytest.param(call(chart=CHART | {"patient": "x"}), id="a patient that is a string"),
    pytest.param(call()[:-1], id="an object that nobody closes"),
    pytest.param(call() + b"]", id="something after the end"),
    pytest.param(call().replace(b"Asthma", b"Asthm\xff"), id="bytes that are no UTF-8, in the chart"),
    pytest.param(call().replace(b'"Asthma"', b"NaN"), id="NaN in the chart"),
    pytest.param(
        call(chart=CHART | {"conditions": searchset(condition(extension=[[[[[[1]]]]]]))}), id="an extension that is odd"
    ),
    pytest.param(call(chart=CHART).replace(b'"Asthma"', b"[" * 4000 + b"]" * 4000), id="a nest without end"),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_look_ahead_never_changes_the_answer(app: Flask, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead, plain = answers(app, body, SERVICE, monkeypatch)
    assert ahead == plain


@pytest.mark.parametrize("made_up", [changed_calls, damaged_calls])
def test_a_look_ahead_never_changes_the_answer_to_what_nobody_thought_of(
    app: Flask, made_up: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(made_up().filter(lambda one: one.path == SERVICE))
    def holds(one: MadeUpCall) -> None:
        ahead, plain = answers(app, one.body, one.path, monkeypatch)
        assert ahead == plain

    holds()


@pytest.mark.parametrize(
    ("drafts", "padding", "decoded"),
    [
        pytest.param(order(), 20_000, True, id="a large chart, of an order of ours"),
        pytest.param(order(CHEST), 20_000, False, id="a large chart that nobody will read"),
        pytest.param(order(), 0, False, id="a small chart, which is not worth a second look at the orders"),
    ],
)
def test_bundles_are_decoded_with_the_request_where_they_will_be_read(
    drafts: dict[str, Any], padding: int, decoded: bool, topic: Topic
) -> None:
    chart = CHART | {"conditions": searchset(condition(note=[{"text": "x" * padding}]))}
    request = RequestDecoder(topic).decode(call(drafts=drafts, chart=chart))
    assert isinstance(request.prefetch["conditions"], BundleRead) is decoded
