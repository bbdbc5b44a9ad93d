"""When the time of a call is over, its reads end: they hold no thread, no connection and no place."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cds_service.fhir_client.base_url import FhirBase, parse_base
from cds_service.fhir_client.reader import FhirReader
from cds_service.http_download import CutOff
from tests.certificates import self_signed, server_context
from tests.charts import condition, searchset
from tests.misbehaving_server import HTTP_OK, Answer, LoopbackServer, answer, never_ending

BUDGET_MS = 100
ENDS_WITHIN_S = 30.0  # generous: it is a matter of milliseconds
CHUNKED = HTTP_OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = HTTP_OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10]
TLS_HANDSHAKE = b"\x16\x03\x03\x40\x00"  # the head of a record of 16 kB, which then comes byte by byte
ENDLESS = [
    pytest.param(never_ending(b""), id="silence"),
    pytest.param(never_ending(b"HTTP/1.1 200 ", b"O"), id="a status line that drips"),
    pytest.param(never_ending(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"), id="please go on"),
    pytest.param(never_ending(HTTP_OK + b"A: ", b"b"), id="a header that drips"),
    pytest.param(never_ending(HTTP_OK + b"\r\n", b" "), id="a body that drips, without a length"),
    pytest.param(never_ending(HTTP_OK + b"Content-Length: 99999\r\n\r\n", b" "), id="a body that drips"),
    pytest.param(never_ending(CHUNKED, b"0"), id="the size of a chunk that drips"),
    pytest.param(never_ending(CHUNKED + b"0\r\n", b"A: b\r\n"), id="trailers without end"),
    pytest.param(never_ending(GZIPPED, b"\x00\x00\x00\xff\xff"), id="gzip that drips and unpacks to nothing"),
    pytest.param(never_ending(HTTP_OK + b"\r\n", b" " * 20_000), id="a body without end"),
]


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, ca_bundle: Path) -> Iterator[LoopbackServer]:
    """The FHIR server of the call, in the clear and with TLS."""
    one = LoopbackServer(tls=server_context(ca_bundle) if request.param == "https" else None)
    yield one
    one.close()


@pytest.fixture(scope="module")
def ca_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def base_of(server: LoopbackServer) -> FhirBase:
    base = parse_base(server.base)
    assert base
    return base


def fails_and_ends(base: FhirBase | None, ca_bundle: Path) -> None:
    """A read from there that fails; afterwards no thread of ours continues to read."""
    reader = FhirReader(budget_ms=BUDGET_MS, threads=64, ca_bundle=str(ca_bundle))
    urls = {"conditions": "Condition", "procedures": "Condition"}
    results = reader.fetch(base, "made-up-token", urls, reader.deadline())
    assert {result.failure for result in results.values()} == {"time budget spent"}
    for thread in threading.enumerate():
        if thread.name == "fhir-reader":
            thread.join(ENDS_WITHIN_S)
            assert not thread.is_alive()


@pytest.mark.parametrize("endless", ENDLESS)
def test_a_straggler_ends_though_its_server_goes_on(endless: Answer, server: LoopbackServer, ca_bundle: Path) -> None:
    """design.md 6; the server sees its client go away, too."""
    gone_away = server.note_when_over("/fhir/Condition", endless)
    fails_and_ends(base_of(server), ca_bundle)
    if server.requests and endless is not ENDLESS[0].values[0]:  # who sends nothing does not notice
        assert gone_away.wait(ENDS_WITHIN_S)


@contextmanager
def raw_server(first: bytes, then: bytes) -> Iterator[FhirBase | None]:
    """Takes connections and talks at once, without listening; `then` comes again and again."""
    stopping = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(first)
                while not stopping.wait(0.01):
                    connection.sendall(then)
            except OSError:
                return

    def accept(listening: socket.socket) -> None:
        while not stopping.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, args=[listening], daemon=True)
        thread.start()
        yield parse_base(f"https://127.0.0.1:{listening.getsockname()[1]}/fhir")
        stopping.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(b"", b"", id="silence"),
        pytest.param(TLS_HANDSHAKE, b"\x00", id="a handshake that drips"),
    ],
)
def test_a_tls_handshake_ends_with_the_time_of_the_call(first: bytes, then: bytes, ca_bundle: Path) -> None:
    with raw_server(first, then) as base:
        fails_and_ends(base, ca_bundle)


def test_a_connection_that_comes_after_the_cut_is_not_used(
    server: LoopbackServer, ca_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up of the name takes longer than the call has time, which no timeout of ours can shorten."""
    server.answers["/fhir/Condition"] = never_ending(HTTP_OK + b"A: ", b"b")
    look_up = socket.getaddrinfo

    def slow_look_up(*args: Any, **options: Any) -> Any:
        time.sleep(3 * BUDGET_MS / 1000)
        monkeypatch.undo()
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)
    monkeypatch.setattr(CutOff, "seconds_left", 5.0)  # a connection in no time after all
    fails_and_ends(base_of(server), ca_bundle)
    assert server.requests == []


def test_a_connection_that_was_cut_off_is_opened_anew(server: LoopbackServer, ca_bundle: Path) -> None:
    """A reader whose connections were shut reads as before."""
    good = answer(searchset(condition()))
    server.answers |= {"/fhir/slow": never_ending(HTTP_OK + b"A: ", b"b"), "/fhir/Condition": good}
    reader = FhirReader(budget_ms=BUDGET_MS, threads=64, ca_bundle=str(ca_bundle))
    for url, failure in [("Condition", None), ("slow", "time budget spent"), ("Condition", None)]:
        results = reader.fetch(base_of(server), None, {"conditions": url}, reader.deadline() + (failure is None) * 9)
        assert results["conditions"].failure == failure


def test_a_server_that_cannot_prove_who_it_is_gets_no_request(ca_bundle: Path) -> None:
    """The token goes to the registered base only, and https says who that is."""
    one = LoopbackServer(tls=server_context(ca_bundle))
    try:
        reader = FhirReader(budget_ms=4000, threads=64)
        results = reader.fetch(base_of(one), "made-up-token", {"conditions": "Condition"}, reader.deadline())
        assert results["conditions"].failure == "the server could not be read (CertificateNotTrusted)"
        assert one.connection_count == 1
        assert one.requests == []
    finally:
        one.close()
