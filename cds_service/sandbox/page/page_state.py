"""What the page shows, as its address says it, so that every state of it can be sent to somebody as a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.sandbox.fhir_server.stories import Story
from cds_service.sandbox.page.order_choices import PRIORITIES, OrderChoices

SERVERS = ("normal", "slow", "failing", "locked", "locked-out", "none")
_LONGEST = 300  # characters of what somebody typed


@dataclass(frozen=True)
class PageState:
    """One state of the form. What the address does not say, or says wrongly, is as the patient's story begins."""

    base: str
    patient: str
    order: str
    order_system: str
    order_code: str
    order_text: str
    priority: str
    reason: str
    reason_text: str
    hook: str
    prefetch: str
    server: str
    sign: bool
    fire: bool


@dataclass(frozen=True)
class Offer:
    """What the page offers to choose from, for one service. The first of each is usual, but for the patient's story."""

    choices: OrderChoices
    hooks: tuple[str, ...]
    prefetch_modes: Mapping[str, str]  # with what the page says of each

    def order_of(self, story: Story) -> str:
        """The order that a story begins with; the first one where it is of another service."""
        keys = self.choices.order_keys
        return story.order if story.order in keys else keys[0]

    def hook_of(self, story: Story) -> str:
        """The hook that a story begins with."""
        return story.hook if story.hook in self.hooks else self.hooks[0]


def read_state(query: Mapping[str, str], story: Story, offer: Offer, *, must_sign: bool, can_sign: bool) -> PageState:
    """The state in a query string. `story`: of the patient that it names, or the first one."""

    def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
        return query.get(name, "") if query.get(name, "") in choices else default

    def words(name: str) -> str:
        return "".join(char for char in query.get(name, "")[:_LONGEST] if char.isprintable())

    base = words("base")
    fire = one_of("fire", offer.hooks, "")
    return PageState(
        base=base,
        patient=words("patient") if base else story.id,
        order=one_of("order", offer.choices.order_keys, offer.order_of(story)),
        order_system=words("order-system"),
        order_code=words("order-code"),
        order_text=words("order-text"),
        priority=one_of("priority", PRIORITIES, PRIORITIES[0]),
        reason=one_of("reason", offer.choices.reason_keys, offer.choices.reason_keys[0]),
        reason_text=words("reason-text"),
        hook=fire or one_of("hook", offer.hooks, offer.hook_of(story)),
        prefetch=one_of("prefetch", (*offer.prefetch_modes,), "complete"),
        server=one_of("server", SERVERS, SERVERS[0]),
        sign=can_sign and one_of("sign", ("yes", "no"), "yes" if must_sign else "no") == "yes",
        fire=bool(fire),
    )
