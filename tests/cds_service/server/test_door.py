"""What the server's own door does with calls and bodies, driven as granian drives it, without a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import pytest
from flask import Flask

from cds_service.cds_hooks.hook_call import HookCall
from cds_service.cds_hooks.http_message import HttpAnswer
from cds_service.fhir_client.reader import FetchResult, FhirReader
from cds_service.server import request_body
from cds_service.server.door import Door
from cds_service.server.request_body import BodyLimits
from tests.charts import SERVICE, condition, hook_call, order, searchset
from tests.fake_fhir_server import BASE
from tests.rsgi_request import Protocol, Scope, ask, ask_once

MOST_BYTES = 20_000
PATIENCE = 30.0  # no verdict on speed: an answer that is not there by then does not come
CALL = json.dumps(hook_call()).encode()
JSON = {"Content-Type": "application/json"}
Application = Callable[[Any, Any], Iterable[bytes]]


def door(application: Application, threads: int = 1, most_bytes: int = MOST_BYTES, seconds: float = PATIENCE) -> Door:
    """A door without hook calls of its own: everything is the application's."""
    return Door(application, None, threads=threads, limits=BodyLimits(most_bytes, seconds))


def echo(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


def outcome(protocol: Protocol) -> tuple[int, str, bool]:
    """Status, code of the OperationOutcome, and whether the connection is closed."""
    issue = json.loads(protocol.body)["issue"][0]
    return protocol.status, issue["code"], ("Connection", "close") in protocol.headers


BROKEN, LATE, BUSY = (400, "structure", True), (408, "timeout", True), (503, "throttled", True)
CHUNKED = [("Transfer-Encoding", "chunked")]


def declared(length: int) -> list[tuple[str, str]]:
    return [("Content-Length", str(length))]


@pytest.mark.parametrize(
    ("headers", "pieces", "body"),
    [
        pytest.param(declared(3), [b"abc"], b"abc", id="a short one, in one piece"),
        pytest.param(declared(3), [b"a", b"bc"], b"abc", id="a short one, in two"),
        pytest.param(declared(9_000), [b"x" * 4_000, b"y" * 5_000], b"x" * 4_000 + b"y" * 5_000, id="a longer one"),
        pytest.param(CHUNKED, [b"a", b"b", b"c"], b"abc", id="in chunks"),
        pytest.param(CHUNKED, [], b"", id="in chunks, of which there are none"),
        pytest.param([*CHUNKED, ("Trailer", "a")], [b"abc", b""], b"abc", id="in chunks, with trailers"),
        pytest.param(declared(MOST_BYTES), [b"x" * MOST_BYTES], b"x" * MOST_BYTES, id="as large as may be"),
        pytest.param([], [], b"", id="none"),
    ],
)
def test_a_body_arrives_whole(headers: Any, pieces: list[bytes], body: bytes) -> None:
    answer = ask_once(door(echo), "POST", "/", headers, pieces)
    assert (answer.status, answer.body, answer.headers) == (200, body, [])


@pytest.mark.parametrize(
    ("headers", "pieces", "expected"),
    [
        pytest.param(declared(3), [b"a"], BROKEN, id="a short one breaks off"),
        pytest.param(declared(9_000), [b"x" * 4_000], BROKEN, id="a longer one breaks off"),
        pytest.param(CHUNKED, [b"a"], BROKEN, id="a chunked one breaks off"),
    ],
)
def test_a_body_that_breaks_off_is_a_400(headers: Any, pieces: list[bytes], expected: Any) -> None:
    assert outcome(ask_once(door(echo), "POST", "/", headers, pieces, breaks=True)) == expected


@pytest.mark.parametrize("headers", [declared(3), declared(9_000), CHUNKED], ids=["short", "longer", "chunked"])
def test_a_body_that_does_not_come_is_a_408(headers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "_LINGER_SECONDS", 0.01)
    assert outcome(ask_once(door(echo, seconds=0.01), "POST", "/", headers, [b"a", None])) == LATE


@pytest.mark.parametrize(
    ("headers", "read"), [(declared(10 * MOST_BYTES), 0), (CHUNKED, 3)], ids=["as was declared", "as was counted"]
)
def test_a_body_that_is_too_large_is_not_read_before_the_answer(headers: Any, read: int) -> None:
    """The application sees its length, and none of it. Then a little more is taken in, for the sender to read it."""
    asked_for = []

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked_for.append((protocol.asked_for, int(environ["CONTENT_LENGTH"]) > MOST_BYTES))
        start_response("413 Content Too Large", [])
        return [b"too large"]

    async def send() -> None:
        await door(application).__rsgi__(Scope("POST", "/", headers), protocol)  # type: ignore[arg-type]

    protocol = Protocol([b"x" * 8_000] * 30)
    asyncio.run(send())
    assert asked_for == [(read, True)]
    assert (protocol.status, protocol.body, protocol.headers) == (413, b"too large", [("Connection", "close")])
    assert protocol.asked_for == 31  # to the end


@pytest.mark.parametrize("size", [100, 10_000], ids=["short ones, as declared", "longer ones, as they come"])
def test_bodies_are_refused_where_the_memory_for_all_is_used_up_until_one_goes(size: int) -> None:
    async def run() -> None:
        limits = BodyLimits(MOST_BYTES, 0.05)
        limits.free_bytes = 3 * size
        served = Door(echo, None, threads=1, limits=limits)
        slow = [
            asyncio.create_task(ask(served, "POST", "/", declared(size), [b"x" * (size - 1), None])) for _ in range(3)
        ]
        await asyncio.sleep(0.01)
        assert outcome(await ask(served, "POST", "/", body=b"y" * size)) == BUSY
        assert [outcome(one) for one in await asyncio.gather(*slow)] == [LATE] * 3
        assert (await ask(served, "POST", "/", body=b"y" * size)).status == 200
        assert limits.free_bytes == 3 * size

    asyncio.run(run())


async def hold_every_place(served: Door, may_go_on: threading.Event, ask_now: Callable[[], Any]) -> list[Protocol]:
    """70 calls at once, of which 66 have a place; what is asked meanwhile; and the answers to the 70."""
    calls = [asyncio.create_task(ask(served, "POST", "/", body=b"{}")) for _ in range(70)]
    while sum(call.done() for call in calls) < 4:
        await asyncio.sleep(0.01)
    assert served.in_progress() == 66
    try:
        await asyncio.wait_for(ask_now(), PATIENCE)
    finally:
        may_go_on.set()
    return await asyncio.gather(*calls)


async def nothing() -> None: ...


def test_calls_that_find_all_threads_busy_wait_and_too_many_of_them_are_refused() -> None:
    """Two threads and 64 places to wait: of 70 calls at once, four are told to come again."""
    may_go_on = threading.Event()

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        may_go_on.wait(PATIENCE)
        return echo(environ, start_response)

    served = door(application, 2)
    answers = asyncio.run(hold_every_place(served, may_go_on, nothing))
    assert sorted(one.status for one in answers) == [200] * 66 + [503] * 4
    refused = next(one for one in answers if one.status == 503)
    assert dict(refused.headers)["Retry-After"] == "2"
    assert served.in_progress() == 0


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_probes_are_answered_while_calls_hold_every_thread_and_every_place(path: str) -> None:
    """Whoever restarts what answers no probe would make a busy hour worse."""
    may_go_on = threading.Event()

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != path:
            may_go_on.wait(PATIENCE)
        return echo(environ, start_response)

    served = door(application, 2)
    asyncio.run(hold_every_place(served, may_go_on, lambda: ask(served, "GET", path)))


def test_the_application_finds_the_request_as_pep_3333_has_it() -> None:
    """Repeated headers are joined, so that two tokens are never taken for one; names that only look alike are gone."""
    seen: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("201 Created", [("X-One", "1")])
        return [b"a", b"b"]

    headers = [*CHUNKED, ("content-type", "text/plain"), ("x_forwarded_for", "liar"), ("cookie", "a"), ("cookie", "b")]
    headers += [("authorization", "Bearer a"), ("authorization", "Bearer b"), ("x-name", "\xe9")]
    answer = ask_once(door(application), "POST", "/a%20b/%C3%A9?c=d", headers, [b"{}"])
    assert (answer.status, answer.headers, answer.body) == (201, [("X-One", "1")], b"ab")
    assert {name: seen[name] for name in ("PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "CONTENT_TYPE")} == {
        "PATH_INFO": "/a b/Ã©",
        "QUERY_STRING": "c=d",
        "CONTENT_LENGTH": "2",
        "CONTENT_TYPE": "text/plain",
    }
    assert {name: seen[name] for name in ("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "SERVER_PROTOCOL")} == {
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    assert {name: text for name, text in seen.items() if name.startswith("HTTP_")} == {
        "HTTP_AUTHORIZATION": "Bearer a,Bearer b",
        "HTTP_COOKIE": "a; b",
        "HTTP_X_NAME": "?",
    }


def test_a_fault_below_the_application_is_a_500_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("Jane Doe")

    answer = ask_once(door(application), "GET", "/")
    assert outcome(answer) == (500, "exception", False)
    said = capsys.readouterr()
    assert "Jane" not in said.out + said.err + str(answer.body)


@pytest.fixture
def own_door(app: Flask) -> Door:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise AssertionError(f"Flask was asked for {environ['PATH_INFO']}")

    return Door(application, app.extensions["cds_services"], threads=2, limits=BodyLimits(8_000_000))


def threads_of(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each call that is answered: whether that was on the event loop."""
    on_loop: list[bool] = []
    answer = HookCall.answer

    def note(self: HookCall) -> Any:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return (yield from answer(self))

    monkeypatch.setattr(HookCall, "answer", note)
    return on_loop


def call_with(conditions: int, code: str | None = None) -> bytes:
    orders = [order({"text": code})] if code else []
    entries = [condition(id=f"c{number}") for number in range(conditions)]
    return json.dumps(hook_call(*orders, prefetch={"conditions": searchset(*entries)})).encode()


@pytest.mark.parametrize(
    ("target", "body", "on_loop"),
    [
        pytest.param(SERVICE, CALL, True, id="a lumbar puncture"),
        pytest.param(SERVICE, call_with(100), True, id="a usual chart"),
        pytest.param(SERVICE, call_with(2_000), False, id="a chart for which others would wait"),
        pytest.param(SERVICE, call_with(2_000, "chest X-ray"), False, id="a large chart of another order"),
        pytest.param(f"//{SERVICE}", CALL, True, id="an address with two slashes"),
    ],
)
def test_a_call_is_answered_on_the_event_loop_unless_others_would_wait_for_it(
    target: str, body: bytes, on_loop: bool, own_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = threads_of(monkeypatch)
    assert ask_once(own_door, "POST", target, JSON, body).status == 200
    assert seen == [on_loop]


def test_calls_are_answered_while_others_wait(own_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than there are threads: what needs none is not behind them."""
    may_go_on = threading.Event()

    def fetch(_: FhirReader, server: Any, token: Any, urls: Any, deadline: Any) -> dict[str, FetchResult]:
        may_go_on.wait(PATIENCE)
        return {key: FetchResult() for key in urls}

    monkeypatch.setattr(FhirReader, "fetch", fetch)
    without_chart = json.dumps(hook_call(fhirServer=BASE, prefetch={})).encode()

    async def run() -> None:
        waiting = [asyncio.create_task(ask(own_door, "POST", SERVICE, JSON, without_chart)) for _ in range(10)]
        while own_door.in_progress() < 10:
            await asyncio.sleep(0)
        silent = await asyncio.wait_for(ask(own_door, "POST", SERVICE, JSON, call_with(0, "chest X-ray")), PATIENCE)
        assert silent.body == b'{"cards":[]}'
        may_go_on.set()
        assert {one.status for one in await asyncio.gather(*waiting)} == {200}

    asyncio.run(run())


def test_a_step_that_is_a_future_is_awaited_without_a_thread(own_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are places: none of them holds a thread."""
    futures: list[Future[str]] = []

    def answer(self: HookCall) -> Any:
        futures.append(Future())
        body = yield futures[-1]
        return self._services.complete(self._request, HttpAnswer(200, (), body))

    monkeypatch.setattr(HookCall, "answer", answer)

    async def run() -> None:
        waiting = [asyncio.create_task(ask(own_door, "POST", SERVICE, JSON, CALL)) for _ in range(60)]
        while len(futures) < 60:
            await asyncio.sleep(0)
        for number, future in enumerate(futures):
            future.set_result(f"{number}".encode())  # type: ignore[arg-type]
        assert [one.body for one in await asyncio.gather(*waiting)] == [f"{number}".encode() for number in range(60)]

    asyncio.run(run())
