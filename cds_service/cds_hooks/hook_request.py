"""The request of a hook call, from CDS Hooks' JSON to structs.

The envelope and the context are decoded strictly, prefetch values stay raw bytes. What is wrong names the field and
what to send.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from cards.evaluate import Triage, triage
from cards.fhir.bundle import BundleRead
from cards.fhir.draft_orders import DraftOrder, NotABundle, read_draft_orders
from cards.fhir.tolerant_reading import ABSENT, is_null
from cards.topic import Topic
from cds_service.errors import BadRequest

# What to send, by JSON path.
_WHAT_TO_SEND = {
    "$": "send one JSON object, as https://cds-hooks.hl7.org/2.0/#calling-a-cds-service describes",
    "$.hook": "send the name of the hook that fired, a string",
    "$.hookInstance": "send a UUID, one for each time the hook fires",
    "$.fhirServer": "send the base URL of the FHIR server, a string",
    "$.fhirAuthorization": "send an object with access_token and token_type, or leave it out",
    "$.fhirAuthorization.token_type": "send Bearer, the one type of token CDS Hooks has",
    "$.context": "send the context of the hook, an object",
    "$.prefetch": "send an object with one FHIR resource, Bundle or null for each prefetch key, or leave it out",
    "$.context.patientId": "send the bare FHIR id of one patient, a string of 1 to 64 letters, digits, dashes and dots",
    "$.context.userId": "send the user as Type/id, a string",
    "$.context.draftOrders": "send a FHIR Bundle with all unsigned orders of the session",
    "$.context.selections": "send a list of Type/id, one for each order that is selected",
}
_LAST_STEP = re.compile(r"(?:\.[^.\[]*|\[[^\]]*\])$")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")  # https://hl7.org/fhir/R4/datatypes.html#id
_MISSING = re.compile(r"Object missing required field `(\w+)`")

PrefetchBytes = msgspec.Raw | BundleRead  # as it came, or decoded with the request


class _Authorization(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme, not a secret


class Envelope(msgspec.Struct, rename="camel"):
    """A request as it is decoded; context and prefetch values stay bytes."""

    hook: str
    hook_instance: str
    context: msgspec.Raw
    fhir_server: str | None = None
    fhir_authorization: _Authorization | None = None
    prefetch: dict[str, msgspec.Raw] | None = None


class _Context(msgspec.Struct, rename="camel"):
    user_id: str
    patient_id: str
    draft_orders: msgspec.Raw
    selections: msgspec.Raw = ABSENT  # read for order-select only: no other hook has it


@dataclass
class HookRequest:
    """One hook call, its envelope checked. `selections` is None for a hook that has none; the token is for this call
    only; `topic`: of the service that is called.
    """

    hook: str
    hook_instance: str
    patient_id: str
    draft_orders: msgspec.Raw
    selections: list[str] | None
    prefetch: Mapping[str, PrefetchBytes]
    fhir_server: str | None
    access_token: str | None
    topic: Topic = field(compare=False)

    def __repr__(self) -> str:
        """Never the content: it is about a patient, and may be traced or logged."""
        return f"<HookRequest {self.hook}>"

    @cached_property
    def orders(self) -> tuple[DraftOrder, ...]:
        """All orders of the session, selected or not. Raises BadRequest where they are no Bundle."""
        try:
            return read_draft_orders(self.draft_orders, self.selections)
        except NotABundle:
            raise BadRequest(
                f"context.draftOrders is not a Bundle: {_WHAT_TO_SEND['$.context.draftOrders']}",
                expression="context.draftOrders",
            ) from None

    @cached_property
    def triage(self) -> Triage | None:
        """Which orders are ours, by what the call itself says of them; None: none. Raises as `orders` does."""
        return triage(self.topic, self.orders)


_ENVELOPE = msgspec.json.Decoder(Envelope)
_CONTEXT = msgspec.json.Decoder(_Context)
_SELECTIONS = msgspec.json.Decoder(list[str])


def decode_request(body: bytes, topic: Topic) -> HookRequest:
    """Decode a call to the service of a topic. Of equal keys the last counts. Raises BadRequest."""
    require_utf8(body)
    envelope: Envelope = _decode(_ENVELOPE, body, "$")
    return check_envelope(envelope, envelope.prefetch or {}, topic)


def require_utf8(body: bytes) -> None:
    """Raises BadRequest for other bytes: what a decoder passes over it does not look at."""
    try:
        body.isascii() or body.decode()
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8: send JSON in UTF-8") from None


def check_envelope(envelope: Envelope, prefetch: Mapping[str, PrefetchBytes], topic: Topic) -> HookRequest:
    """The request of an envelope. Raises BadRequest where it is not as CDS Hooks prescribes."""
    hooks = topic.service.hooks
    if envelope.hook not in hooks:
        raise BadRequest(f"hook: this service has {' and '.join(hooks)}", expression="hook", issue_code="value")
    try:
        hook_instance = str(UUID(envelope.hook_instance))
    except ValueError:
        raise _bad_field("$.hookInstance", "is not a UUID", "value") from None
    if envelope.fhir_authorization and not envelope.fhir_server:
        raise BadRequest(
            "fhirServer is required if fhirAuthorization is sent",
            expression="fhirServer",
            issue_code="required",
        )
    if envelope.fhir_authorization and envelope.fhir_authorization.token_type.lower() != "bearer":
        raise _bad_field("$.fhirAuthorization.token_type", "is not Bearer", "value")
    context: _Context = _decode(_CONTEXT, envelope.context, "$.context")
    for name, text in (("patientId", context.patient_id), ("userId", context.user_id)):
        if not text.strip():
            raise _bad_field(f"$.context.{name}", "is empty", "required")
    if not _FHIR_ID.fullmatch(context.patient_id):  # a FHIR server would take "pat-1,pat-2" for two patients
        raise _bad_field("$.context.patientId", "is not the id of one patient", "value")
    selections: list[str] | None = None
    if envelope.hook == "order-select":
        if context.selections is ABSENT or is_null(context.selections):
            raise _bad_field("$.context.selections", "is missing", "required")
        selections = _decode(_SELECTIONS, context.selections, "$.context.selections")
    return HookRequest(
        envelope.hook,
        hook_instance,
        context.patient_id,
        context.draft_orders,
        selections,
        prefetch,
        envelope.fhir_server or None,
        envelope.fhir_authorization.access_token if envelope.fhir_authorization else None,
        topic,
    )


def _decode(decoder: msgspec.json.Decoder[Any], raw: bytes | msgspec.Raw, root: str) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as cause:
        what, _, where = str(cause).partition(" - at ")
        path = root + where.strip("`").removeprefix("$").removeprefix("key in ")
        missing = _MISSING.fullmatch(what)
        if missing:
            raise _bad_field(f"{path}.{missing[1]}", "is missing", "required") from None
        raise _bad_field(path, f"has the wrong type ({what.replace('`', '')})", "structure") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not JSON in UTF-8 (or nests too deeply): send one JSON object") from None


def _bad_field(path: str, what: str, issue_code: str) -> BadRequest:
    """An error that names the field by the deepest path we know advice for."""
    known = path
    while known not in _WHAT_TO_SEND:
        known = _LAST_STEP.sub("", known)
    name = path.removeprefix("$").lstrip(".")
    diagnostics = f"{name or 'the body'} {what}: {_WHAT_TO_SEND[known]}"
    return BadRequest(diagnostics, expression=name or None, issue_code=issue_code)
