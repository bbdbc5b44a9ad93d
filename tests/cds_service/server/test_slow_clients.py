"""Clients that are slow, vanish or send too much, against a server that really runs: the others are still served."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.charts import SERVICE, hook_call
from tests.server_process import COMMAND, ServerProcess, environment, free_port, listens

MOST_BYTES, THREADS = 20_000, 4
PATIENCE = 30.0  # no verdict on speed: an answer that is not there by then does not come
ORIGIN = "https://ehr.example.org"
CALL = json.dumps(hook_call()).encode()


class Served(ServerProcess):
    """`cds-service serve` with few threads, and small bodies unless `most_bytes` says otherwise."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.port = free_port()
        command = [COMMAND, "serve", "--port", self.port, "--threads", THREADS, "--max-body-bytes", most_bytes]
        super().__init__(command, folder / "log", environment(), lambda: listens(self.port), folder=folder)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def begin(self, *headers: str, body: bytes = b"") -> socket.socket:
        """A connection with the head of a hook call and the beginning of its body."""
        connection = self.connect()
        fixed = ["Host: 127.0.0.1", "Content-Type: application/json", f"Origin: {ORIGIN}"]
        connection.sendall("\r\n".join([f"POST {SERVICE} HTTP/1.1", *fixed, *headers, "", ""]).encode() + body)
        return connection

    def call(self) -> tuple[int, Any]:
        """Status and JSON of a hook call by a client that is in good order."""
        with closing(self.begin(f"Content-Length: {len(CALL)}", body=CALL)) as connection:
            response = answer(connection)
            return response.status, json.loads(response.read())


def answer(connection: socket.socket) -> HTTPResponse:
    response = HTTPResponse(connection)
    response.begin()
    return response


def assert_outcome(response: HTTPResponse, status: int, code: str) -> None:
    """An OperationOutcome that a browser client may read, on a connection that is closed after it."""
    body = json.loads(response.read())
    assert (response.status, body["resourceType"], body["issue"][0]["code"]) == (status, "OperationOutcome", code)
    assert response.headers["Content-Type"] == "application/fhir+json"
    assert response.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    assert response.headers["Connection"] == "close"


