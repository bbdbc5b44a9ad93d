"""What may be logged, and nothing else: the only module that writes log events, and hands them to observers.

Never patient, user, encounter or resource ids, names, codes, card text, comments or tokens (SECURITY.md). Names follow
OpenTelemetry: dotted, lower case, the general ones of its semantic conventions where there are any.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import structlog

from cds_service.event_log.call_log import CallLog

_LONGEST_ID = 100  # characters of a token id, which its issuer chooses


class Observer(Protocol):
    """Receives every event, once it is over: metrics and traces."""

    def on_call(self, call: CallLog, status: int, seconds: float) -> None:
        """One call, feedback or discovery is over."""

    def on_event(self, event: str, *values: str, number: int = 1) -> None:
        """Something else happened, `number` times; `values` are few and none is about a patient."""


_observers: list[Observer] = []


def observe_with(*observers: Observer) -> None:
    """Tell these observers of every event from now on, and no others."""
    _observers[:] = observers


def _tell(event: str, *values: str, number: int = 1) -> None:
    for observer in _observers:
        observer.on_event(event, *values, number=number)


def configure() -> None:
    """One JSON line per event on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_call(call: CallLog, status: int) -> None:
    """Write the event of one call, `cds_hooks.call` or `cds_hooks.feedback`, and hand it to the observers."""
    seconds = time.perf_counter() - call.started
    for observer in _observers:
        try:
            observer.on_call(call, status, seconds)
        except Exception as fault:  # a clinician's answer is not lost for a number or a trace
            log_fault(fault)
    structlog.get_logger().info(call.event, **members_of(call, status, seconds))


def members_of(call: CallLog, status: int, seconds: float) -> dict[str, Any]:
    """All that may be logged of one call, under dotted names; members without a value are left out."""
    chart = call.chart
    members = {
        "http.response.status_code": status,
        "cds_hooks.outcome": call.outcome,
        "cds_hooks.client": call.client,
        "cds_hooks.tenant": call.tenant,
        "cds_hooks.mode": call.mode,
        "cds_hooks.token.jti": call.jti and call.jti[:_LONGEST_ID],
        "cds_hooks.token.not_trusted" if call.went_on else "cds_hooks.token.refused": call.not_trusted,
        "cds_hooks.service": call.service,
        "cds_hooks.content_version": call.content_version,
        "cds_hooks.hook": call.hook,
        "cds_hooks.hook_instance": call.hook_instance,
        "cds_hooks.cards": call.cards,
        "cds_hooks.card_uuids": call.card_uuids,
        **_dotted("cds_hooks.silenced", call.silenced),
        "cds_hooks.ledger.failure": call.unrecorded,
        **_dotted("cds_hooks.feedback", call.feedback | call.feedback_outcomes),
        **_dotted("cds_hooks.prefetch", chart.prefetch),
        **_dotted("cds_hooks.fetch.failure", chart.fetch_failures),
        **_dotted("cds_hooks.reasons", chart.reasons_looked_up),
        **_dotted("cds_hooks.resources.read", chart.resources_seen),
        **_dotted("cds_hooks.resources.skipped", chart.resources_unread),
        **_dotted("cds_hooks.duration_ms", call.stages_ms),
        "cds_hooks.duration_ms": round(seconds * 1000, 2),
    }
    return {name: value for name, value in members.items() if value not in (None, "", [])}


def _dotted(prefix: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """Members of members, each under one dotted name."""
    flat: dict[str, Any] = {}
    for name, value in members.items():
        path = f"{prefix}.{name.replace(' ', '_')}"
        flat |= _dotted(path, value) if isinstance(value, Mapping) else {path: value}
    return flat


def log_fault(fault: BaseException) -> None:
    """Write that something of ours broke: the kind of error and the places it passed, without its message."""
    frames = traceback.extract_tb(fault.__traceback__)
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    structlog.get_logger().error("fault", **{"exception.type": type(fault).__name__, "exception.places": places})
    _tell("fault")


def log_keys_not_fetched(client: str, reason: str, *, known: bool) -> None:
    """Write that the key set of a client's issuer could not be fetched, and whether older keys are known."""
    members = {"cds_hooks.client": client, "error.type": reason, "cds_hooks.keys.known": known}
    structlog.get_logger().warning("cds_hooks.keys.not_fetched", **members)
    _tell("keys_not_fetched", client)


def log_replay_unchecked(reason: str) -> None:
    """Write that a token was checked for replay by this process alone, because the database is unavailable."""
    structlog.get_logger().warning("cds_hooks.replay.local_only", **{"error.type": reason})
    _tell("replay_local")


def log_writes_put_off(reason: str, waiting: int) -> None:
    """Write that the database could not be written to, and how many items wait until it can."""
    structlog.get_logger().warning("cds_hooks.ledger.put_off", **{"error.type": reason, "cds_hooks.waiting": waiting})


def log_unrecorded(reason: str, calls: int, card_uuids: Sequence[str], clients: Collection[str]) -> None:
    """Write that calls were answered with cards that the ledger did not take afterwards, and which cards these are."""
    members = {"error.type": reason, "cds_hooks.calls": calls, "cds_hooks.card_uuids": card_uuids}
    structlog.get_logger().error("cds_hooks.ledger.unrecorded", **members, **{"cds_hooks.clients": sorted(clients)})
    _tell("unrecorded", "call", number=calls)


def log_housekeeping_failed(reason: str) -> None:
    """Write that counts could not be stored, or expired rows not removed, because the database is unavailable."""
    structlog.get_logger().warning("cds_hooks.housekeeping.failed", **{"error.type": reason})
    _tell("housekeeping_failed")


def log_traces_not_sent() -> None:
    """Write that spans could not be sent to their collector, or not at once."""
    structlog.get_logger().warning("cds_hooks.traces.not_sent")


def log_not_heard(status: int) -> None:
    """Write that a request was refused before its body was complete, or before a thread was free for it."""
    structlog.get_logger().warning("cds_hooks.not_heard", **{"http.response.status_code": status})
    _tell("not_heard", str(status))
