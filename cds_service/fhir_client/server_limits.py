"""How many calls may read from FHIR servers at once: from each server, and from all. No call waits for a place.

Without these limits a dead server would block every thread that answers calls, also those of other clients.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from cds_service.errors import CodedReason, ReadFailure
from cds_service.fhir_client.base_url import FhirBase

FULL = CodedReason(ReadFailure.HELD_BACK, "the FHIR server has too many calls under way")
ALL_FULL = CodedReason(ReadFailure.HELD_BACK, "all FHIR servers together have too many calls under way")
LEFT_ALONE = CodedReason(ReadFailure.LEFT_ALONE, "the FHIR server does not answer; tried again shortly")

_MOST_UNANSWERED = 5  # calls in a row; then the server is not called for a while
_LEFT_ALONE_S = 5.0
_MOST_SERVERS = 1_000  # remembered; far more than a process has clients


@dataclass
class _Server:
    under_way: int = 0
    unanswered: int = 0  # calls in a row
    next_trial: float = 0.0  # on the clock; until then a server that does not answer is not called


class ServerGate:
    """Counts the calls that read from FHIR servers. One instance serves all threads of a process.

    `threads` is how many calls the process works on at once: an eighth may read from one server, half from any.
    """

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_of_one = max(1, threads // 8)
        self._most_of_all = max(1, threads // 2)
        self._clock = clock
        self._lock = Lock()
        self._under_way = 0
        self._servers: OrderedDict[FhirBase, _Server] = OrderedDict()  # the last used one comes last

    def enter(self, base: FhirBase) -> CodedReason | None:
        """Why a call may not read from this server now; None: it may, and must call `leave` after its last read."""
        with self._lock:
            server = self._servers.setdefault(base, _Server())
            self._servers.move_to_end(base)
            self._forget_one()
            if self._under_way >= self._most_of_all:
                return ALL_FULL
            if server.under_way >= self._most_of_one:
                return FULL
            if server.unanswered >= _MOST_UNANSWERED:
                if self._clock() < server.next_trial:
                    return LEFT_ALONE
                server.next_trial = self._clock() + _LEFT_ALONE_S  # only this call tries it until then
            server.under_way += 1
            self._under_way += 1
        return None

    def leave(self, base: FhirBase) -> None:
        """Give back the place from `enter`."""
        with self._lock:
            self._servers[base].under_way -= 1
            self._under_way -= 1

    def note(self, base: FhirBase, *, answered: bool) -> None:
        """Note whether the server answered a call in time."""
        with self._lock:
            server = self._servers.get(base, _Server())
            server.unanswered = 0 if answered else server.unanswered + 1
            if server.unanswered >= _MOST_UNANSWERED:
                server.next_trial = self._clock() + _LEFT_ALONE_S

    def _forget_one(self) -> None:
        """Forget the idle server that was used longest ago, where there are too many."""
        if len(self._servers) > _MOST_SERVERS:
            idle = next((base for base, server in self._servers.items() if not server.under_way), None)
            if idle:
                del self._servers[idle]
