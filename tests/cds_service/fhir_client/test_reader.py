"""Reading from FHIR servers over real sockets: well-behaved ones, broken ones, endless ones (R-2.27, R-2.85)."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from threading import Barrier, BrokenBarrierError

import pytest

from cds_service.fhir_client import reader as fhir_reader
from cds_service.fhir_client.base_url import parse_base
from cds_service.fhir_client.reader import FetchResult, FhirReader
from tests.charts import Json, condition, patient, searchset
from tests.misbehaving_server import HTTP_OK, Answer, Handler, LoopbackServer, answer, never_ending, raw

BEARER = "made-up-token-for-these-tests"
BUDGET_MS = 4000
SHORT_BUDGET_MS = 300
THREADS = 64
DOES_NOT_HANG_S = 30.0
PAGE = json.dumps(searchset(condition(id="last"))).encode()
KEYS = {"patient": "Patient/1", "conditions": "Condition?patient=1", "procedures": "Procedure?patient=1"}


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """The FHIR server of the call."""
    one = LoopbackServer()
    yield one
    one.close()


def reader(budget_ms: int = BUDGET_MS) -> FhirReader:
    return FhirReader(budget_ms=budget_ms, threads=THREADS)


def page(*ids: str, next_url: str | None = None, **elements: object) -> Json:
    """A page of Conditions with these ids."""
    link = {"link": [{"relation": "next", "url": next_url}]} if next_url else {}
    return searchset(*[condition(id=one) for one in ids]) | link | elements


def ids(result: FetchResult) -> list[str | None]:
    return [entry.resource.id if entry and entry.resource else None for entry in result.entries]


def fetch(
    base: str, urls: dict[str, str], budget_ms: int = BUDGET_MS, token: str | None = BEARER
) -> dict[str, FetchResult]:
    one = reader(budget_ms)
    return one.fetch(parse_base(base), token, urls, one.deadline())


def fetch_conditions(server: LoopbackServer, token: str | None = BEARER) -> FetchResult:
    return fetch(server.base, {"conditions": "Condition"}, token=token)["conditions"]


def hangs_up(*times: int) -> Answer:
    """Answers, but closes the connection without a word at these requests, counted from 1."""
    count = iter(range(1, 100))

    def send(handler: Handler) -> None:
        if next(count) in times:
            handler.close_connection = True
        else:
            answer(page("a"))(handler)

    return send


def test_an_idle_connection_that_the_server_closes_as_we_take_it_costs_nothing(server: LoopbackServer) -> None:
    """As servers do that close idle connections; the read is asked once more on a new one."""
    server.answers["/fhir/Condition"] = hangs_up(2)
    one = reader()
    for _ in range(3):
        found = one.fetch(parse_base(server.base), BEARER, {"conditions": "Condition"}, one.deadline())["conditions"]
        assert (found.failure, ids(found)) == (None, ["a"])
    assert len(server.requests) == 4


def test_a_server_that_hangs_up_twice_is_not_asked_again(server: LoopbackServer) -> None:
    server.answers["/fhir/Condition"] = hangs_up(*range(1, 10))
    assert fetch_conditions(server).failure == "the server could not be read (ConnectionError)"
    assert len(server.requests) == 2


def test_pages_are_followed_to_the_end_each_with_the_token(server: LoopbackServer) -> None:
    """R-2.27, R-2.85: next links may be absolute, relative to the base, or a query on the base (HAPI)."""
    server.answers |= {
        "/fhir/Condition": answer(page("a", "b", next_url=f"{server.base}/Condition?page=2")),
        "/fhir/Condition?page=2": answer(page("c", next_url=f"{server.base}?_getpages=x&_getpagesoffset=3")),
        "/fhir?_getpages=x&_getpagesoffset=3": answer(page(next_url="Condition?page=4")),
        "/fhir/Condition?page=4": answer(page("d")),
    }
    result = fetch_conditions(server)
    assert (ids(result), result.failure) == (["a", "b", "c", "d"], None)
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {BEARER}"}
    assert {request.headers["Accept"] for request in server.requests} == {"application/fhir+json"}


def test_all_keys_are_read_at_once(server: LoopbackServer) -> None:
    """No answer leaves before the three requests have arrived."""
    barrier = Barrier(len(KEYS))

    def wait_for_the_others(handler: Handler) -> None:
        try:
            barrier.wait(DOES_NOT_HANG_S)
        except BrokenBarrierError:
            return answer({}, 500)(handler)
        return answer(searchset())(handler)

    server.answers |= {f"/fhir/{url}": wait_for_the_others for url in KEYS.values()}
    results = fetch(server.base, KEYS, 10 * BUDGET_MS)
    assert {key: result.failure for key, result in results.items()} == dict.fromkeys(KEYS)


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_none_is_sent(token: str | None, server: LoopbackServer) -> None:
    server.answers["/fhir/Condition"] = answer(page("a"))
    assert ids(fetch_conditions(server, token=token)) == ["a"]
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize("token", ["a\r\nX-Injected: 1", "a\nb", "\u20ac\u20ac", "\x00"])
def test_a_token_that_fits_in_no_header_injects_nothing(token: str, server: LoopbackServer) -> None:
    """R-2.29: never raised, never split into a header of its own."""
    server.answers["/fhir/Condition"] = answer(page("a"))
    fetch_conditions(server, token=token)
    assert all("X-Injected" not in request.headers for request in server.requests)


ENCODED = [
    pytest.param("gzip", gzip.compress(PAGE), id="gzip"),
    pytest.param("identity", PAGE, id="identity"),
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED)
def test_a_compressed_answer_is_read_even_when_it_comes_byte_by_byte(
    encoding: str, body: bytes, server: LoopbackServer
) -> None:
    head = HTTP_OK + f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.answers["/fhir/Condition"] = raw(head, body[:1], body[1:11], body[11:30], body[30:-1], body[-1:])
    result = fetch_conditions(server)
    assert (ids(result), result.failure) == (["last"], None)


def test_a_chunked_answer_is_read(server: LoopbackServer) -> None:
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (PAGE[:40], PAGE[40:])]
    server.answers["/fhir/Condition"] = raw(HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")
    assert ids(fetch_conditions(server)) == ["last"]


def _bomb(size: int) -> bytes:
    return gzip.compress(b" " * size + PAGE)


@pytest.mark.parametrize(
    "oversized",
    [
        pytest.param(answer(_bomb(20_000_000), Content_Encoding="gzip"), id="a gzip bomb"),
        pytest.param(answer(b" " * 200_000 + PAGE), id="a long body"),
        pytest.param(never_ending(HTTP_OK + b"\r\n", b" " * 20_000), id="a body without end"),
    ],
)
def test_an_answer_beyond_the_limit_is_given_up(
    oversized: Answer, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is on what comes out of the decompressor, and on all pages together."""
    monkeypatch.setattr(fhir_reader, "_MOST_BYTES", 100_000)
    server.answers |= {"/fhir/Condition": answer(page("a", next_url="bad")), "/fhir/bad": oversized}
    result = fetch_conditions(server)
    assert (ids(result), result.failure) == (["a"], "the answer is too large")


