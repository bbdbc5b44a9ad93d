"""The steps of a call: the caller decides where each of them waits, and can answer for the outside world."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from flask import Flask

from cds_service.cds_hooks.hook_call import HookCall
from cds_service.cds_hooks.http_message import HttpAnswer, HttpRequest
from cds_service.fhir_client.reader import FetchResult
from cds_service.steps import Steps, Wait, run_steps
from tests.charts import SERVICE, hook_call, order, patient
from tests.fake_fhir_server import BASE, FakeFhirServer


def waits_of(app: Flask, request: HttpRequest) -> list[Wait]:
    """What a call waits for, one after the other."""
    waits: list[Wait] = []

    def noted(steps: Steps[HttpAnswer]) -> Steps[HttpAnswer]:
        result = None
        try:
            while True:
                waits.append(steps.send(result))
                result = yield waits[-1]
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    run_steps(noted(HookCall(app.extensions["cds_services"], request).answer()))
    return waits


def wait_names(app: Flask, call: dict[str, Any]) -> list[str]:
    """What a call waits for: the functions that a thread has to run, and `writer` for what it gave to the writer."""
    body = json.dumps(call).encode()
    waits = waits_of(app, HttpRequest("POST", SERVICE, {"content-type": "application/json"}, body))
    return ["writer" if isinstance(wait, Future) else wait.func.__name__ for wait in waits]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "waits"),
    [
        pytest.param(hook_call(order({"text": "chest X-ray"})), [], id="an order that is not ours waits for nothing"),
        pytest.param(hook_call(), [], id="a call with its prefetch waits for nothing"),
        pytest.param(
            hook_call(fhirServer=BASE, prefetch={"patient": patient()}),
            ["fetch"],
            id="a chart that was not sent is fetched, all of it at once",
        ),
    ],
)
def test_only_what_may_wait_leaves_the_event_loop(app: Flask, call: dict[str, Any], waits: list[str]) -> None:
    assert wait_names(app, call) == waits


def test_cards_that_are_recorded_before_the_answer_need_no_thread_to_wait_for_it(
    make_app: Callable[..., Flask],
) -> None:
    assert wait_names(make_app(record_before_answer=True), hook_call()) == ["writer"]


def test_a_spent_time_budget_costs_no_card(app: Flask, fhir_server: FakeFhirServer) -> None:
    """A door may answer for the FHIR server, so that budgets are tried without a socket and without waiting."""
    body = json.dumps(hook_call(fhirServer=BASE, prefetch={})).encode()
    request = HttpRequest("POST", SERVICE, {"content-type": "application/json"}, body)
    steps = HookCall(app.extensions["cds_services"], request).answer()
    fetch = next(steps)
    keys = fetch.args[2]  # type: ignore[attr-defined]
    with pytest.raises(StopIteration) as over:
        steps.send({key: FetchResult() for key in keys})  # as a read is that was not begun in time
    cards = json.loads(over.value.value.body)["cards"]
    assert [card["extension"]["lumbar-puncture-back-pain"]["card"] for card in cards] == ["what-to-expect"]
    assert fhir_server.requests == []
