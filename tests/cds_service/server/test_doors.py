"""The server's own door and Flask's: whatever is sent, both give the same status, headers, body and log."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cards.topic import Topic
from cds_service.app import create_app
from cds_service.event_log import events
from cds_service.server.door import Door
from cds_service.server.request_body import BodyLimits
from cds_service.settings.settings import Settings
from tests.charts import SERVICE, condition, hook_call, order, searchset
from tests.fake_fhir_server import BASE, FakeFhirServer
from tests.places import ROOT
from tests.registered_service import RegisteredService
from tests.rsgi_request import ask_once
from tests.server_process import COMMAND, ServerProcess, environment, free_port, listens
from tests.test_recorded_calls import CALLS, serve_lab_patients

MOST_BYTES = 300_000
JSON = {"Content-Type": "application/json"}
ORIGIN = {"Origin": "http://127.0.0.1:8105"}
PREFLIGHT = ORIGIN | {"Access-Control-Request-Method": "POST"}
CALL = json.dumps(hook_call()).encode()
LARGE = json.dumps(hook_call(prefetch={"conditions": searchset(*[condition(id=f"c{n}") for n in range(500)])})).encode()
UNRELATED = json.dumps(hook_call(order({"text": "chest X-ray"}))).encode()
CARD = "9f0b8b50-6a1d-5b0e-8a51-7d3a7b0c2a11"
ENTRY = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
FEEDBACK = json.dumps({"feedback": [ENTRY]}).encode()
DISCOVERY = "/cds-services"

Case = tuple[str, str, dict[str, str], bytes]
REQUESTS: dict[str, tuple[Case, int]] = {
    "discovery": (("GET", DISCOVERY, {}, b""), 200),
    "discovery, asked with a body": (("GET", DISCOVERY, JSON, b"{}"), 200),
    "the head of discovery": (("HEAD", "/cds-services/", {}, b""), 200),
    "discovery that is known": (("GET", DISCOVERY, {"If-None-Match": "*"}, b""), 304),
    "the head of discovery that is known": (("HEAD", DISCOVERY, {"If-None-Match": "*"}, b""), 304),
    "a lumbar puncture": (("POST", SERVICE, JSON, CALL), 200),
    "a chart that is read in a thread": (("POST", SERVICE, JSON, LARGE), 200),
    "an order that is not ours": (("POST", SERVICE, JSON | ORIGIN, UNRELATED), 200),
    "feedback": (("POST", f"{SERVICE}/feedback", JSON, FEEDBACK), 200),
    "feedback about nothing": (("POST", f"{SERVICE}/feedback", JSON, b'{"feedback": []}'), 200),
    "feedback that is none": (("POST", f"{SERVICE}/feedback", JSON, b"[]"), 400),
    "no JSON": (("POST", SERVICE, JSON | ORIGIN, b"{"), 400),
    "no body": (("POST", SERVICE, JSON, b""), 400),
    "a body that is not UTF-8": (("POST", SERVICE, JSON, b'{"hook": "\xff"}'), 400),
    "a deep body": (("POST", SERVICE, JSON, CALL.replace(b'"draft"', b"[" * 70 + b"]" * 70)), 400),
    "another hook": (("POST", SERVICE, JSON, CALL.replace(b"order-sign", b"patient-view")), 400),
    "a chart that cannot be had": (("POST", SERVICE, JSON, json.dumps(hook_call(prefetch={})).encode()), 200),
    "a method that is not taken": (("PUT", SERVICE, JSON, CALL), 405),
    "a method of nobody": (("BREW", SERVICE, JSON, b""), 405),
    "GET of a service": (("GET", SERVICE, {}, b""), 405),
    "HEAD of a service": (("HEAD", SERVICE, {}, b""), 405),
    "POST to discovery": (("POST", DISCOVERY, JSON, CALL), 405),
    "an address where nothing is": (("GET", f"{SERVICE}/nothing", ORIGIN, b""), 404),
    "a deep address where nothing is": (("POST", f"{SERVICE}/feedback/more", JSON, CALL), 404),
    "an address beside ours": (("GET", "/cds-servicesfoo", ORIGIN, b""), 404),
    "a service that is not there": (("POST", "/cds-services/unknown", JSON, CALL), 404),
    "two slashes": (("POST", SERVICE.replace("/", "//"), JSON, CALL), 200),
    "a slash at the end": (("POST", f"{SERVICE}/", JSON, CALL), 200),
    "a slash that is encoded": (("POST", SERVICE.replace("/lumbar", "%2Flumbar"), JSON, CALL), 200),
    "letters that are encoded": (("POST", "/%63ds-services/lumbar-puncture-back-p%61in", JSON, CALL), 200),
    "a query mark that is encoded": (("GET", "/cds-services%3Fa=b", {}, b""), 404),
    "a path with dots": (("GET", "/x/../cds-services", {}, b""), 404),
    "a path that is not UTF-8": (("POST", "/cds-services/%ff%c3", JSON, CALL), 404),
    "a path with a line break": (("POST", "/cds-services/a%0Ab/c", JSON, CALL), 404),
    "a path in other letters": (("POST", "/cds-services/%C3%A9%E2%82%AC", JSON, CALL), 404),
    "a query": (("POST", f"{SERVICE}?lang=es&a=%ff&a", JSON, CALL), 200),
    "no media type": (("POST", SERVICE, {}, CALL), 415),
    "another media type": (("POST", SERVICE, {"Content-Type": "text/plain"}, CALL), 415),
    "another charset": (("POST", SERVICE, {"Content-Type": "application/json; charset=latin-1"}, CALL), 415),
    "a media type that is not ASCII": (("POST", SERVICE, {"Content-Type": "application/jsön"}, CALL), 415),
    "a compressed body": (("POST", SERVICE, JSON | {"Content-Encoding": "gzip"}, CALL), 415),
    "a body that is too large": (("POST", SERVICE, JSON | ORIGIN, b" " * (MOST_BYTES + 1)), 413),
    "a large body of no media type": (("POST", SERVICE, ORIGIN, b" " * (MOST_BYTES + 1)), 415),
    "a preflight": (("OPTIONS", SERVICE, PREFLIGHT, b""), 200),
    "a preflight of discovery": (("OPTIONS", DISCOVERY, ORIGIN | {"Access-Control-Request-Method": "GET"}, b""), 200),
    "a preflight with headers": (
        ("OPTIONS", SERVICE, PREFLIGHT | {"Access-Control-Request-Headers": "authorization, content-type, x-a"}, b""),
        200,
    ),
    "a preflight of a private network": (
        ("OPTIONS", f"{SERVICE}/feedback", PREFLIGHT | {"Access-Control-Request-Private-Network": "true"}, b""),
        200,
    ),
    "OPTIONS of no page": (("OPTIONS", f"{SERVICE}/nothing", {}, b""), 404),
    "a token that nobody asked for": (("POST", SERVICE, JSON | {"Authorization": "Bearer a.b.c"}, CALL), 200),
    "a page of Flask's": (("GET", "/openapi.json", {}, b""), 200),
    "the head of a page of Flask's": (("HEAD", "/openapi.json", {}, b""), 200),
    "a page that is not there": (("GET", "/nothing", {}, b""), 404),
    "a probe": (("GET", "/health/live", {}, b""), 200),
}
_OF_THE_SERVER = {"content-length", "date", "server", "connection"}


class Observer:
    """What metrics and traces are told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_call(self, call: Any, status: int, seconds: float) -> None:
        self.told.append((call.event, call.service, call.hook, call.outcome, call.cards, list(call.stages_ms), status))

    def on_event(self, event: str, *values: str, number: int = 1) -> None:
        self.told.append((event, values, number))


