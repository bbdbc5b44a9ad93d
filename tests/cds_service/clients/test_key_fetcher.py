"""Fetching a key set: real servers on loopback, a plain 200 within time and size or nothing (R-6.7, R-6.14)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import enumerate as enumerate_threads

import pytest

from cds_service.clients.issuer_keys import KeysUnobtainable
from cds_service.clients.key_fetcher import KeyFetcher
from tests.certificates import self_signed, server_context
from tests.misbehaving_server import HTTP_OK, Answer, LoopbackServer, answer, never_ending, raw

KEYS = b'{"keys": []}'


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    one = LoopbackServer()
    yield one
    one.close()


def url_of(server: LoopbackServer, path: str = "/keys") -> str:
    return server.base.removesuffix("/fhir") + path


def test_body_is_given_as_it_came(server: LoopbackServer) -> None:
    server.answers["/keys"] = answer(KEYS)
    server.answers["/keys?v=2&x=%2F"] = answer(b"two", Content_Type="text/plain")
    assert KeyFetcher()(url_of(server)) == KEYS
    assert KeyFetcher()(url_of(server, "/keys?v=2&x=%2F")) == b"two"


def test_body_in_chunks_is_put_together(server: LoopbackServer) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n6\r\n" + KEYS[:6] + b"\r\n6\r\n" + KEYS[6:] + b"\r\n0\r\n\r\n"
    server.answers["/keys"] = raw(HTTP_OK, chunked)
    assert KeyFetcher()(url_of(server)) == KEYS


def test_largest_body_that_is_read(server: LoopbackServer) -> None:
    server.answers["/keys"] = answer(b"x" * 262_144)
    server.answers["/more"] = answer(b"x" * 262_145)
    fetcher = KeyFetcher()
    assert len(fetcher(url_of(server))) == 262_144
    with pytest.raises(KeysUnobtainable):
        fetcher(url_of(server, "/more"))


def test_nothing_of_the_environment_or_of_earlier_answers_goes_along(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No proxy, no netrc, no cookie."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.answers["/keys"] = answer(KEYS, Set_Cookie="canary=1; Path=/")
    fetcher = KeyFetcher()
    assert [fetcher(url_of(server)) for _ in range(2)] == [KEYS] * 2
    for request in server.requests:
        assert {name.lower() for name in request.headers} == {
            "accept",
            "accept-encoding",
            "connection",
            "host",
            "user-agent",
        }
        assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 303, 307, 308, 304, 400, 401, 404, 500, 503])
def test_anything_but_200_gives_nothing_and_no_redirect_is_followed(server: LoopbackServer, status: int) -> None:
    server.answers["/keys"] = answer(b"" if status in (204, 304) else KEYS, status, Location="/other")
    server.answers["/other"] = answer(KEYS)
    with pytest.raises(KeysUnobtainable):
        KeyFetcher()(url_of(server))
    assert server.paths == ["/keys"]


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(never_ending(b""), id="nothing comes"),
        pytest.param(never_ending(b"HTTP/1.1 2", b"0"), id="the status comes in drips"),
        pytest.param(never_ending(HTTP_OK + b"X-Drip: ", b"x"), id="the headers come in drips"),
        pytest.param(never_ending(HTTP_OK + b"\r\n{", b" "), id="the body comes in drips"),
        pytest.param(
            never_ending(HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="chunks in drips"
        ),
        pytest.param(never_ending(HTTP_OK + b"Content-Length: 9\r\n\r\n{"), id="the body stops in the middle"),
    ],
)
def test_slow_server_is_given_up(server: LoopbackServer, slow: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within its time, whatever keeps coming; and no thread is left behind."""
    monkeypatch.setattr("cds_service.clients.key_fetcher._LONGEST_S", 0.2)
    began = time.monotonic()
    server.answers["/keys"] = slow
    with pytest.raises(KeysUnobtainable):
        KeyFetcher()(url_of(server))
    assert time.monotonic() - began < 20, "it hung"
    while any(thread.name == "download-time" for thread in enumerate_threads()):
        assert time.monotonic() - began < 20, "a thread was left behind"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(raw(b""), id="a closed connection"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.6\r\n"), id="no HTTP"),
        pytest.param(raw(HTTP_OK, b"Content-Length: 99\r\n\r\n{}"), id="a body that ends too soon"),
        pytest.param(raw(HTTP_OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), id="a chunk of no length"),
        pytest.param(raw(HTTP_OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}"), id="a chunk cut short"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), id="too many headers"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), id="a header too long"),
    ],
)
def test_broken_answer_gives_nothing(server: LoopbackServer, broken: Answer) -> None:
    server.answers["/keys"] = broken
    with pytest.raises(KeysUnobtainable) as fault:
        KeyFetcher()(url_of(server))
    assert str(fault.value).isidentifier()  # the name of a class: no address, nothing of the answer


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/keys", "http://localhost:1/keys", "http://no.such.host.invalid/keys"]
)
def test_server_that_is_not_there_gives_nothing(url: str) -> None:
    with pytest.raises(KeysUnobtainable):
        KeyFetcher()(url)


def test_tls_is_checked_against_the_file_of_authorities(tmp_path: Path) -> None:
    """Against this file alone, where one is set."""
    trusted, other = self_signed(tmp_path, "127.0.0.1"), self_signed(tmp_path, "127.0.0.2")
    server = LoopbackServer(tls=server_context(trusted))
    try:
        server.answers["/keys"] = answer(KEYS)
        assert KeyFetcher(trusted)(url_of(server)) == KEYS
        for fetcher in (KeyFetcher(), KeyFetcher(other)):
            with pytest.raises(KeysUnobtainable):
                fetcher(url_of(server))
        assert len(server.requests) == 1
    finally:
        server.close()


def test_server_without_tls_is_none_for_https(server: LoopbackServer) -> None:
    server.answers["/keys"] = answer(KEYS)
    with pytest.raises(KeysUnobtainable):
        KeyFetcher()(url_of(server).replace("http:", "https:"))
    assert server.requests == []