def test_the_limit_counts_all_pages_of_a_key(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_reader, "_MOST_BYTES", 1_500)
    for number in range(6):
        server.answers[f"/fhir/p{number}"] = answer(page(f"id-{number}", next_url=f"p{number + 1}"))
    result = fetch(server.base, {"conditions": "p0"})["conditions"]
    assert result.failure == "the answer is too large"
    assert 1 <= len(result.entries) < 5


def _status(line: bytes, *headers: bytes) -> Answer:
    return raw(b"\r\n".join([b"HTTP/1.1 " + line, *headers, b"Content-Length: 0", b"", b""]))


CHUNKED = HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = [
    pytest.param(raw(), id="closes without a word"),
    pytest.param(raw(b"SSH-2.0-OpenSSH_9.6\r\n"), id="speaks another protocol"),
    pytest.param(raw(b"HTTP/1.1 banana\r\n\r\n"), id="has a status line without a number"),
    pytest.param(raw(HTTP_OK + b"A: b\r\n" * 200 + b"\r\n" + PAGE), id="sends two hundred headers"),
    pytest.param(raw(HTTP_OK + b"A: " + b"b" * 70_000 + b"\r\n\r\n" + PAGE), id="sends an endless header line"),
    pytest.param(raw(HTTP_OK + b"Content-Length: 9999\r\n\r\n" + PAGE), id="promises more bytes than it sends"),
    pytest.param(raw(HTTP_OK + b"Content-Length: 20\r\n\r\n" + PAGE), id="sends more bytes than it promises"),
    pytest.param(raw(CHUNKED + b"zz\r\n" + PAGE), id="sends a chunk size that is no number"),
    pytest.param(raw(CHUNKED + b"ffff\r\n" + PAGE), id="breaks off inside a chunk"),
    pytest.param(answer(PAGE, Content_Encoding="gzip"), id="calls plain text gzip"),
    pytest.param(answer(gzip.compress(PAGE)[:40], Content_Encoding="gzip"), id="cuts a gzip stream"),
    pytest.param(answer(zlib.compress(PAGE), Content_Encoding="deflate"), id="answers in deflate, unasked"),
    pytest.param(answer(gzip.compress(gzip.compress(PAGE)), Content_Encoding="gzip, gzip"), id="packs gzip in gzip"),
    pytest.param(answer(PAGE, Content_Length="9" * 30), id="promises more bytes than there are"),
    pytest.param(answer(PAGE, 201), id="answers 201"),
    pytest.param(raw(b"HTTP/1.1 204 No Content\r\n\r\n"), id="answers 204"),
    pytest.param(answer(PAGE, 401, WWW_Authenticate='Basic realm="x"'), id="answers 401"),
    pytest.param(answer(PAGE, 403), id="answers 403"),
    pytest.param(answer(PAGE, 404), id="answers 404"),
    pytest.param(answer(PAGE, 429, Retry_After="0"), id="answers 429"),
    pytest.param(answer(PAGE, 500), id="answers 500"),
    pytest.param(answer(PAGE, 503, Retry_After="0"), id="answers 503"),
    pytest.param(answer(b"<html>Log in</html>", Content_Type="text/html"), id="answers with a login page"),
    pytest.param(answer(b""), id="answers with an empty body"),
    pytest.param(answer(None), id="answers null"),
    pytest.param(answer(["a"]), id="answers with a list"),
    pytest.param(answer(5), id="answers with a number"),
    pytest.param(answer({}), id="answers with an empty object"),
    pytest.param(answer(PAGE[:-9]), id="cuts the JSON"),
    pytest.param(answer(PAGE.decode().encode("utf-16")), id="answers in UTF-16"),
    pytest.param(answer(b"[" * 100_000), id="nests a hundred thousand deep"),
    pytest.param(answer({"resourceType": "OperationOutcome"}), id="answers 200 with an OperationOutcome"),
    pytest.param(
        answer(b'{"resourceType": "Condition", "code": 5, "note": "\xff"}'),
        id="answers with bytes that are no UTF-8",
    ),
]


