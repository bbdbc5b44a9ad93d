"""Which orders of an export can be ours at all: those of which something matches a value set of the topic's orders.

Nearly every order of a hospital has one of a few hundred codes, so each element is judged once and remembered by its
bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cards.fhir.resources import CodeableConcept, Order
from cards.fhir.tolerant_reading import ABSENT, Reader, Unreadable
from cards.topic import Topic

_MOST_REMEMBERED = 100_000
_ORDER = Reader(Order)
_WORDS = (
    "code", "item", "type", "service_requested", "specialty", "reason_code", "reason", "reason_codeable_concept",
    "note", "notes",
)  # fmt: skip
_REFERENCES = ("reason_reference", "reason", "contained")
_Elements: Any = msgspec.defstruct(
    "_Elements",
    [(name, msgspec.Raw, ABSENT) for name in dict.fromkeys((*_WORDS, *_REFERENCES))],
    rename="camel",
    gc=False,
)
_DECODER = msgspec.json.Decoder(_Elements)


class Sieve:
    """Judges orders of one topic, quickly; what it lets through goes to the topic's own triage."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._remembered: dict[bytes, bool] = {}

    def may_be_ours(self, order: bytes) -> bool:
        """Whether anything in this order matches, or a reference leads to something that may."""
        try:
            elements = _DECODER.decode(order)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return True  # of an odd shape: read tolerantly later
        if any(getattr(elements, name) is not ABSENT for name in _REFERENCES):
            return True
        return any(self._matches(name, raw) for name in _WORDS if (raw := getattr(elements, name)) is not ABSENT)

    def _matches(self, name: str, raw: msgspec.Raw) -> bool:
        key = b"%b:%b" % (name.encode(), bytes(raw))
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = self._remembered[key] = self._judge(name, raw)
        return known

    def _judge(self, name: str, raw: msgspec.Raw) -> bool:
        first, *others = name.split("_")
        element = first + "".join(word.title() for word in others)
        try:
            order, _ = _ORDER.read(b'{"%b":%b}' % (element.encode(), bytes(raw)))
        except Unreadable:
            return True
        concepts = [*order.what(), *order.concepts(), *(CodeableConcept(text=text) for text in order.note_texts())]
        return any(self._topic.orders.match_all(concepts)) if concepts else False
