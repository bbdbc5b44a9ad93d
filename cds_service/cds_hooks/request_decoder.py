"""Decodes hook calls, and a chart that will be needed in the same pass as the rest.

Clients send prefetch last, and it is nearly all of a request. So the orders before it are judged first: where one is
ours, the Bundles of prefetch are decoded with the request, instead of passed over now and decoded later. Only which
decoder goes first depends on this, never the answer (ADR 16).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from cards.fhir.bundle import read_decoded
from cards.fhir.resources import Bundle
from cards.topic import Topic
from cds_service.cds_hooks.hook_request import (
    Envelope,
    HookRequest,
    PrefetchBytes,
    check_envelope,
    decode_request,
    require_utf8,
)
from cds_service.cds_hooks.http_message import refuse_deep
from cds_service.errors import BadRequest

_PREFETCH = b'"prefetch"'
_WORTH_A_LOOK = 16_000  # bytes; what stands before prefetch is decoded twice, which a small request does not earn back
_NULL = msgspec.Raw(b"null")


class RequestDecoder:
    """Decodes the calls of one service."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        chart = msgspec.defstruct("_Chart", [self._field(key) for key in topic.service.prefetch], gc=False)
        envelope = msgspec.defstruct("_Whole", [("prefetch", chart | None, None)], bases=(Envelope,), rename="camel")
        self._whole = msgspec.json.Decoder(envelope)

    def _field(self, key: str) -> tuple[str, Any, Any]:
        if key in self._topic.service.resource_types:
            return key, Bundle | None, msgspec.UNSET
        return key, msgspec.Raw, msgspec.UNSET

    def decode(self, body: bytes) -> HookRequest:
        """The request. Raises BadRequest."""
        head, is_ours = self._decode_head(body)
        whole = self._decode_whole(body) if is_ours else None
        if whole is None:
            whole = decode_request(body, self._topic)
        if head is None or head != replace(whole, prefetch={}):  # members after prefetch may say something else
            return whole
        head.prefetch = whole.prefetch  # of which the orders are read and judged already
        return head

    def _decode_head(self, body: bytes) -> tuple[HookRequest | None, bool]:
        """What stands before the first `"prefetch"`, and whether an order of it is ours.

        It is a list of members if it decodes with a brace after it. None where it does not, or is not worth the time.
        """
        at = body.find(_PREFETCH)
        if at < 0 or len(body) - at < _WORTH_A_LOOK:
            return None, False
        try:
            head = decode_request(body[:at].rstrip(b" \t\r\n,") + b"}", self._topic)
            refuse_deep(head.draft_orders, "context.draftOrders")
            return head, head.triage is not None
        except BadRequest:  # whatever is wrong will be said of the whole request
            return None, False

    def _decode_whole(self, body: bytes) -> HookRequest | None:
        """The request with its Bundles; None where it, or one of them, is not as FHIR and CDS Hooks have it."""
        require_utf8(body)
        try:
            envelope: Any = self._whole.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        prefetch: dict[str, PrefetchBytes] = {}
        for key in self._topic.service.prefetch:
            value = getattr(envelope.prefetch, key, msgspec.UNSET)
            if isinstance(value, Bundle):
                read = read_decoded(value) if value.resource_type == "Bundle" else None
                if read is None:
                    return None
                prefetch[key] = read
            elif value is None:
                prefetch[key] = _NULL
            elif value is not msgspec.UNSET:
                prefetch[key] = value
        return check_envelope(envelope, prefetch, self._topic)