def _one_more_page(handler: Handler) -> None:
    number = int(handler.path.removeprefix("/fhir/p")) + 1
    answer(page(f"id-{number}", next_url=f"p{number}"))(handler)


HALF_AN_ANSWER = HTTP_OK + b"Content-Length: 9999\r\n\r\n" + PAGE
HANGING = [
    pytest.param(never_ending(b""), id="never answers"),
    pytest.param(never_ending(HTTP_OK), id="stops inside the headers"),
    pytest.param(never_ending(HTTP_OK + b"A: ", b"b"), id="drips its headers"),
    pytest.param(never_ending(HALF_AN_ANSWER), id="stops inside the body"),
    pytest.param(never_ending(HALF_AN_ANSWER, b" "), id="drips its body"),
    pytest.param(never_ending(CHUNKED, b"1\r\n \r\n"), id="drips its chunks"),
    pytest.param(never_ending(HTTP_OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10]), id="drips gzip"),
]  # fmt: skip


def _fetch_beside(server: LoopbackServer, bad: Answer, budget_ms: int) -> dict[str, FetchResult]:
    """A good key, a key that is bad on its second page, and a key that is bad at once."""
    server.answers |= {
        "/fhir/Patient/1": answer(patient()),
        "/fhir/Condition?patient=1": answer(page("a", "b", next_url="bad")),
        "/fhir/bad": bad,
        "/fhir/Procedure?patient=1": bad,
    }
    return fetch(server.base, KEYS, budget_ms)


