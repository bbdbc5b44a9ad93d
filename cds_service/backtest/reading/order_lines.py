"""One line of an export as an order that was placed: when, for whom, by whom; or why it is none.

What the line says of the order itself is read later, and only where it may be ours.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

import msgspec

from cards.fhir.dates import read_date
from cards.fhir.patient_check import patient_id
from cards.fhir.resources import CodeableConcept, Period, Reference
from cards.fhir.tolerant_reading import Reader, Unreadable
from cds_service.backtest.plan import PROCEDURE
from cds_service.backtest.rows import UNKNOWN, PlacedOrder

NOT_PLACED_STATUS = frozenset({"draft", "entered-in-error"})
# What only proposes an order, and what follows from another one (https://hl7.org/fhir/R4/valueset-request-intent.html).
NOT_PLACED_INTENT = frozenset({"proposal", "plan", "option", "reflex-order", "filler-order", "instance-order"})
_AUTHORED = re.compile(rb'"authoredOn"\s*:\s*"(\d{4}-\d\d-\d\d)')
_TIME_WITH_ZONE = re.compile(r"T\d\d:\d\d\S*(?:Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)


class Unusable(Exception):
    """This line is no order that can be judged. The message is a key to count it under."""


class _Agent(msgspec.Struct):
    agent: Reference | None = None  # STU3


class _Requester(_Agent):
    reference: str | None = None


class _PlacedOrder(msgspec.Struct, rename="camel", gc=False):
    """The elements that say when, for whom and by whom, in R4 and STU3, for an order and for a Procedure."""

    resource_type: str = ""
    id: str | None = None
    status: str | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    category: list[CodeableConcept] = []
    subject: Reference | None = None
    authored_on: str | None = None
    requester: _Requester | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    recorder: Reference | None = None


_READER = Reader(_PlacedOrder)
_PROCEDURE_ELEMENTS = ("id", "category", "code", "subject", "reasonCode", "reasonReference", "note")


def is_certainly_outside(line: bytes, first_day: date, last_day: date) -> bool:
    """Whether these bytes show that the order was placed on another day, so that they need not be decoded.

    A day on either side is let through: the UTC day may be another one.
    """
    match = _AUTHORED.search(line)
    if match is None or b'"contained"' in line:
        return False
    day = match[1].decode()
    return day < (first_day - timedelta(days=1)).isoformat() or day > (last_day + timedelta(days=1)).isoformat()


def read_order_line(line: bytes, order_types: tuple[str, ...], hash_key: bytes) -> tuple[PlacedOrder, bool]:
    """The order of a line, and whether it was ever placed as an order. Raises Unusable."""
    try:
        order, _ = _READER.read(line)
    except Unreadable:
        raise Unusable("line-not-json") from None
    if order.resource_type not in order_types:
        raise Unusable("line-of-another-type")
    text = order.authored_on or ""
    if order.resource_type == PROCEDURE:
        text = order.performed_date_time or (order.performed_period and order.performed_period.start) or ""
    day = read_date(text)
    if day is None or not day.is_exact:
        raise Unusable("order-without-date")
    patient = patient_id((order.subject and order.subject.reference) or "")
    if patient is None:
        raise Unusable("order-without-patient")
    if not order.id:
        raise Unusable("order-without-id")
    placed = PlacedOrder(
        f"{order.resource_type}/{order.id}",
        line,
        patient,
        day.first,
        instant(text),
        _category(order.category),
        hash_reference(who, hash_key) if (who := _who(order)) else None,
    )
    return placed, _was_placed(order)


def order_of_procedure(line: bytes) -> bytes:
    """A Procedure as the ServiceRequest that it may have been ordered by. Raises Unusable."""
    try:
        elements = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unusable("line-not-json") from None
    kept = {name: elements[name] for name in _PROCEDURE_ELEMENTS if name in elements}
    return msgspec.json.encode({"resourceType": "ServiceRequest", "intent": "order", **kept})


def instant(text: str) -> datetime | None:
    """The moment of a FHIR dateTime, in UTC; None for a date, and for a time without a zone."""
    if not _TIME_WITH_ZONE.search(text.strip()):
        return None
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_in_period(on: date, first_day: date, last_day: date) -> bool:
    return first_day <= on <= last_day


def week_of(on: date) -> str:
    """The ISO 8601 week of a day, such as "2025-W07"."""
    year, week, _ = on.isocalendar()
    return f"{year}-W{week:02}"


def _was_placed(order: _PlacedOrder) -> bool:
    status, intent = ((text or "").strip().lower() for text in (order.status, order.intent))
    if order.resource_type == PROCEDURE:
        return status not in {"entered-in-error", "preparation"}
    return not (order.do_not_perform or status in NOT_PLACED_STATUS or intent in NOT_PLACED_INTENT)


def _who(order: _PlacedOrder) -> str | None:
    """The reference to who placed the order. A Procedure has none; who recorded it stands for it."""
    requester = order.requester
    if requester is None:
        return order.recorder.reference if order.recorder else None
    return requester.reference or (requester.agent.reference if requester.agent else None)


def hash_reference(reference: str, key: bytes) -> int:
    """Stands for a clinician or a patient while they are counted; of no use without the key of the run."""
    return int.from_bytes(blake2b(reference.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), "big")


def _category(categories: list[CodeableConcept]) -> str:
    """The first category by its display or code, else its text."""
    for category in categories:
        names = [coding.display or coding.code for coding in category.coding]
        name = next(filter(None, (*names, category.text)), None)
        if name:
            return name.strip()
    return UNKNOWN
