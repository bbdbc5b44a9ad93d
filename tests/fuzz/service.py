"""The service that generated calls are sent to, in process, and the rules for its answers."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import schemathesis
import structlog
from flask import Flask
from schemathesis import openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks
from sqlalchemy import event
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from cds_service.app import create_app
from cds_service.cds_hooks import hook_call
from cds_service.settings.settings import Settings
from tests.applications import close
from tests.charts import SERVICE
from tests.fake_fhir_server import FakeFhirServer
from tests.fuzz.calls import CHARTS, FIRST_CALL, MadeUpCall
from tests.fuzz.odd import to_bytes
from tests.fuzz.tally import Broken, Tally, broken_by

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_CHECKS = [  # of schemathesis, for the cases it makes up itself
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# Stands for the request where libraries look at an answer: an odd one is for the service to bear, not for them.
_PLAIN = EnvironBuilder().get_request()
_PAGE = re.compile("/education/[^/]+")


class ServiceUnderFuzz:
    """The application with a FHIR server in process, the document it serves, and a tally of its answers.

    `folder`: where its database may be.
    """

    def __init__(self, folder: Path) -> None:
        self.tally = Tally()
        self._fault: Exception | None = None
        self._fhir_server = FakeFhirServer()
        self._charts = dict(_lab_answers())
        settings = Settings(database_url=f"sqlite:///{folder / 'ledger.sqlite'}")
        self.app = create_app(settings, clock=lambda: NOW, fhir_transport=self._fhir_server)
        database = self.app.extensions["database"]
        event.listen(database.engine, "connect", need_not_survive)
        database.upgrade()
        self._overhear_faults(self.app)
        self.schema = openapi.from_wsgi("/openapi.json", self.app)
        self.operations: list[APIOperation[Any, Any, Any, Any]] = [
            found.ok() for found in self.schema.get_all_operations() if isinstance(found, Ok)
        ]
        self._documented = {(one.path, one.method.upper()): one for one in self.operations}
        self._paths = {path for path, _ in self._documented}
        self.send(MadeUpCall(FIRST_CALL.text))  # so that feedback finds cards it knows

    def _overhear_faults(self, app: Flask) -> None:
        """Keep the exception behind an answer of 500; the answer stays the application's."""
        handlers = app.error_handler_spec[None][None]
        answer, log = handlers[Exception], hook_call.log_fault

        def keep(fault: Exception) -> Any:
            self._fault = fault
            return answer(fault)

        def keep_and_log(fault: BaseException) -> None:
            self._fault = fault if isinstance(fault, Exception) else None
            log(fault)

        handlers[Exception] = keep
        hook_call.log_fault = keep_and_log

    def send_case(self, case: schemathesis.Case[Any]) -> None:
        """Send a case of schemathesis. Raises Broken."""
        self._set_the_scene({})
        try:
            response = case.call()
        except Exception as fault:  # as below
            self._fault = fault
            self._count(case.operation.path, case.method, 500)
            raise self._broken(case.operation.label, 500, "not answered at all", case.as_curl_command()) from None
        self._count(case.operation.path, case.method, response.status_code)
        try:
            case.validate_response(response, checks=_CHECKS)
        except FailureGroup as failures:
            what = "; ".join(f"{failure.title}: {failure.message}" for failure in failures.exceptions)
            raise self._broken(case.operation.label, response.status_code, what, case.as_curl_command()) from None

    def send(self, call: MadeUpCall) -> TestResponse:
        """Send a call of ours. Raises Broken where the answer is a 5xx or not as the served document says."""
        self._set_the_scene(call.answers)
        path = _address(call.path)
        try:
            body, status, headers = run_wsgi_app(self.app, _environ(call), buffered=True)
        except Exception as fault:  # past every handler: of this a server makes a 500 of its own
            self._fault = fault
            self._count(path, call.method, 500)
            raise self._broken(f"{call.method} {path}", 500, "not answered at all", call.to_json()) from None
        response = TestResponse(body, status, headers, _PLAIN)
        self._count(path, call.method, response.status_code)
        what = self._fault_of(path, call.method, response)
        if what:
            raise self._broken(f"{call.method} {path}", response.status_code, what, call.to_json())
        return response

    def _set_the_scene(self, answers: dict[str, bytes]) -> None:
        self._fault = None
        self._fhir_server.requests.clear()
        self._fhir_server.answers = self._charts | answers

    def _count(self, path: str, method: str, status: int) -> None:
        if (path, method) in self._documented:
            endpoint = f"{method} {path}"
        else:
            endpoint = "other methods" if path in self._paths else "other addresses"
        self.tally.answers[endpoint, status] += 1

    def _fault_of(self, path: str, method: str, response: TestResponse) -> str | None:
        """What is wrong with an answer, or None."""
        status = response.status_code
        if status >= 500:
            return f"answered {status}"
        if (path, method) in self._documented:
            operation = self._documented[path, method]
            documented = operation.definition.raw["responses"]
            if str(status) not in documented:
                return f"answered {status}, which is not documented"
            try:
                operation.validate_response(response)
            except FailureGroup as failures:
                return "; ".join(f"{failure.title}: {failure.message}" for failure in failures.exceptions)
            except AssertionError as failure:
                return str(failure)
        elif path.startswith("/cds-services") and status >= 400 and method != "HEAD" and not _is_outcome(response):
            return f"answered {status} without an OperationOutcome"
        return None

    def _broken(self, endpoint: str, status: int, what: str, again: str) -> Broken:
        return broken_by(self._fault, what, again, f"{endpoint} {status}")


def need_not_survive(connection: Any, _: Any) -> None:
    """What is stored here need not outlive a loss of power, so nobody waits for the disk."""
    connection.execute("PRAGMA synchronous=OFF")


def _is_outcome(response: TestResponse) -> bool:
    """R-4.60."""
    return response.mimetype == "application/fhir+json" and json.loads(response.data)["issue"][0]["severity"] == "error"


def _address(path: str) -> str:
    """The path of the document that a path falls under, or the path itself."""
    path = re.sub("/{2,}", "/", path)
    path = path.rstrip("/") or path
    if path in (SERVICE, f"{SERVICE}/feedback"):
        return path.replace(SERVICE, "/cds-services/{id}")
    return "/education/{page}" if _PAGE.fullmatch(path) else path


def _lab_answers() -> Iterator[tuple[str, bytes]]:
    """What the laboratory's FHIR server says of its patients."""
    for chart in CHARTS:
        patient_id = chart.document["patient"]["id"]
        yield f"Patient/{patient_id}", to_bytes(chart.document["patient"])
        for key, kind in (("conditions", "Condition"), ("procedures", "Procedure")):
            yield f"{kind}?patient={patient_id}&_count=500", to_bytes(chart.document[key])


def _environ(call: MadeUpCall) -> dict[str, Any]:
    """The call as a WSGI server would hand it on (PEP 3333)."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path,
        "QUERY_STRING": call.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "CONTENT_LENGTH": str(len(call.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in call.headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        if key == "TRANSFER_ENCODING":
            environ.pop("CONTENT_LENGTH", None)
    return environ


@contextmanager
def service_under_fuzz(folder: Path) -> Iterator[ServiceUnderFuzz]:
    """A service to send made-up calls to, with its database in this folder, and without a log."""
    with no_log():
        service = ServiceUnderFuzz(folder)
        try:
            yield service
        finally:
            close(service.app)


@contextmanager
def no_log() -> Iterator[None]:
    """Nothing is logged meanwhile: a hundred thousand events help nobody."""

    def drop(*_: Any) -> Any:
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[drop])
    try:
        yield
    finally:
        structlog.configure(**before)