@pytest.mark.parametrize("bad", BROKEN)
def test_a_broken_answer_is_a_failure_with_a_reason_and_costs_nothing_else(bad: Answer, server: LoopbackServer) -> None:
    results = _fetch_beside(server, bad, BUDGET_MS)
    assert results["patient"].failure is None
    assert ids(results["conditions"]) == ["a", "b"]
    assert ids(results["procedures"]) == []
    for key in ("conditions", "procedures"):
        reason = results[key].failure
        assert reason
        assert "127.0.0.1" not in reason
        assert BEARER not in reason


@pytest.mark.parametrize("bad", HANGING)
def test_a_server_that_hangs_costs_the_budget_and_no_more(bad: Answer, server: LoopbackServer) -> None:
    started = time.monotonic()
    results = _fetch_beside(server, bad, SHORT_BUDGET_MS)
    assert time.monotonic() - started < DOES_NOT_HANG_S
    assert results["patient"].failure is None
    assert results["procedures"].failure == results["conditions"].failure == "time budget spent"


def test_pages_read_before_a_server_hangs_are_kept(server: LoopbackServer) -> None:
    results = _fetch_beside(server, never_ending(HTTP_OK + b"A: ", b"b"), SHORT_BUDGET_MS)
    assert ids(results["conditions"]) == ["a", "b"]


def test_a_search_that_ends_short_of_its_total_says_how_many_there_are(server: LoopbackServer) -> None:
    """R-2.85: whether that is enough is decided where the page that came as prefetch is counted in, too."""
    server.answers["/fhir/Condition"] = answer(page("a", "b", next_url="more", total=5))
    server.answers["/fhir/more"] = answer(page("c", total=5))
    result = fetch_conditions(server)
    assert ids(result) == ["a", "b", "c"]
    assert result.total == 5


def test_a_search_that_reaches_its_total_over_several_pages_is_complete(server: LoopbackServer) -> None:
    server.answers["/fhir/Condition"] = answer(page("a", "b", next_url="more", total=3))
    server.answers["/fhir/more"] = answer(page("c", total=3))
    result = fetch_conditions(server)
    assert (ids(result), result.failure) == (["a", "b", "c"], None)


def test_pages_without_end_stop_at_the_budget(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_reader, "_MOST_PAGES", 20_000)
    server.answers |= {f"/fhir/p{number}": _one_more_page for number in range(20_000)}
    started = time.monotonic()
    result = fetch(server.base, {"conditions": "p0"}, SHORT_BUDGET_MS)["conditions"]
    assert result.failure == "time budget spent"
    assert time.monotonic() - started < DOES_NOT_HANG_S


def test_pages_without_end_stop_at_a_hundred(server: LoopbackServer) -> None:
    server.answers |= {f"/fhir/p{number}": _one_more_page for number in range(200)}
    result = fetch(server.base, {"conditions": "p0"}, 10 * BUDGET_MS)["conditions"]
    assert (len(result.entries), result.failure) == (100, "the answer has too many pages")
    assert len(server.requests) == 100


def test_two_reads_of_one_call_share_its_deadline(server: LoopbackServer) -> None:
    """design.md 3: one time budget for the whole call; what is asked for after it is not read."""
    server.answers |= {"/fhir/Condition/1": never_ending(b""), "/fhir/Condition": never_ending(b"")}
    deadline = reader(SHORT_BUDGET_MS).deadline()
    one = reader(100 * BUDGET_MS)
    started = time.monotonic()
    for urls in ({"reason": "Condition/1"}, {"conditions": "Condition"}):
        (result,) = one.fetch(parse_base(server.base), BEARER, urls, deadline).values()
        assert result.failure == "time budget spent"
    assert time.monotonic() - started < DOES_NOT_HANG_S


def test_a_port_where_nobody_listens_is_a_failure() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/fhir"
        result = fetch(base, {"patient": "Patient/1"})["patient"]
    assert list(result.entries) == []
    assert result.failure


def test_connections_are_used_again(server: LoopbackServer) -> None:
    server.answers["/fhir/Condition"] = answer(page("a"))
    one = reader()
    for _ in range(3):
        results = one.fetch(parse_base(server.base), BEARER, {"conditions": "Condition"}, one.deadline())
        assert results["conditions"].failure is None
    assert len({request.connection for request in server.requests}) == 1
