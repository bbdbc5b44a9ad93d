"""`python -m bench.harness.slow_fhir_server PORT MILLISECONDS`: a FHIR server that takes so long for every answer.

One event loop, answers made beforehand: it costs almost nothing, and many requests can wait at once. The
patient of bench.harness.bodies has 150 Conditions here: on one page below /fhir, on three below /paged.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from bench.harness.bodies import order_with_cards

CONDITIONS, PAGES = 150, 3
WHOLE, PAGED = "/fhir", "/paged"


class _Connection(asyncio.Protocol):
    """Reads requests without a body, one at a time, and answers each after the delay."""

    def __init__(self, answers: dict[bytes, bytes], seconds: float) -> None:
        self._answers = answers
        self._seconds = seconds
        self._incoming = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._incoming += data
        while b"\r\n\r\n" in self._incoming:
            head, _, self._incoming = self._incoming.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            answer = self._answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, answer)


def answers(port: int) -> dict[bytes, bytes]:
    """Every answer of the server, by path and query."""
    call = json.loads(order_with_cards(CONDITIONS))
    prefetch = call["prefetch"]
    found = {}
    for base in (WHOLE, PAGED):
        found[f"{base}/metadata"] = {"resourceType": "CapabilityStatement"}
        found[f"{base}/Patient/bench"] = prefetch["patient"]
        found[f"{base}/Procedure?patient=bench&_count=500"] = prefetch["procedures"]
    conditions = prefetch["conditions"]
    search = "/Condition?patient=bench&_count=500"
    found[WHOLE + search] = conditions
    entries = conditions["entry"]
    length = len(entries) // PAGES
    paths = [f"{PAGED}{search}", *(f"{PAGED}/page/{number}" for number in range(2, PAGES + 1))]
    for number, path in enumerate(paths):
        page = conditions | {"entry": entries[number * length : (number + 1) * length]}
        if number + 1 < PAGES:
            page["link"] = [{"relation": "next", "url": f"http://127.0.0.1:{port}{paths[number + 1]}"}]
        found[path] = page
    return {path.encode(): _answer(resource) for path, resource in found.items()}


def _answer(resource: dict[str, Any]) -> bytes:
    body = json.dumps(resource, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(port: int, seconds: float) -> None:
    made = answers(port)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(made, seconds), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]) / 1000))
