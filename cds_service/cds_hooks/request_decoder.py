"""Decodes hook calls, and a chart that will be needed in the same pass as the rest.

Clients send prefetch last, and it is nearly all of a request. So the orders before it are judged first: where one is
ours, the Bundles of prefetch are decoded with the request, instead of passed over now and decoded later. Only which
decoder goes first depends on this, never the answer (ADR 16).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cards.evaluate import Triage, triage
from cards.fhir.bundle import read_decoded
from cards.fhir.draft_orders import DraftOrder, NotABundle, read_draft_orders
from cards.fhir.resources import Bundle
from cards.topic import Topic
from cds_service.cds_hooks.request_body import refuse_deep
from cds_service.cds_hooks.wire import (
    Envelope,
    HookRequest,
    PrefetchBytes,
    check_envelope,
    decode_request,
    require_utf8,
)
from cds_service.errors import BadRequest

_PREFETCH = b'"prefetch"'
_WORTH_A_LOOK = 16_000  # bytes; what stands before prefetch is decoded twice, which a small request does not earn back
_NULL = msgspec.Raw(b"null")


@dataclass(frozen=True)
class EarlyLook:
    """What the members before prefetch tell: the request without it, its orders, and what of them is ours."""

    call: HookRequest
    orders: tuple[DraftOrder, ...]
    found: Triage | None

    def holds_for(self, call: HookRequest) -> bool:
        """Whether the whole request says the same: members that come after prefetch may say otherwise."""
        return self.call == replace(call, prefetch={})


class RequestDecoder:
    """Decodes calls to the service of a topic. `bundles`: the prefetch keys that hold the Bundles of a chart."""

    def __init__(self, topic: Topic, bundles: Collection[str]) -> None:
        self._topic = topic
        self._hooks = topic.service.hooks
        self._bundles = frozenset(bundles)
        chart = msgspec.defstruct("_Chart", [self._field(key) for key in topic.service.prefetch], gc=False)
        envelope = msgspec.defstruct("_Whole", [("prefetch", chart | None, None)], bases=(Envelope,), rename="camel")
        self._whole = msgspec.json.Decoder(envelope)

    def _field(self, key: str) -> tuple[str, Any, Any]:
        if key in self._bundles:
            return key, Bundle | None, msgspec.UNSET
        return key, msgspec.Raw, msgspec.UNSET

    def decode(self, body: bytes) -> tuple[HookRequest, EarlyLook | None]:
        """The request, and what was seen of its orders on the way, if anything. Raises BadRequest."""
        look = self._look(body)
        call = self._decode_whole(body) if look and look.found else None
        if call is None:
            call = decode_request(body, self._hooks)
        return call, look if look and look.holds_for(call) else None

    def _look(self, body: bytes) -> EarlyLook | None:
        """What stands before the first `"prefetch"`, which is a list of members if it decodes with a brace after it."""
        at = body.find(_PREFETCH)
        if at < 0 or len(body) - at < _WORTH_A_LOOK:
            return None
        try:
            call = decode_request(body[:at].rstrip(b" \t\r\n,") + b"}", self._hooks)
            refuse_deep(call.draft_orders, "context.draftOrders")
            orders = read_draft_orders(call.draft_orders, call.selections)
        except (BadRequest, NotABundle):  # whatever is wrong is told of the whole request
            return None
        return EarlyLook(call, orders, triage(self._topic, orders))

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
        return check_envelope(envelope, prefetch, self._hooks)
