"""Traces, where OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra `tracing` is installed; else nothing is loaded.

A span for each call, with one for each of its stages and each read from a FHIR server, made from the finished log event
alone. Auto-instrumentation is not used: it would put FHIR URLs, with patient ids in them, into spans. Our spans join
the trace of the caller (`traceparent`). It is not sent on to FHIR servers, which could link requests by it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from cds_service.event_log.call_log import REASON, CallLog, ReadLog
from cds_service.event_log.events import log_traces_not_sent, members_of
from cds_service.version import PROJECT, program_version

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"
_MODULES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_SERVICE_NAME = "cds-service"
_LEFT_OUT = ("cds_hooks.duration_ms", "cds_hooks.token.")  # spans have times of their own; no token ids in traces
_FLUSH_MS = 2_000
_NS = 1_000_000_000


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables of OpenTelemetry enable traces."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    none = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() == "none"
    return not off and not none and any(environment.get(name) for name in _ENDPOINTS)


def find_faults(environment: Mapping[str, str]) -> Iterator[str]:
    """Why traces that are enabled cannot be sent, each in one line that says what to change."""
    if not is_asked_for(environment):
        return
    name = next(variable for variable in _ENDPOINTS if environment.get(variable))
    if not all(map(_is_installed, _MODULES)):
        yield f"{name} asks for traces: install the extra ({PROJECT}[tracing]), or remove the variable"
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip()
    if exporter != "otlp":
        yield "OTEL_TRACES_EXPORTER must be otlp or none"
    for variable in _PROTOCOLS:
        if environment.get(variable, _PROTOCOL) != _PROTOCOL:
            yield f"{variable} must be {_PROTOCOL}"


def start_tracing(environment: Mapping[str, str]) -> Tracing | None:
    """An observer that sends traces from this process; None where they are not enabled."""
    return Tracing(environment) if is_asked_for(environment) else None


class Tracing:
    """An Observer of events. A thread of the SDK sends the spans in batches, so that no call waits for them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        sdk_log = logging.getLogger("opentelemetry")
        sdk_log.handlers, sdk_log.propagate = [_SdkLog()], False
        named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        ours = {"service.version": program_version()} | ({} if named else {"service.name": _SERVICE_NAME})
        self._provider: TracerProvider = TracerProvider(resource=Resource.create(ours), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(__package__)
        Finalize(None, self.flush, exitpriority=0)  # atexit is not heard in a worker process

    def flush(self) -> None:
        """Send the spans that are left, within two seconds."""
        self._provider.force_flush(_FLUSH_MS)

    def close(self) -> None:
        """Send the spans that are left, and end."""
        self._provider.shutdown()

    def on_event(self, event: str, *values: str, number: int = 1) -> None:
        """Nothing: these events belong to no call."""

    def on_call(self, call: CallLog, status: int, seconds: float) -> None:
        """Make the spans of a finished call."""
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        end = time.time_ns()
        start = end - int(seconds * _NS)
        span = self._tracer.start_span(
            call.event, _caller(call), SpanKind.SERVER, _attributes(call, status, seconds), start_time=start
        )
        if span.is_recording():
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            stages = self._add_stages(call, set_span_in_context(span), start)
            for read in call.chart.reads:
                began = start + int((read.began - call.started) * _NS)
                self._add_read(read, stages["triage" if read.key == REASON else "chart"], began)
        span.end(end)

    def _add_stages(self, call: CallLog, parent: Context, start: int) -> dict[str, Context]:
        """One span for each stage, which begins when the stage before ends; their contexts by name."""
        from opentelemetry.trace import set_span_in_context

        contexts = {}
        for stage, milliseconds in call.stages_ms.items():
            span = self._tracer.start_span(stage, parent, start_time=start)
            start += int(milliseconds * _NS / 1000)
            span.end(start)
            contexts[stage] = set_span_in_context(span)
        return dict.fromkeys(("triage", "chart"), parent) | contexts  # a refused call lacks the later stages

    def _add_read(self, read: ReadLog, parent: Context, start: int) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        if not read.seconds:
            return
        attributes = {"cds_hooks.fetch.key": read.key}
        if read.failure:
            attributes["cds_hooks.fetch.failure"] = read.failure
        span = self._tracer.start_span("fhir.read", parent, SpanKind.CLIENT, attributes, start_time=start)
        if read.failure:
            span.set_status(Status(StatusCode.ERROR))
        span.end(start + int(read.seconds * _NS))


def _caller(call: CallLog) -> Context | None:
    """The trace of the caller, by `traceparent`. `tracestate` and baggage are not read: they may contain anything."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if not call.traceparent:
        return None
    return TraceContextTextMapPropagator().extract({"traceparent": call.traceparent})


def _attributes(call: CallLog, status: int, seconds: float) -> dict[str, Any]:
    members = members_of(call, status, seconds)
    return {name: value for name, value in members.items() if not name.startswith(_LEFT_OUT)}


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


class _SdkLog(logging.Handler):
    """Turns warnings of the SDK into an event of ours: its own texts name addresses, and are not JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            log_traces_not_sent()