def door_of(app: Flask) -> Door:
    limits = BodyLimits(app.config["MAX_CONTENT_LENGTH"])
    return Door(app, app.extensions["cds_services"], threads=2, limits=limits)


def observed(ask: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any], list[Any]]:
    """What is answered, logged and told to observers, without durations."""
    observer = Observer()
    monkeypatch.setattr(events, "_observers", [observer])
    with capture_logs() as log:
        answer = ask()
    of_calls = [one for one in log if one["event"] != "cds_hooks.ledger.put_off"]  # of a writer, at any time
    logged = [{name: one[name] for name in one if "duration" not in name} for one in of_calls]
    return answer, logged, observer.told


def through_flask(app: Flask, case: Case) -> tuple[int, Any, bytes]:
    method, target, headers, body = case
    path, _, query = target.partition("?")
    raw = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query}  # "//" stands for itself
    response = app.test_client().open(method=method, headers=headers, data=body or None, environ_overrides=raw)
    return response.status_code, sorted_headers(response.headers), response.get_data()


def through_door(app: Flask, case: Case) -> tuple[int, Any, bytes]:
    protocol = ask_once(door_of(app), *case)
    body = b"" if case[0] == "HEAD" else protocol.body  # hyper sends none
    return protocol.status, sorted_headers(protocol.headers), body


def sorted_headers(headers: Any) -> list[tuple[str, str]]:
    return sorted((name.lower(), text) for name, text in headers if name.lower() not in _OF_THE_SERVER)


def assert_same(app: Flask, case: Case, monkeypatch: pytest.MonkeyPatch) -> int:
    """Sent once before, so that feedback is a repetition at both doors. The status that both give."""
    through_flask(app, case)
    flask = observed(lambda: through_flask(app, case), monkeypatch)
    own = observed(lambda: through_door(app, case), monkeypatch)
    assert flask == own
    return own[0][0]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in CALLS])