@contextmanager
def running(folder: Path, most_bytes: int = MOST_BYTES) -> Iterator[Served]:
    served = Served(folder, most_bytes)
    try:
        served.start()
        yield served
    finally:
        served.end()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with running(tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture(
    scope="module",
    params=[pytest.param(MOST_BYTES, id="bodies in pieces"), pytest.param(8_000_000, id="bodies in one piece")],
)
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """How a body is read depends on its part of all that a process holds."""
    with running(tmp_path_factory.mktemp("served"), request.param) as one:
        yield one


@contextmanager
def many(open_one: Callable[[], socket.socket], number: int) -> Iterator[list[socket.socket]]:
    connections = [open_one() for _ in range(number)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.slow
def test_many_more_slow_bodies_than_threads_keep_nobody_from_an_answer(either: Served) -> None:
    with many(lambda: either.begin("Content-Length: 1000", body=b"{"), 300):
        for _ in range(5):
            status, body = either.call()
            assert (status, len(body["cards"])) == (200, 1)


@pytest.mark.slow
def test_a_body_that_never_ends_is_a_408_and_a_head_that_never_ends_a_closed_connection(either: Served) -> None:
    """Both wait at once, for both take the server's ten seconds."""
    with (
        closing(either.begin("Content-Length: 1000", body=b"{")) as body,
        closing(either.connect()) as head,
        closing(either.connect()) as silent,
    ):
        head.sendall(b"GET /cds-services HTTP/1.1\r\nHost: 127")
        assert_outcome(answer(body), 408, "timeout")
        assert head.recv(1) == b""
        assert silent.recv(1) == b""


@pytest.mark.slow
def test_slow_heads_keep_nobody_from_an_answer(served: Served) -> None:
    def slow_head() -> socket.socket:
        connection = served.connect()
        connection.sendall(b"POST ")
        return connection

    with many(slow_head, 300):
        assert served.call()[0] == 200


@pytest.mark.slow
def test_clients_that_vanish_amid_their_bodies_leave_room_for_others(served: Served) -> None:
    """All that they sent together is more than a process holds at once."""
    for _ in range(3):
        with many(lambda: served.begin(f"Content-Length: {MOST_BYTES}", body=b"x" * (MOST_BYTES - 1)), 25):
            pass
    statuses = (served.call()[0] for _ in range(100))  # 503 until the server has seen that they are gone
    assert 200 in statuses


@pytest.mark.slow
def test_bodies_that_together_are_more_than_the_process_holds_are_refused_until_there_is_room(served: Served) -> None:
    """32 of the largest size are held; of 33 that all but end, one is told to come again."""
    with many(lambda: served.begin(f"Content-Length: {MOST_BYTES}", body=b"x" * (MOST_BYTES - 1)), 33) as holders:
        (refused,), _, _ = select.select(holders, [], [], PATIENCE)
        holders.remove(refused)
        with closing(refused):
            response = answer(refused)
            assert_outcome(response, 503, "throttled")
            assert int(response.headers["Retry-After"]) > 0
        for holder in holders:
            holder.sendall(b"x")
            assert answer(holder).status == 400  # complete, and no JSON
    assert served.call()[0] == 200


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param(f"Content-Length: {MOST_BYTES + 1}", b"", id="said beforehand, nothing sent"),
        pytest.param(f"Content-Length: {50 * MOST_BYTES}", b"x" * 50 * MOST_BYTES, id="said beforehand, all sent"),
        pytest.param("Transfer-Encoding: chunked", chunked(b"x" * 50 * MOST_BYTES, 1000), id="in chunks"),
        pytest.param("Transfer-Encoding: chunked", b"ffffff\r\n" + b"x" * 2 * MOST_BYTES, id="in one endless chunk"),
    ],
)
@pytest.mark.slow
def test_a_body_that_is_too_large_is_a_413_that_its_sender_can_read(served: Served, header: str, body: bytes) -> None:
    """Even where the sender has not looked for an answer before all was sent."""
    with closing(served.begin(header, body=body)) as connection:
        assert_outcome(answer(connection), 413, "too-long")


@pytest.mark.parametrize("size", [1, 7, 100_000], ids=["a byte at a time", "in small chunks", "in one chunk"])
@pytest.mark.slow
def test_a_chunked_body_is_as_good_as_any(either: Served, size: int) -> None:
    with closing(either.begin("Transfer-Encoding: chunked", body=chunked(CALL, size))) as connection:
        response = answer(connection)
        assert (response.status, len(json.loads(response.read())["cards"])) == (200, 1)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param("Transfer-Encoding: chunked", b"no number\r\n", id="a chunk without a size"),
        pytest.param("Content-Length: 1000", b"{", id="less than was said"),
    ],
)
@pytest.mark.slow
def test_a_body_that_breaks_off_is_a_400(either: Served, header: str, body: bytes) -> None:
    with closing(either.begin(header, body=body)) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert_outcome(answer(connection), 400, "structure")


@pytest.mark.slow
def test_a_connection_serves_one_call_after_the_other(either: Served) -> None:
    with closing(either.begin(f"Content-Length: {len(CALL)}", body=CALL)) as connection:
        assert b"cards" in answer(connection).read()
        connection.sendall(b"HEAD /cds-services HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        response = HTTPResponse(connection, method="HEAD")
        response.begin()
        assert (response.status, response.read()) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_does_not_wait_for_slow_clients(tmp_path: Path) -> None:
    with running(tmp_path) as one, many(lambda: one.begin("Content-Length: 1000", body=b"{"), 20):
        assert one.call()[0] == 200
        assert one.process
        one.process.terminate()
        assert one.wait() == 0
