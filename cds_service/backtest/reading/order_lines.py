"""One line of an export as an order: when it was placed, for whom, by whom; or why it is none.

What the order says is read later, and only where it may be ours: until then it stays bytes.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import msgspec

from cards.fhir.dates import read_date
from cards.fhir.patient_check import patient_id
from cards.fhir.resources import CodeableConcept, Period, Reference
from cards.fhir.tolerant_reading import ABSENT, Reader, Unreadable
from cds_service.backtest.plan import PROCEDURE
from cds_service.backtest.rows import UNKNOWN

NOT_PLACED_STATUS = frozenset({"draft", "entered-in-error"})
# What only proposes an order, and what follows from another one (https://hl7.org/fhir/R4/valueset-request-intent.html).
NOT_PLACED_INTENT = frozenset({"proposal", "plan", "option", "reflex-order", "filler-order", "instance-order"})
_NOT_PLACED_PROCEDURE = frozenset({"entered-in-error", "preparation"})
_AUTHORED = re.compile(rb'"authoredOn"\s*:\s*"(\d{4}-\d\d-\d\d)')
_DAY_LENGTH = len("2025-01-01")
_PROCEDURE_ELEMENTS = ("id", "category", "code", "subject", "reasonCode", "reasonReference", "note")


class Unusable(Exception):
    """This line is no order that can be judged. The message is a key to count it under."""


class _Requester(msgspec.Struct, gc=False):
    """A Reference; in STU3 one level down."""

    reference: str | None = None
    agent: Reference | None = None


class OrderLine(msgspec.Struct, rename="camel", gc=False):
    """An order, or a Procedure that stands for one. What says what is ordered, and why, stays bytes (`sieve.py`)."""

    resource_type: str = ""
    id: str | None = None
    status: str | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    category: msgspec.Raw = ABSENT
    subject: Reference | None = None
    authored_on: str | None = None
    requester: _Requester | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
    recorder: Reference | None = None
    code: msgspec.Raw = ABSENT
    item: msgspec.Raw = ABSENT
    type: msgspec.Raw = ABSENT
    service_requested: msgspec.Raw = ABSENT
    specialty: msgspec.Raw = ABSENT
    reason_code: msgspec.Raw = ABSENT
    reason: msgspec.Raw = ABSENT
    reason_codeable_concept: msgspec.Raw = ABSENT
    reason_reference: msgspec.Raw = ABSENT
    note: msgspec.Raw = ABSENT
    notes: msgspec.Raw = ABSENT
    contained: msgspec.Raw = ABSENT

    @property
    def reference(self) -> str:
        """The order as "ServiceRequest/1". Raises Unusable."""
        if not self.id:
            raise Unusable("order-without-id")
        return f"{self.resource_type}/{self.id}"

    @property
    def patient(self) -> str:
        """The id of the patient. Raises Unusable."""
        patient = patient_id(self.subject.reference) if self.subject and self.subject.reference else None
        if patient is None:
            raise Unusable("order-without-patient")
        return patient

    @property
    def was_placed(self) -> bool:
        """Whether this was ever placed as an order."""
        status = (self.status or "").strip().lower()
        if self.resource_type == PROCEDURE:
            return status not in _NOT_PLACED_PROCEDURE
        intent = (self.intent or "").strip().lower()
        return not (self.do_not_perform or status in NOT_PLACED_STATUS or intent in NOT_PLACED_INTENT)

    @property
    def clinician(self) -> str | None:
        """The reference to who placed it. A Procedure has none; who recorded it stands for it."""
        if self.requester is None:
            return self.recorder.reference if self.recorder else None
        return self.requester.reference or (self.requester.agent.reference if self.requester.agent else None)

    def placed_on(self) -> tuple[date, datetime | None]:
        """The UTC day, and the moment where it is known. Raises Unusable."""
        text = self.authored_on
        if self.resource_type == PROCEDURE:
            text = self.performed_date_time or (self.performed_period.start if self.performed_period else None)
        moment = read_moment(text or "")
        if moment:
            return moment.date(), moment
        day = read_date(text or "")
        if day is None or not day.is_exact:
            raise Unusable("order-without-date")
        return day.first, None


_READER = Reader(OrderLine)
_CATEGORIES = Reader(list[CodeableConcept])


def read_order_line(line: bytes, order_types: tuple[str, ...]) -> OrderLine:
    """The order of a line. Raises Unusable."""
    try:
        order, _ = _READER.read(line)
    except Unreadable:
        raise Unusable("line-not-json") from None
    if order.resource_type not in order_types:
        raise Unusable("line-of-another-type")
    return order


def days_around(first_day: date, last_day: date) -> tuple[bytes, bytes]:
    """The period with a day on either side, as bytes: the UTC day of an order may be another one than it says."""
    day = timedelta(days=1)
    return (first_day - day).isoformat().encode(), (last_day + day).isoformat().encode()


def is_certainly_outside(line: bytes, days: tuple[bytes, bytes]) -> bool:
    """Whether these bytes show that the order was placed on no day of `days_around`: they need not be decoded."""
    match = _AUTHORED.search(line)
    if match is None or days[0] <= match[1] <= days[1]:
        return False
    return b'"contained"' not in line


def order_of_procedure(line: bytes) -> bytes:
    """A Procedure as the ServiceRequest that it may have been ordered by. Raises Unusable."""
    try:
        elements = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unusable("line-not-json") from None
    kept = {name: elements[name] for name in _PROCEDURE_ELEMENTS if name in elements}
    return msgspec.json.encode({"resourceType": "ServiceRequest", "intent": "order", **kept})


def read_moment(text: str) -> datetime | None:
    """The moment of a FHIR dateTime, in UTC; None for a date, and for a time without a zone."""
    if len(text) <= _DAY_LENGTH or text[_DAY_LENGTH] != "T":
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def week_of(on: date) -> str:
    """The ISO 8601 week of a day, such as "2025-W07"."""
    year, week, _ = on.isocalendar()
    return f"{year}-W{week:02}"


@lru_cache(maxsize=100_000)
def hash_reference(reference: str, key: bytes) -> int:
    """Stands for a clinician or a patient while they are counted; of no use without the key of the run."""
    return int.from_bytes(blake2b(reference.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), "big")


@lru_cache(maxsize=10_000)
def name_category(categories: bytes) -> str:
    """The first category by its display or code, else its text."""
    try:
        concepts, _ = _CATEGORIES.read(categories)
    except Unreadable:
        return UNKNOWN
    for concept in concepts:
        names = [coding.display or coding.code for coding in concept.coding]
        name = next(filter(None, (*names, concept.text)), None)
        if name:
            return name.strip()
    return UNKNOWN
