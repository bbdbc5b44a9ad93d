"""Traces, sent to a collector on loopback: the content of the log as spans, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from structlog.testing import capture_logs

from cds_service.cli.doctor import examine
from cds_service.event_log.events import observe_with
from cds_service.operations.tracing import Tracing, is_asked_for, start_tracing
from tests.call_server import CallServer, reply
from tests.cds_service.event_log.test_events import CANARY, canary_call
from tests.charts import ASTHMA, SERVICE, condition, hook_call, order, post, prefetch, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.work_ups import referring

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
PATH = "/v1/traces"


class Collector:
    """Plays the collector of OTLP over HTTP."""

    def __init__(self) -> None:
        self.server = CallServer()
        self.server.answers[f"POST {PATH}"] = reply(b"", Content_Type="application/x-protobuf")

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.server.url}

    @property
    def received(self) -> bytes:
        """All bytes that came."""
        return b"".join(one.body for one in self.server.posted())

    def resources(self) -> list[dict[str, Any]]:
        """What each batch says of the sender."""
        return [attributes(one.resource) for batch in self._batches() for one in batch.resource_spans]

    def spans(self) -> dict[str, Span]:
        """All spans by name, and each name once."""
        scopes = [scope for batch in self._batches() for one in batch.resource_spans for scope in one.scope_spans]
        spans = [span for scope in scopes for span in scope.spans]
        named = {f"{one.name} {attributes(one).get('cds_hooks.fetch.key', '')}".strip(): one for one in spans}
        assert len(named) == len(spans)
        return named

    def _batches(self) -> Iterator[ExportTraceServiceRequest]:
        for one in self.server.posted():
            assert (one.path, one.headers["Content-Type"]) == (PATH, "application/x-protobuf")
            yield ExportTraceServiceRequest.FromString(one.body)


def attributes(message: Any) -> dict[str, Any]:
    """The attributes of a span or resource; lists as tuples of texts."""

    def value(one: Any) -> Any:
        kind = one.WhichOneof("value")
        return tuple(map(value, one.array_value.values)) if kind == "array_value" else getattr(one, kind)

    return {one.key: value(one.value) for one in message.attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    one = Collector()
    for name, text in one.environment.items():
        monkeypatch.setenv(name, text)
    yield one
    one.server.close()


@pytest.fixture
def tracing(collector: Collector) -> Iterator[Tracing]:
    """As a serving process has it."""
    one = start_tracing(collector.environment)
    assert one
    yield one
    observe_with()
    one.close()


@pytest.fixture
def traced(app: Flask, tracing: Tracing, collector: Collector) -> Callable[[], dict[str, Span]]:
    """Traces what `client` does, and gives the spans when it is called."""
    observe_with(app.extensions["metrics"], tracing)

    def spans() -> dict[str, Span]:
        tracing.flush()
        return collector.spans()

    return spans


def test_a_call_is_a_span_with_its_stages_and_its_reads(
    client: FlaskClient, traced: Callable[[], dict[str, Span]], fhir_server: FakeFhirServer
) -> None:
    fhir_server.answers["Condition?patient=pat-1&_count=500"] = searchset(condition())
    given = prefetch()
    del given["conditions"], given["procedures"]
    post(client, hook_call(fhirServer=BASE, prefetch=given))
    spans = traced()
    stages = ["auth", "decode", "triage", "chart", "rule", "ledger", "encode"]
    assert set(spans) == {"cds_hooks.call", *stages, "fhir.read conditions", "fhir.read procedures"}
    call = spans["cds_hooks.call"]
    assert (call.kind, call.parent_span_id) == (Span.SPAN_KIND_SERVER, b"")
    assert {one.trace_id for one in spans.values()} == {call.trace_id}
    moment = call.start_time_unix_nano
    for stage in stages:
        span = spans[stage]
        assert span.parent_span_id == call.span_id
        assert span.start_time_unix_nano == moment
        moment = span.end_time_unix_nano
    assert moment <= call.end_time_unix_nano
    chart = spans["chart"]
    for key in ("conditions", "procedures"):
        read = spans[f"fhir.read {key}"]
        assert (read.kind, read.parent_span_id) == (Span.SPAN_KIND_CLIENT, chart.span_id)
        assert read.start_time_unix_nano < read.end_time_unix_nano
    assert attributes(spans["fhir.read conditions"]) == {"cds_hooks.fetch.key": "conditions"}
    assert attributes(spans["fhir.read procedures"]) == {
        "cds_hooks.fetch.key": "procedures",
        "cds_hooks.fetch.failure": "the server answered 404",
    }
    assert spans["fhir.read procedures"].status.code == 2
    assert call.status.code == 0


def test_its_attributes_are_the_members_of_its_log_line(
    client: FlaskClient, traced: Callable[[], dict[str, Span]], collector: Collector
) -> None:
    with capture_logs() as events:
        post(client, canary_call())
    (event,) = events
    told = attributes(traced()["cds_hooks.call"])
    left_out = ("cds_hooks.duration_ms", "cds_hooks.token.", "event", "log_level")
    logged = {name: value for name, value in event.items() if not name.startswith(left_out)}
    assert told == {name: tuple(value) if isinstance(value, list) else value for name, value in logged.items()}
    assert told["cds_hooks.cards"] == ("what-to-expect", "confounders")
    (resource,) = collector.resources()
    assert resource["service.name"] == "cds-service"


def test_a_reason_is_read_in_the_stage_that_asks_for_it(
    client: FlaskClient, traced: Callable[[], dict[str, Span]], fhir_server: FakeFhirServer
) -> None:
    fhir_server.answers["Condition/why"] = condition(ASTHMA, id="why")
    post(client, hook_call(referring("Condition/why"), fhirServer=BASE))
    spans = traced()
    assert spans["fhir.read reason"].parent_span_id == spans["triage"].span_id


@pytest.mark.parametrize(
    ("headers", "trace", "parent"),
    [
        pytest.param({"traceparent": TRACEPARENT}, TRACE, PARENT, id="a trace of the caller"),
        pytest.param({"traceparent": TRACEPARENT, "tracestate": f"x={CANARY}"}, TRACE, PARENT, id="with a state"),
        pytest.param({"traceparent": TRACEPARENT, "baggage": f"patient={CANARY}"}, TRACE, PARENT, id="with baggage"),
        pytest.param({"traceparent": CANARY}, None, "", id="an invalid one"),
        pytest.param({"traceparent": f"00-{'0' * 32}-{PARENT}-01"}, None, "", id="a trace of zeros"),
        pytest.param({"traceparent": f"ff-{TRACE}-{PARENT}-01"}, None, "", id="an unknown version"),
        pytest.param({"b3": f"{TRACE}-{PARENT}-1"}, None, "", id="another vendor's header"),
    ],
)
def test_the_trace_of_the_caller_goes_on_and_nothing_else_of_theirs(
    client: FlaskClient,
    traced: Callable[[], dict[str, Span]],
    collector: Collector,
    headers: dict[str, str],
    trace: str | None,
    parent: str,
) -> None:
    client.post(SERVICE, json=hook_call(), headers=headers)
    call = traced()["cds_hooks.call"]
    assert call.parent_span_id.hex() == parent
    assert (call.trace_id.hex() == trace) == (trace is not None)
    assert CANARY.encode() not in collector.received


def test_a_caller_that_does_not_sample_is_followed(client: FlaskClient, traced: Callable[[], dict[str, Span]]) -> None:
    client.post(SERVICE, json=hook_call(), headers={"traceparent": TRACEPARENT[:-1] + "0"})
    assert traced() == {}


def test_nothing_of_a_patient_or_a_token_gets_into_a_trace_and_no_trace_to_a_fhir_server(
    client: FlaskClient, traced: Callable[[], dict[str, Span]], collector: Collector, fhir_server: FakeFhirServer
) -> None:
    headers = {"traceparent": TRACEPARENT, "Authorization": f"Bearer {CANARY}"}
    fhir_server.answers[f"Patient/{CANARY}"] = (503, {CANARY: CANARY})
    for elements in ({}, {"prefetch": {}}, {"fhirServer": BASE, "prefetch": {}}, {"hook": CANARY}, {"context": CANARY}):
        client.post(SERVICE, json=canary_call(**elements), headers=headers)
    client.post(f"/cds-services/{CANARY}?{CANARY}", json={}, headers=headers)
    tracing_headers = {"traceparent", "tracestate", "baggage"}
    assert fhir_server.requests
    assert not [one for one in fhir_server.requests if tracing_headers & {name.lower() for name in one.headers}]
    with pytest.raises(AssertionError):
        traced()  # several calls, so names that come twice
    assert len(collector.received) > 1_000
    for word in (CANARY, "127.0.0.1:8113", "Patient/", "http://", "M48"):
        assert word.encode() not in collector.received, word


def test_a_fault_is_an_error_in_the_trace(
    make_app: Callable[..., Flask], collector: Collector, tracing: Tracing
) -> None:
    def clock() -> Any:
        raise RuntimeError(CANARY)

    client = make_app(clock=clock).test_client()
    observe_with(tracing)
    post(client, hook_call(order({"text": "Chest X-ray"})))
    tracing.flush()
    status = collector.spans()["cds_hooks.call"].status
    assert (status.code, status.message) == (2, "")
    assert CANARY.encode() not in collector.received


def test_a_collector_that_is_down_costs_no_card_and_is_told_without_its_address(
    client: FlaskClient, traced: Callable[[], dict[str, Span]], collector: Collector
) -> None:
    collector.server.answers[f"POST {PATH}"] = reply(CANARY.encode(), 400)
    with capture_logs() as events:
        assert len(post(client, hook_call()).get_json()["cards"]) == 1
        traced()
    assert [one["event"] for one in events] == ["cds_hooks.call", "cds_hooks.traces.not_sent"]
    assert set(events[1]) == {"event", "log_level"}


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"OTEL_SERVICE_NAME": "x"}, False, id="a name alone"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, id="an empty endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True, id="an endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True, id="one for traces"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False, id="switched off"
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False, id="no exporter"
        ),
    ],
)
def test_traces_are_given_where_the_standard_variables_ask_for_them(environment: dict[str, str], asked: bool) -> None:
    assert is_asked_for(environment) == asked


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.org:4318"}


@pytest.mark.parametrize(
    ("environment", "installed", "says"),
    [
        pytest.param(ENDPOINT, True, None, id="all is there"),
        pytest.param({}, False, None, id="nobody asks for traces"),
        pytest.param(ENDPOINT, False, "install the extra (lumbar-puncture-back-pain[tracing])", id="no extra"),
        pytest.param(ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True, "must be http/protobuf", id="gRPC"),
        pytest.param(ENDPOINT | {"OTEL_TRACES_EXPORTER": "zipkin"}, True, "must be otlp or none", id="zipkin"),
    ],
)
def test_a_start_says_why_traces_that_are_asked_for_cannot_be_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], installed: bool, says: str | None
) -> None:
    if not installed:
        monkeypatch.setattr("cds_service.operations.tracing._MODULES", ("opentelemetry.sdk", "no_such_package.at_all"))
    settings = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}"}
    faults = examine(environment | settings, ask_issuers=False).faults
    assert len(faults) == (says is not None)
    assert says is None or says in faults[0]


@pytest.mark.slow
def test_nothing_of_opentelemetry_is_loaded_where_nobody_asks_for_traces(tmp_path: Path) -> None:
    program = f"""
import os, sys
os.environ["CDS_DATABASE_URL"] = "sqlite:///{tmp_path}/ledger.sqlite"
from cds_service.app import create_app_from_environment
from cds_service.cli.doctor import examine
examine(os.environ, ask_issuers=False)
app = create_app_from_environment()
app.extensions["housekeeping"].stop()
assert not [name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)  # noqa: S603 - our own words
