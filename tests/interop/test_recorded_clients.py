"""The recorded calls of the reference client and of HealthChain, byte for byte over a socket, with their signed tokens.

The server's clock stands at the moment of each recording; everything else is as in `cds-service serve`.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.wrappers import Response

from tests.golden_answers import Golden
from tests.interop.conftest import ClockedService
from tests.test_recorded_calls import CALLS

TOKENLESS = "50-healthchain-order-sign-without-draftorders"  # that client has no tokens
CLOCK_TOO_LATE = "2026-11-22T16:00:00+00:00"


def wire_bytes(recorded: dict[str, Any]) -> bytes:
    """The request as it went over the wire: its headers in their order and case, its body to the byte."""
    request = recorded["request"]
    head = [f"{request['method']} {request['path']} HTTP/{request['httpVersion']}"]
    head += [f"{name}: {text}" for name, text in request["headers"].items()]
    body = b""
    if "body" in request:
        separators = (",", ":") if request["bodyIsCompactJson"] else None
        body = json.dumps(request["body"], separators=separators, ensure_ascii=False).encode()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (request["bodyBytes"], request["bodySha256"])
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def send(address: str, data: bytes, method: str) -> Response:
    """What the server answers to these bytes, on a connection of their own."""
    parts = urlsplit(address)
    assert parts.hostname is not None
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=60) as connection:
        connection.sendall(data)
        with http.client.HTTPResponse(connection, method=method) as answer:
            answer.begin()
            return Response(answer.read(), answer.status, answer.getheaders())


def read(path: Path) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recorded


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CALLS if path.stem != TOKENLESS])
def test_recorded_bytes_get_the_answer_a_person_has_read_once(
    path: Path, recorded_service: ClockedService, golden: Golden
) -> None:
    """R-6.x: the signature, audience and times of each token hold; the same token again is a replay."""
    recorded = read(path)
    recorded_service.set_clock(recorded["recordedAt"])
    data, method = wire_bytes(recorded), recorded["request"]["method"]
    golden.check(path.stem, send(recorded_service.address, data, method))
    again = send(recorded_service.address, data, method)
    assert again.status_code == (401 if "Authorization" in recorded["request"]["headers"] else 200)


def test_recorded_bytes_without_a_token_are_refused_where_tokens_are_required(
    recorded_service: ClockedService, that_day: ClockedService, golden: Golden
) -> None:
    recorded = next(read(path) for path in CALLS if path.stem == TOKENLESS)
    data = wire_bytes(recorded)
    assert send(recorded_service.address, data, "POST").status_code == 401
    golden.check(TOKENLESS, send(that_day.address, data, "POST"))


def test_recorded_bytes_after_their_token_has_expired_are_refused(recorded_service: ClockedService) -> None:
    recorded = next(read(path) for path in CALLS if path.stem.startswith("11-"))
    recorded_service.set_clock(CLOCK_TOO_LATE)
    assert send(recorded_service.address, wire_bytes(recorded), "POST").status_code == 401
