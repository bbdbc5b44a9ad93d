"""An answer without cards in words: what its status means, what the server says, what to check."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cds_service.ehr_simulator.http_client import Answer, CallFailed, NotJson
from cds_service.terminal import in_one_line, objects_in

_SHOWN_CLAIMS = (
    "iss",
    "aud",
    "tenant",
)  # which a service compares with its registry
_MEANINGS = {
    400: "the service does not accept this request",
    401: "it does not accept this caller",
    403: "this client is not allowed to call it",
    404: "there is no such service",
    405: "this address does not accept this method",
    406: "it cannot answer in JSON",
    412: "it cannot get the FHIR data that it needs",
    413: "the request is too large",
    415: "it does not accept this media type",
    422: "the request is well formed, but cannot be processed",
    429: "it was called too often",
    503: "it is unavailable now",
}


def refusal(answer: Answer, what: str, headers: Mapping[str, str], services: Sequence[object] = ()) -> CallFailed:
    """`what` was called; `headers` are those that were sent; `services`: what the discovery document lists."""
    meaning = _MEANINGS.get(answer.status, "the server failed" if answer.status >= 500 else "no answer with cards")
    if 300 <= answer.status < 400:
        meaning = "it redirects, and redirects are not followed"
    advice = [f"It says: {words}" for words in server_words(answer)]
    advice += _advice(answer, headers)
    if answer.status == 404:
        advice += [f"It lists {service}" for service in services]
    return CallFailed(f"{what} answered {answer.status}: {meaning}", advice)


def server_words(answer: Answer) -> Iterator[str]:
    """The issues of an OperationOutcome, or the message of a JSON error."""
    try:
        body = answer.read_json()
    except NotJson:
        return
    if not isinstance(body, dict):
        return
    for issue in objects_in(body.get("issue")):
        yield from _issue_words(issue)
    for name in ("message", "error_description", "error", "detail", "title"):
        if isinstance(body.get(name), str):
            yield in_one_line(body[name])
            return


def _issue_words(issue: Mapping[str, Any]) -> Iterator[str]:
    details = issue.get("details")
    text = details.get("text") if isinstance(details, dict) else None
    words = [word for word in (issue.get("diagnostics"), text) if isinstance(word, str)]
    if not words and isinstance(issue.get("code"), str):
        words = [issue["code"]]
    where = issue.get("expression") or issue.get("location")
    at = f" (at {', '.join(map(str, where))})" if isinstance(where, list) else ""
    if words:
        yield in_one_line(" – ".join(dict.fromkeys(words)) + at)


def _advice(answer: Answer, headers: Mapping[str, str]) -> Iterator[str]:
    location = answer.headers.get("location")
    if 300 <= answer.status < 400 and location:
        yield f"It redirects to {in_one_line(location.partition('?')[0])}: use that address if you trust it."
    if answer.status == 401:
        yield from _about_token(headers)
    if answer.status == 405 and "allow" in answer.headers:
        yield f"It accepts {in_one_line(answer.headers['allow'])}."
    if answer.status in (429, 503) and "retry-after" in answer.headers:
        yield f"It can be called again after {in_one_line(answer.headers['retry-after'])}."
    if answer.status == 412:
        yield "Send the data (without --partial or --no-prefetch), or let the service reach the FHIR server."


def _about_token(headers: Mapping[str, str]) -> Iterator[str]:
    """The claims and key that a service compares, never the token."""
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    if not token:
        yield "No token was sent. Use --key FILE --issuer URL to sign one."
        return
    head, claims = (_decoded(part) for part in token.split(".")[:2])
    members = [f"{name} {claims[name]}" for name in _SHOWN_CLAIMS if name in claims]
    members += [f"{name} {head[name]}" for name in ("kid", "alg")]
    yield f"Claims and key of the token: {', '.join(members)}."
    yield "The service must know this issuer and this kid, and aud must be exactly the URL that it expects."
    yield "If its public URL is not the one that was called, use --audience URL."
    yield "A service does not say why. This project's service logs it as cds_hooks.token.refused, and"
    yield "`cds-service doctor`, run with its settings, lists its clients."


def _decoded(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members
