"""What the page shows, as its address says it, so that every state of it can be sent to somebody as a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cards.nearest_names import nearest_names
from cds_service.sandbox.fhir_server.stories import Story
from cds_service.sandbox.page.order_choices import PRIORITIES, OrderChoices

SERVERS = ("normal", "slow", "failing", "locked", "locked-out", "none")
_LONGEST = 300  # characters of what somebody typed


@dataclass(frozen=True)
class UnknownValue:
    """A value in the address that the page does not have, by the name of its parameter. `nearest`: may be meant."""

    name: str
    value: str
    known: Sequence[str]

    @property
    def nearest(self) -> str | None:
        return next(iter(nearest_names(self.value, self.known)), None)


@dataclass(frozen=True)
class PageState:
    """One state of the form. What the address does not say, or says wrongly, is as the patient's story begins.

    `patient` is empty, and nothing is fired, where the address names a patient who is not there. `unknown`: everything
    that it says wrongly; nothing is fired then, either.
    """

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
    unknown: tuple[UnknownValue, ...] = ()

    def as_form(self) -> dict[str, str]:
        """The state as the script of the page reads it from the form."""
        return {
            "base": self.base,
            "patient": self.patient,
            "order": self.order,
            "order-system": self.order_system,
            "order-code": self.order_code,
            "order-text": self.order_text,
            "priority": self.priority,
            "reason": self.reason,
            "reason-text": self.reason_text,
            "prefetch": self.prefetch,
            "server": self.server,
            "sign": "yes" if self.sign else "no",
        }


@dataclass(frozen=True)
class Offer:
    """What the page offers to choose from, for one service. The first of each is usual, but for the patient's story."""

    choices: OrderChoices
    hooks: tuple[str, ...]
    prefetch_modes: Mapping[str, str]  # with what the page says of each

    def order_of(self, story: Story | None) -> str:
        """The order that a story begins with; the first one where it is of another service."""
        keys = self.choices.order_keys
        return story.order if story and story.order in keys else keys[0]

    def hook_of(self, story: Story | None) -> str:
        """The hook that a story begins with."""
        return story.hook if story and story.hook in self.hooks else self.hooks[0]


def read_state(
    query: Mapping[str, str],
    stories: Sequence[Story],
    offer: Offer,
    services: Sequence[str],
    *,
    must_sign: bool,
    can_sign: bool,
) -> PageState:
    """The state in a query string; an empty one is the first story, answered."""
    unknown: list[UnknownValue] = []

    def words(name: str) -> str:
        return "".join(char for char in query.get(name, "")[:_LONGEST] if char.isprintable())

    def one_of(name: str, choices: Sequence[str], default: str) -> str:
        value = words(name)
        if value and value not in choices:
            unknown.append(UnknownValue(name, value, choices))
        return value if value in choices else default

    base = words("base")
    one_of("service", services, "")
    patient = words("patient") if base else one_of("patient", [story.id for story in stories], "")
    is_new = not any(value for name, value in query.items() if name != "service")
    named = words("patient") and not base
    story = next((story for story in stories if story.id == patient), None if named or base else stories[0])
    fire = one_of("fire", offer.hooks, offer.hook_of(story) if is_new else "")
    state = PageState(
        base=base,
        patient=patient if base or story is None else story.id,
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
        sign=one_of("sign", ("yes", "no"), "yes" if must_sign else "no") == "yes" and can_sign,
        fire=bool(fire),
    )
    return replace(state, fire=state.fire and not unknown, unknown=tuple(unknown))
