"""What a backtest asks, in one value that every process gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cards.topic import Topic
from cds_service.backtest.content import ContentPlace, load

ORDER_TYPES = ("ServiceRequest", "ProcedureRequest", "ReferralRequest")  # R4; STU3
PROCEDURE = "Procedure"


@dataclass(frozen=True)
class Plan:
    """`exported_on`: the day to which the export is true. `present_types`: resource types that it has files of.

    `hash_key`: of this run, for who placed an order. `cards_off`: keys of the cards that the site has turned off.
    """

    content: ContentPlace
    first_day: date
    last_day: date
    orders_from: str
    exported_on: date
    present_types: frozenset[str]
    hash_key: bytes
    cards_off: frozenset[str] = frozenset()

    @property
    def order_types(self) -> tuple[str, ...]:
        """The resource types whose lines are orders."""
        return (PROCEDURE,) if self.orders_from == PROCEDURE else ORDER_TYPES

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topic that is served, and the one with the content to compare with, if any."""
        topic, against = load(self.content)
        return (topic,) if against is None else (topic, against)
