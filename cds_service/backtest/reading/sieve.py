"""Which orders of an export can be ours at all: those of which something matches a value set of the topic's orders.

Nearly every order of a hospital has one of a few hundred codes, so each element is judged once and remembered by its
bytes.
"""

from __future__ import annotations

import msgspec

from cards.fhir.resources import CodeableConcept, Order
from cards.fhir.tolerant_reading import ABSENT, Reader, Unreadable
from cards.topic import Topic
from cds_service.backtest.reading.order_lines import OrderLine

_MOST_REMEMBERED = 100_000
_ORDER = Reader(Order)
_WORDS = (
    "code", "item", "type", "service_requested", "specialty", "reason_code", "reason_codeable_concept", "note", "notes",
)  # fmt: skip
_REFERENCES = ("reason_reference", "reason", "contained")


class Sieve:
    """Judges orders of one topic, quickly; what it lets through goes to the topic's own triage."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._remembered: dict[bytes, bool] = {}

    def may_be_ours(self, order: OrderLine) -> bool:
        """Whether anything in this order matches, or a reference leads to something that may."""
        for name in _REFERENCES:
            if getattr(order, name) is not ABSENT:
                return True
        for name in _WORDS:
            raw = getattr(order, name)
            if raw is not ABSENT and self._matches(name, raw):
                return True
        return False

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
