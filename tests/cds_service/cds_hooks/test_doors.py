"""A call gives the same answer through every door: Flask's, and an event loop that waits nowhere itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from cds_service.cds_hooks.hook_call import HookCall
from cds_service.cds_hooks.http_message import HttpAnswer, HttpRequest
from cds_service.fhir_client.reader import FetchResult
from cds_service.steps import Wait
from tests.charts import SERVICE, hook_call, order, patient
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.test_recorded_calls import CALLS, serve_lab_patients

JSON = {"Content-Type": "application/json"}
ORIGIN = {"Origin": "http://127.0.0.1:8105"}


async def answer_on_loop(app: Flask, request: HttpRequest) -> tuple[HttpAnswer, list[Wait]]:
    """The answer of a door that gives whatever may wait to a pool, and what it gave there."""
    waits: list[Wait] = []
    steps = HookCall(app.extensions["cds_services"], request).answer()
    with ThreadPoolExecutor(1) as pool:
        try:
            waits.append(next(steps))
            while True:
                wait = waits[-1]
                work = asyncio.wrap_future(wait if isinstance(wait, Future) else pool.submit(wait))
                try:
                    result = await work
                except Exception as error:
                    waits.append(steps.throw(error))
                else:
                    waits.append(steps.send(result))
        except StopIteration as done:
            return done.value, waits


def through_both(
    app: Flask, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[tuple[int, Any, bytes], tuple[int, Any, bytes]]:
    """Status, headers and body: of Flask's door, and of the event loop's.

    The request is sent once before, so that feedback is a repetition at both doors.
    """
    for _ in range(2):
        response = app.test_client().open(path, method=method, headers=headers, data=body or None)
    names = {name.lower(): text for name, text in headers.items()}
    answer, _ = asyncio.run(answer_on_loop(app, HttpRequest(method, path, names, body, len(body) if body else None)))
    kept = [(name, text) for name, text in response.headers if name != "Content-Length"]
    sent = b"" if method == "HEAD" else answer.body
    return (response.status_code, sorted(kept), response.get_data()), (answer.status, sorted(answer.headers), sent)


@pytest.mark.parametrize("case", [pytest.param(path, id=path.stem) for path in CALLS])
def test_a_recorded_call_gets_one_answer_at_both_doors(case: Any, app: Flask, fhir_server: FakeFhirServer) -> None:
    serve_lab_patients(fhir_server)
    request = json.loads(case.read_text("utf-8"))["request"]
    body = json.dumps(request["body"]).encode() if "body" in request else b""
    headers = {name: text for name, text in request["headers"].items() if name not in ("Host", "Content-Length")}
    flask, loop = through_both(app, request["method"], request["path"], headers, body)
    assert flask == loop


CALL = json.dumps(hook_call()).encode()


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        pytest.param("GET", "/cds-services", {}, b"", 200, id="discovery"),
        pytest.param("HEAD", "/cds-services/", {}, b"", 200, id="the head of discovery"),
        pytest.param("GET", "/cds-services", {"If-None-Match": "*"}, b"", 304, id="discovery that is known"),
        pytest.param("HEAD", "/cds-services", {"If-None-Match": "*"}, b"", 304, id="the head of one that is known"),
        pytest.param("PUT", SERVICE, JSON, CALL, 405, id="a method that is not taken"),
        pytest.param("GET", f"{SERVICE}/nothing", ORIGIN, b"", 404, id="an address where nothing is"),
        pytest.param("POST", "/cds-services/unknown", JSON, CALL, 404, id="a service that is not there"),
        pytest.param("POST", SERVICE, {}, CALL, 415, id="no media type"),
        pytest.param("POST", SERVICE, JSON | {"Content-Encoding": "gzip"}, CALL, 415, id="a compressed body"),
        pytest.param("POST", SERVICE, JSON | ORIGIN, b" " * 2001, 413, id="a body that is too large"),
        pytest.param("POST", SERVICE, JSON | ORIGIN, b"{", 400, id="no JSON"),
        pytest.param("POST", f"{SERVICE}/feedback", JSON, b'{"feedback": []}', 200, id="feedback"),
        pytest.param(
            "OPTIONS", SERVICE, ORIGIN | {"Access-Control-Request-Method": "POST"}, b"", 200, id="a preflight"
        ),
    ],
)
def test_an_error_or_a_preflight_is_the_same_at_both_doors(
    method: str, path: str, headers: dict[str, str], body: bytes, status: int, make_app: Callable[..., Flask]
) -> None:
    flask, loop = through_both(make_app(max_body_bytes=2000), method, path, headers, body)
    assert (flask, loop[0]) == (loop, status)


def wait_names(app: Flask, call: dict[str, Any]) -> list[str]:
    """What a call waits for: the functions that a thread has to run, and `writer` for what it gave to the writer."""
    body = json.dumps(call).encode()
    _, waits = asyncio.run(
        answer_on_loop(app, HttpRequest("POST", SERVICE, {"content-type": "application/json"}, body))
    )
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
