"""What is noted of one call while it is answered: all that may be logged, counted or traced of it.

Never patient, user, encounter or resource ids, names, codes, card text, comments or tokens (SECURITY.md).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from cds_service.errors import CodedReason

REASON = "reason"  # the key of a ReadLog for a Condition that a reasonReference names


@dataclass(frozen=True)
class ReadLog:
    """One read from a FHIR server. `key`: of the prefetch, or REASON; `began`: on time.perf_counter, in seconds."""

    key: str
    failure: CodedReason | None
    began: float
    seconds: float


@dataclass
class ChartLog:
    """How the record of the patient was put together, in counts and states."""

    prefetch: dict[str, str] = field(default_factory=dict)
    reads: list[ReadLog] = field(default_factory=list)
    fetch_failures: dict[str, CodedReason] = field(default_factory=dict)
    resources_seen: dict[str, int] = field(default_factory=dict)
    resources_unread: dict[str, Mapping[str, int]] = field(default_factory=dict)
    reasons_looked_up: dict[str, int] = field(default_factory=dict)


@dataclass
class CallLog:
    """One call of a hook, of feedback or of discovery. `lap` notes how long each stage took.

    `service` None: no service has the id that was called. `traceparent`: the header of the caller's trace. `mode`: of
    the client, None where it is not trusted. A silent client's `outcome` is what it would have been without that.
    `went_on`: the call went on without a trusted token, as it may in development.
    """

    event: str
    service: str | None
    content_version: str
    traceparent: str | None = None
    client: str | None = None
    tenant: str | None = None
    mode: str | None = None
    jti: str | None = None
    not_trusted: CodedReason | None = None
    went_on: bool = False
    hook: str | None = None
    hook_instance: str | None = None
    outcome: str = "refused"
    cards: list[str] = field(default_factory=list)
    card_uuids: list[str] = field(default_factory=list)
    indicators: dict[str, str] = field(default_factory=dict)  # by card, silenced ones included
    silenced: dict[str, str] = field(default_factory=dict)
    unrecorded: str | None = None
    feedback: dict[str, int] = field(default_factory=dict)
    feedback_outcomes: dict[str, int] = field(default_factory=dict)
    chart: ChartLog = field(default_factory=ChartLog)
    stages_ms: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    _lap_began: float | None = None

    def lap(self, stage: str) -> None:
        """Note that this stage ends now; it began with the end of the one before."""
        now = time.perf_counter()
        self.stages_ms[stage] = round((now - (self._lap_began or self.started)) * 1000, 3)
        self._lap_began = now
