"""A request and its answer without a web framework, and what a body must be before it is decoded (R-2.13, R-2.16)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from cds_service.errors import BadRequest, BodyTooLarge, ServiceError, UnsupportedMediaType, operation_outcome
from cds_service.json_depth import is_deeper_than

MOST_LEVELS = 64
_JSON = frozenset({"application/json", "application/fhir+json", "application/json+fhir"})
_UTF_8 = frozenset({"utf-8", "utf8"})
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


@dataclass(frozen=True)
class HttpRequest:
    """A request. `path`: percent-decoded; `headers`: names in lower case; `body`: whole, if it is not too large.

    `length`: of the body in bytes, as its head declares it; None where only the end of the body shows it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    length: int | None = None

    def __repr__(self) -> str:
        """Never the headers or the body: they hold a token, and are about a patient."""
        return f"<HttpRequest {self.method}>"


@dataclass(frozen=True)
class HttpAnswer:
    """A complete answer. A name may stand in `headers` more than once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_answer(body: bytes, *headers: tuple[str, str]) -> HttpAnswer:
    """A body of JSON, with 200."""
    return HttpAnswer(200, (("Content-Type", "application/json"), *headers), body)


def error_answer(error: ServiceError) -> HttpAnswer:
    """The OperationOutcome of an error, with its status and headers (R-4.60)."""
    body = operation_outcome(error.diagnostics, error.issue_code, error.expression)
    return HttpAnswer(error.status, (("Content-Type", "application/fhir+json"), *error.headers.items()), body)


def is_known(request: HttpRequest, etag: str) -> bool:
    """Whether the client has the document of this ETag already (https://www.rfc-editor.org/rfc/rfc9110#field.if-none-match).

    A weak ETag counts: proxies that compress make one of ours.
    """
    sent = [name.strip().removeprefix("W/") for name in request.headers.get("if-none-match", "").split(",")]
    return etag in sent or sent == ["*"]


def json_body(request: HttpRequest, most_bytes: int) -> bytes:
    """The body of a request, not yet decoded: plain JSON in UTF-8, in one piece.

    Compressed bodies are not taken, so that no small body unpacks into a large one. Raises UnsupportedMediaType (415),
    BodyTooLarge (413), and BadRequest (400) where the client hung up early.
    """
    content_type = request.headers.get("content-type", "")
    charset = _CHARSET.search(content_type)
    if content_type.partition(";")[0].strip().lower() not in _JSON or (charset and charset[1].lower() not in _UTF_8):
        raise UnsupportedMediaType("send the body with Content-Type: application/json, in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without Content-Encoding: compressed bodies are not accepted")
    if max(request.length or 0, len(request.body)) > most_bytes:
        raise BodyTooLarge
    if len(request.body) < (request.length or 0):
        raise BadRequest("the body is shorter than its Content-Length")
    return request.body


def refuse_deep(raw: bytes | msgspec.Raw, path: str) -> None:
    """Raises BadRequest where this JSON nests more than 64 levels deep; `path` names it."""
    if is_deeper_than(bytes(raw), MOST_LEVELS):
        raise BadRequest(
            f"{path} nests more than {MOST_LEVELS} levels deep: send FHIR as a server returns it",
            expression=path,
            issue_code="too-costly",
        )