def test_a_recorded_call(path: Path, app: Flask, fhir_server: FakeFhirServer, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_lab_patients(fhir_server)
    request = json.loads(path.read_text("utf-8"))["request"]
    body = json.dumps(request["body"]).encode() if "body" in request else b""
    headers = {name: text for name, text in request["headers"].items() if name not in ("Host", "Content-Length")}
    assert_same(app, (request["method"], request["path"], headers, body), monkeypatch)


@pytest.mark.parametrize(("case", "status"), [pytest.param(*one, id=name) for name, one in REQUESTS.items()])
def test_a_call_an_error_or_a_preflight(
    case: Case, status: int, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(max_body_bytes=MOST_BYTES)
    assert assert_same(app, case, monkeypatch) == status


def test_a_fault_of_ours(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: Any) -> Any:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr("cds_service.cds_hooks.hook_call.encode_response", break_down)
    assert assert_same(app, ("POST", SERVICE, JSON, CALL), monkeypatch) == 500


def test_a_chart_that_is_fetched(app: Flask, fhir_server: FakeFhirServer, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(hook_call(fhirServer=BASE, prefetch={})).encode()
    assert assert_same(app, ("POST", SERVICE, JSON, body), monkeypatch) == 200
    assert fhir_server.requests


TOKENS: dict[str, Callable[[RegisteredService], str | None]] = {
    "a good token": lambda service: service.forge().bearer(),
    "no token": lambda _: None,
    "no token at all": lambda _: "Basic eDp5",
    "a token for another address": lambda service: service.forge(path=DISCOVERY).bearer(),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
@pytest.mark.parametrize("target", [SERVICE, DISCOVERY])
def test_a_registered_client(
    token: Callable[[RegisteredService], str | None],
    target: str,
    tmp_path: Path,
    empty_ledger: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each door gets a token of its own, for none is good twice; the logs differ in their ids alone."""
    service = RegisteredService(tmp_path, empty_ledger)
    answers = []
    for through in (through_flask, through_door):
        sent = token(service)
        headers = JSON | ORIGIN | ({} if sent is None else {"Authorization": sent})
        case = ("POST" if target == SERVICE else "GET", target, headers, CALL if target == SERVICE else b"")
        answer, log, told = observed(lambda through=through, case=case: through(service.app, case), monkeypatch)  # type: ignore[misc]
        answers.append((answer, [{name: one[name] for name in one if "jti" not in name} for one in log], told))
    service.close()
    assert answers[0] == answers[1]


PIECES = ["/", "//", "cds-services", "x", "%2F", "%ff", "%C3%A9", "%00", "%0A", ".", "..", ";", "?a=b"]


@given(pieces=st.lists(st.sampled_from(PIECES)), method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE"]))
def test_any_address(pieces: list[str], method: str, door_app: Flask) -> None:
    target = "/" + "".join(pieces)
    case = (method, target, JSON | ORIGIN, UNRELATED if method == "POST" else b"")
    with capture_logs():
        assert through_flask(door_app, case) == through_door(door_app, case)


@pytest.fixture(scope="module")
def door_app(topic: Topic) -> Flask:
    """An application whose database is never asked for."""
    return create_app(Settings(database_url="sqlite:////nowhere/ledger.sqlite"), topics={topic.service.id: topic})


class Served(ServerProcess):
    """A server whose hook calls go through one of the doors."""

    def __init__(self, command: list[Any], folder: Path) -> None:
        self.port = free_port()
        variables = environment(CDS_PORT=str(self.port), CDS_MAX_BODY_BYTES=str(MOST_BYTES), PYTHONPATH=str(ROOT))
        variables |= {
            "CDS_DATABASE_URL": f"sqlite:///{folder}/{self.port}.sqlite",
            "CDS_PUBLIC_URL": "http://127.0.0.1",
        }
        super().__init__(command, folder / f"{self.port}.log", variables, lambda: listens(self.port), folder=folder)

    def send(self, case: Case) -> tuple[int, Any, bytes]:
        """Status, headers and body as they are on the wire."""
        method, target, headers, body = case
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            response = HTTPResponse(connection, method=method)
            response.begin()
            kept = [(name.lower(), text) for name, text in response.getheaders() if name.lower() != "date"]
            return response.status, sorted(kept), response.read()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """Two servers with the same settings: one as it is, and one whose hook calls are answered by Flask."""
    folder = tmp_path_factory.mktemp("doors")
    with ExitStack() as stack:
        commands: list[list[Any]] = [
            [COMMAND, "serve"],
            [sys.executable, "-m", "bench.harness.varied_server", "flask-door"],
        ]
        own, flask = (Served(command, folder) for command in commands)
        for server in (own, flask):
            stack.callback(server.end)
            server.start()
        yield own, flask


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, (case, _) in REQUESTS.items()])
@pytest.mark.slow
def test_on_the_wire(case: Case, servers: tuple[Served, Served]) -> None:
    own, flask = (server.send(case) for server in servers)
    assert own == flask
