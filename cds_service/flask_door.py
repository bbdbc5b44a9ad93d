"""The first door to a hook call: from a request of Flask to a HookCall, and its answer back."""

from __future__ import annotations

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import Rule

from cds_service.cds_hooks.hook_call import HookCall, Services
from cds_service.cds_hooks.http_message import HttpAnswer, HttpRequest, error_answer, json_body
from cds_service.errors import BodyTooLarge, ServiceError
from cds_service.steps import run_steps

_SERVICES = "cds_services"
_ROUTES = (  # what there is, for whoever lists the addresses of the application; then everything else below it
    ("/cds-services", ["GET"]),
    ("/cds-services/<service_id>", ["POST"]),
    ("/cds-services/<service_id>/feedback", ["POST"]),
    ("/cds-services", None),
    ("/cds-services/<path:other>", None),
)


def open_door(app: Flask, services: Services) -> None:
    """Let HookCall answer every request to /cds-services and below, whatever its method."""
    app.extensions[_SERVICES] = services
    for path, methods in _ROUTES:
        app.url_map.add(Rule(path, endpoint="cds_hooks", methods=methods))

    @app.endpoint("cds_hooks")
    def answer(**_: str) -> Response:
        return _response(run_steps(HookCall(services, _read_request()).answer()))


def refuse_hook(error: ServiceError) -> Response:
    """The answer to a request that may be meant for a hook and that Flask does not let through."""
    services: Services = current_app.extensions[_SERVICES]
    return _response(services.complete(_request_with(b""), error_answer(error)))


def read_json_body() -> bytes:
    """The body of the request at hand, not yet decoded. Raises what `json_body` does, but for a large one as Flask."""
    try:
        return json_body(_read_request(), current_app.config["MAX_CONTENT_LENGTH"])
    except BodyTooLarge:
        raise RequestEntityTooLarge from None


def _read_request() -> HttpRequest:
    """The request with its body in one piece. Flask's own reader takes 64 kB at a time, which halves what we serve.

    Of a body that is too large, no more is read than shows it.
    """
    most, length = current_app.config["MAX_CONTENT_LENGTH"], request.content_length
    incoming = request.environ["wsgi.input"]
    if length is not None:
        return _request_with(incoming.read(length) if length <= most else b"")
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    return _request_with(incoming.read(most + 1) if chunked else b"")


def _request_with(body: bytes) -> HttpRequest:
    headers = {name.lower(): text for name, text in request.headers.items()}
    return HttpRequest(request.method, request.path, headers, body, request.content_length)


def _response(answer: HttpAnswer) -> Response:
    return Response(answer.body, answer.status, list(answer.headers))
