"""The body of a request: declared as JSON, in one piece, no larger and no deeper than is taken (R-2.13, R-2.16)."""

from __future__ import annotations

import msgspec
from flask import current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from cds_service.errors import BadRequest, UnsupportedMediaType
from cds_service.json_depth import is_deeper_than

MOST_LEVELS = 64
_JSON = frozenset({"application/json", "application/fhir+json", "application/json+fhir"})


def read_json_body() -> bytes:
    """The body of the request at hand, not yet decoded.

    Raises UnsupportedMediaType (415), RequestEntityTooLarge (413), and BadRequest where the client hung up early.
    """
    _require_json()
    return _read_body()


def refuse_deep(raw: bytes | msgspec.Raw, path: str) -> None:
    """Raises BadRequest where this JSON nests more than 64 levels deep; `path` names it."""
    if is_deeper_than(bytes(raw), MOST_LEVELS):
        raise BadRequest(
            f"{path} nests more than {MOST_LEVELS} levels deep: send FHIR as a server gives it",
            expression=path,
            issue_code="too-costly",
        )


def _read_body() -> bytes:
    """The body in one piece. Flask's own reader takes it in pieces of 64 kB, which halves what one process serves.

    Raises RequestEntityTooLarge (413), and BadRequest where the client hung up early.
    """
    most, length = current_app.config["MAX_CONTENT_LENGTH"], request.content_length
    incoming = request.environ["wsgi.input"]
    if length is None:
        chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
        body: bytes = incoming.read(most + 1) if chunked else b""
        if len(body) > most:
            raise RequestEntityTooLarge
        return body
    if length > most:
        raise RequestEntityTooLarge
    body = incoming.read(length)
    if len(body) < length:
        raise BadRequest("the body is shorter than its Content-Length")
    return body


def _require_json() -> None:
    """Plain JSON in UTF-8 (R-2.13); compressed bodies are not taken, so that no small body unpacks into a large one."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype not in _JSON or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("send the body with Content-Type: application/json, in UTF-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without Content-Encoding: compressed bodies are not taken")
