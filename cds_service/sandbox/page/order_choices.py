"""What can be ordered on the page, and why: what the topic of a service offers, and what has nothing to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cards.order_catalogue import Choice, CodeableConceptJson, OrderCatalogue, coded

# the display of the CPT code is in our own words
_UNRELATED = (
    Choice(
        "chest-x-ray", "Chest X-ray", coded("http://www.ama-assn.org/go/cpt", "71046", "X-ray of the chest, 2 views")
    ),
    Choice("medication", "Amoxicillin, a medication", {"text": "Amoxicillin 500 mg capsule"}),  # no service order
)
PRIORITIES = ("routine", "urgent", "asap", "stat")


@dataclass(frozen=True)
class OrderChoices:
    """Orders by the heading of their group, and reasons for them. "other": what somebody types."""

    orders: Mapping[str, tuple[Choice, ...]]
    reasons: tuple[Choice, ...]

    @property
    def order_keys(self) -> tuple[str, ...]:
        """The keys of all orders, the first one first."""
        return tuple(choice.key for group in self.orders.values() for choice in group)

    @property
    def reason_keys(self) -> tuple[str, ...]:
        """The keys of all reasons."""
        return tuple(choice.key for choice in self.reasons)

    def order_code(self, key: str) -> CodeableConceptJson | None:
        """The code of an order; None for what somebody types."""
        return next(choice.code for group in self.orders.values() for choice in group if choice.key == key)

    def reason_code(self, key: str) -> CodeableConceptJson | None:
        """The code of a reason; None for none, and for what somebody types."""
        return next(choice.code for choice in self.reasons if choice.key == key)


def order_choices(catalogue: OrderCatalogue) -> OrderChoices:
    """The choices of a topic, what it is silent about, and what somebody types."""
    return OrderChoices(
        orders={
            **catalogue.orders,
            "Nothing to do with it": _UNRELATED,
            "Your own": (Choice("other", "Another code or other words …"),),
        },
        reasons=(Choice("none", "None given"), *catalogue.reasons, Choice("other", "In other words …")),
    )
