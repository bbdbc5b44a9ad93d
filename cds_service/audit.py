"""What may be logged of a call, and nothing else: the only module that writes log events.

Never patient, user, encounter or resource ids, names, codes, card text, comments or tokens (SECURITY.md).
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from dataclasses import dataclass, field

import structlog

from cds_service.chart import ChartLog


@dataclass
class CallLog:
    """One hook call, as it will be logged. Filled while the call goes its way."""

    service: str
    content_version: str
    hook: str | None = None
    hook_instance: str | None = None
    outcome: str = "refused"
    cards: list[str] = field(default_factory=list)
    card_uuids: list[str] = field(default_factory=list)
    chart: ChartLog = field(default_factory=ChartLog)
    started: float = field(default_factory=time.perf_counter)


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
    """Write the event of one hook call."""
    chart = call.chart
    structlog.get_logger().info(
        "hook_call",
        service=call.service,
        content_version=call.content_version,
        hook=call.hook,
        hook_instance=call.hook_instance,
        outcome=call.outcome,
        status=status,
        cards=call.cards,
        card_uuids=call.card_uuids,
        prefetch=chart.prefetch,
        fetch_failures=chart.fetch_failures,
        reasons_looked_up=chart.reasons_looked_up,
        resources_seen=chart.resources_seen,
        resources_unread=chart.resources_unread,
        duration_ms=round((time.perf_counter() - call.started) * 1000, 2),
    )


def log_fault(fault: BaseException) -> None:
    """Write that something of ours broke: the kind of error and the places it passed, without its message."""
    frames = traceback.extract_tb(fault.__traceback__)
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    structlog.get_logger().error("fault", kind=type(fault).__name__, places=places)
