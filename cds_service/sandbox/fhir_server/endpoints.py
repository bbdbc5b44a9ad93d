"""The embedded FHIR server, over HTTP: /sandbox/fhir and /sandbox/fhir-stu3, and each of them slow, failing or locked.

The variant is in the address, so that nothing changes for others. Everything on it is fictional and read-only;
browsers may read it from any origin, so that other CDS Hooks clients can be tried with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import msgspec
from flask import Blueprint, Response, request

from cards.nearest_names import did_you_mean
from cds_service.errors import operation_outcome
from cds_service.sandbox.fhir_server.capability import capability_statement
from cds_service.sandbox.fhir_server.patient_charts import PatientCharts
from cds_service.sandbox.fhir_server.search import Parameters, SearchRefused, find_resource, search

ACCESS_TOKEN = "sandbox-access-token"  # noqa: S105 - what it opens is fictional, and open at the next address
VERSIONS = {"fhir": "R4", "fhir-stu3": "STU3"}
BEHAVIORS = ("", "slow", "failing", "locked")
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Prefer",
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]  # those refused are refused in FHIR's way


@dataclass(frozen=True)
class Base:
    """One address of the embedded server, by its name below /sandbox/, and how it behaves there."""

    name: str
    fhir_version: str
    behavior: str


BASES = {  # every address of the embedded server, by its name
    one.name: one
    for name, version in VERSIONS.items()
    for one in (Base(f"{name}-{how}" if how else name, version, how) for how in BEHAVIORS)
}


@dataclass(frozen=True)
class FhirServer:
    """Answers requests over the charts. `types`: of its resources. `slow_s`: how long the slow address takes."""

    charts: PatientCharts
    types: tuple[str, ...]
    today: Callable[[], date]
    slow_s: float

    def answer(self, base: Base, path: str) -> Response:
        """The answer to the request at hand; `path` is what follows the base."""
        if base.behavior == "slow":
            time.sleep(self.slow_s)
        steps = path.strip("/").split("/")
        if base.behavior == "failing" and steps != ["metadata"]:
            return _refusal(500, "this address of the sandbox always fails: it is there to be tried", "transient")
        if steps != ["metadata"] and base.behavior == "locked" and not _has_token():
            refusal = _refusal(401, "send Authorization: Bearer and the access token of the sandbox", "login")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return refusal
        if _wants_xml():
            return _refusal(406, "this server speaks JSON: ask for application/fhir+json", "not-supported")
        return self._answer(base, steps)

    def _answer(self, base: Base, steps: list[str]) -> Response:
        url = f"{request.host_url.rstrip('/')}/sandbox/{base.name}"
        is_post_search = len(steps) == 2 and steps[1] == "_search"
        if request.method not in (("POST",) if is_post_search else ("GET", "HEAD")):
            allowed = "POST" if is_post_search else "GET"
            refusal = _refusal(405, f"this address takes {allowed}: the server is read-only", "not-supported")
            refusal.headers["Allow"] = allowed
            return refusal
        if steps == ["metadata"]:
            locked = base.behavior == "locked"
            return _json(capability_statement(url, base.fhir_version, self.types, self.today(), token_demanded=locked))
        if steps[0] not in self.types or len(steps) > 2:
            return _refusal(404, f"there is only {', '.join(self.types)} and metadata here", "not-found")
        resources = [*self.charts.resources(base.fhir_version, self.today())]
        if len(steps) == 2 and not is_post_search:
            resource = find_resource(resources, *steps)
            if resource is None:
                known = [one["id"] for one in resources if one["resourceType"] == steps[0]]
                return _refusal(404, f"no {steps[0]} has this id{did_you_mean(steps[1], known)}", "not-found")
            return _json(resource)
        if is_post_search and request.mimetype not in ("application/x-www-form-urlencoded", ""):
            return _refusal(415, "send the parameters as application/x-www-form-urlencoded", "not-supported")
        strict = "handling=strict" in request.headers.get("Prefer", "").replace(" ", "")
        try:
            return _json(search(resources, steps[0], _parameters(), url, strict=strict))
        except SearchRefused as why:
            return _refusal(400, str(why), "invalid")


def fhir_blueprint(server: FhirServer) -> Blueprint:
    """Every address of the embedded server."""
    blueprint = Blueprint("sandbox_fhir", __name__, url_prefix="/sandbox")

    @blueprint.after_request
    def allow_browsers(response: Response) -> Response:
        response.headers.update(_CORS)
        return response

    address = "/<any({}):base>".format(",".join(f"'{name}'" for name in BASES))

    @blueprint.route(address, methods=_METHODS)
    @blueprint.route(f"{address}/<path:path>", methods=_METHODS)
    def answer(base: str, path: str = "") -> Response:
        return server.answer(BASES[base], path)

    return blueprint


def _parameters() -> Parameters:
    return [*request.args.items(multi=True), *request.form.items(multi=True)]


def _has_token() -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and token.strip() == ACCESS_TOKEN


def _wants_xml() -> bool:
    """Whether nothing but XML is wanted: a `_format` or an `Accept` that says JSON in any way, or nothing, is fine."""
    wanted = request.args.get("_format") or request.headers.get("Accept", "")
    return "xml" in wanted and "json" not in wanted and "*/*" not in wanted


def _json(resource: object) -> Response:
    return Response(
        msgspec.json.encode(resource), mimetype="application/fhir+json", headers={"Cache-Control": "no-store"}
    )


def _refusal(status: int, diagnostics: str, issue_code: str) -> Response:
    return Response(operation_outcome(diagnostics, issue_code), status, mimetype="application/fhir+json")
