"""Clients that send at a steady pace, each over a connection that it keeps, and their answers."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Event, Thread

from bench.soak.calls import Call, Mix

CLIENTS = 8
_PATIENCE_S = 30.0
NO_ANSWER = 0  # in the place of a status


@dataclass
class Answers:
    """What came back. `latencies`: when each call was sent (monotonic seconds) and how long it took, in seconds.

    `issued`: uuids of the cards that were shown; `accepted`: calls whose token was good; `wrong`: by kind, status, and
    the status it should have had.
    """

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    issued: set[str] = field(default_factory=set)
    wrong: Counter[str] = field(default_factory=Counter)
    accepted: int = 0

    def add(self, others: Iterable[Answers]) -> Answers:
        """These answers together with those of others."""
        for other in others:
            self.counts += other.counts
            self.latencies += other.latencies
            self.issued |= other.issued
            self.wrong += other.wrong
            self.accepted += other.accepted
        return self


class Client:
    """One connection. `answers` grows while it sends."""

    def __init__(self, port: int, mix: Mix) -> None:
        self.answers = Answers()
        self._mix = mix
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)

    def send_until(self, until: Event, every_s: float) -> None:
        """Send a call every so many seconds, or one after the other if that is not possible."""
        due = time.monotonic() + every_s * self._mix.dice.random()
        while not until.wait(max(due - time.monotonic(), 0.0)):
            self.send(self._mix.next())
            due = max(due + every_s, time.monotonic() - every_s)
        self._connection.close()

    def send(self, call: Call) -> None:
        """Send one call and record its answer."""
        begun = time.monotonic()
        try:
            status, body = self._exchange(call)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            status, body = NO_ANSWER, b""
        self.answers.latencies.append((begun, time.monotonic() - begun))
        self.answers.counts[call.kind, status] += 1
        self.answers.accepted += "Authorization" in call.headers and status not in (401, 413, NO_ANSWER)
        cards = json.loads(body)["cards"] if status == 200 and b'{"cards":[' in body[:10] else []
        uuids = [card["uuid"] for card in cards]
        self.answers.issued.update(uuids)
        self._mix.cards.extend(uuids)
        if status != call.status or bool(uuids) != call.shows_cards:
            self.answers.wrong[f"{call.kind}: {status} with {len(uuids)} cards instead of {call.status}"] += 1

    def _exchange(self, call: Call) -> tuple[int, bytes]:
        self._connection.request(call.method, call.path, call.body, dict(call.headers))
        response = self._connection.getresponse()
        answer = response.status, response.read()
        if call.is_only_announced:
            self._connection.close()
        return answer


def send_together(clients: Iterable[Client], seconds: float, per_second: float | None) -> None:
    """All clients send for so many seconds, together so many calls a second; None: as many as are answered."""
    clients = list(clients)
    until = Event()
    every_s = len(clients) / per_second if per_second else 0.0
    threads = [Thread(target=client.send_until, args=(until, every_s)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        time.sleep(seconds)
    finally:
        until.set()
        for thread in threads:
            thread.join(2 * _PATIENCE_S)
