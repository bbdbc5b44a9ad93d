"""An answer without cards, in words: what the status means here, what the server said, what to look at."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cds_service.ehr_simulator.http_client import Answer, CallFailed, NotJson, objects_in
from cds_service.terminal import in_one_line

_TOLD = ("iss", "aud", "tenant")  # claims of our own token that a service compares with what is registered there
_MEANINGS = {
    400: "the request is not what it takes",
    401: "it does not take who is calling",
    403: "this client is not allowed to call it",
    404: "there is no such service",
    405: "this address takes no such call",
    406: "it cannot answer in JSON",
    412: "it cannot get the FHIR data that it needs",
    413: "the request is too large",
    415: "it does not take this type of body",
    422: "the request is well formed, and of no use to it",
    429: "it was called too often",
    503: "it is not available now",
}


def refusal(answer: Answer, what: str, headers: Mapping[str, str], services: Sequence[object] = ()) -> CallFailed:
    """`what` was called; `headers` are those that were sent; `services`: what the discovery document lists."""
    meaning = _MEANINGS.get(answer.status, "it broke on its side" if answer.status >= 500 else "no answer with cards")
    if 300 <= answer.status < 400:
        meaning = "it sends the caller elsewhere, which is not followed"
    advice = [f"It says: {words}" for words in server_words(answer)]
    advice += _advice(answer, headers)
    if answer.status == 404:
        advice += [f"It lists {one}" for one in services]
    return CallFailed(f"{what} answered {answer.status}: {meaning}", advice)


def server_words(answer: Answer) -> Iterator[str]:
    """The issues of an OperationOutcome, else the message of a JSON error; nothing of anything else."""
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
    said = [one for one in (issue.get("diagnostics"), text) if isinstance(one, str)]
    if not said and isinstance(issue.get("code"), str):
        said = [issue["code"]]
    where = issue.get("expression") or issue.get("location")
    at = f" (at {', '.join(map(str, where))})" if isinstance(where, list) else ""
    if said:
        yield in_one_line(" – ".join(dict.fromkeys(said)) + at)


def _advice(answer: Answer, headers: Mapping[str, str]) -> Iterator[str]:
    location = answer.headers.get("location")
    if 300 <= answer.status < 400 and location:
        yield f"It points to {in_one_line(location.partition('?')[0])}: give that address, if you trust it."
    if answer.status == 401:
        yield from _about_token(headers)
    if answer.status == 405 and "allow" in answer.headers:
        yield f"It takes {in_one_line(answer.headers['allow'])}."
    if answer.status in (429, 503) and "retry-after" in answer.headers:
        yield f"It asks to be called again after {in_one_line(answer.headers['retry-after'])}."
    if answer.status == 412:
        yield "Send the data along (without --partial or --no-prefetch), or let the service reach the FHIR server."


def _about_token(headers: Mapping[str, str]) -> Iterator[str]:
    """What the token said of itself, never the token."""
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    if not token:
        yield "No token was sent: --sign-with KEY --issuer URL signs one."
        return
    head, claims = (_decoded(part) for part in token.split(".")[:2])
    told = [f"{name} {claims[name]}" for name in _TOLD if name in claims]
    told += [f"{name} {head[name]}" for name in ("kid", "alg")]
    yield f"The token said: {', '.join(told)}."
    yield "The service must know this issuer, this key by its kid, and this very aud as its own public address."
    yield "A service gives no reason (R-6.15). This project's own has it in its log, as cds_hooks.token.refused; and"
    yield "`cds-service doctor`, run beside it, lists the clients that it knows."


def _decoded(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members
