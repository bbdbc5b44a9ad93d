"""What the page shows, as its address says it, so that every state of it can be sent to somebody as a link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.sandbox.ehr import MODES
from cds_service.sandbox.order_catalogue import ORDER_KEYS, PRIORITIES, REASON_KEYS
from cds_service.sandbox.stories import Stories

HOOKS = ("order-sign", "order-select")
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


def read_state(query: Mapping[str, str], stories: Stories, *, must_sign: bool, can_sign: bool) -> PageState:
    """The state that a query string asks for."""

    def one_of(name: str, choices: tuple[str, ...], default: str) -> str:
        return query.get(name, "") if query.get(name, "") in choices else default

    def words(name: str) -> str:
        return "".join(char for char in query.get(name, "")[:_LONGEST] if char.isprintable())

    base = words("base")
    story = stories.find(query.get("patient", "")) or stories.patients[0]
    fire = one_of("fire", HOOKS, "")
    return PageState(
        base=base,
        patient=words("patient") if base else story.id,
        order=one_of("order", ORDER_KEYS, story.order),
        order_system=words("order-system"),
        order_code=words("order-code"),
        order_text=words("order-text"),
        priority=one_of("priority", PRIORITIES, PRIORITIES[0]),
        reason=one_of("reason", REASON_KEYS, REASON_KEYS[0]),
        reason_text=words("reason-text"),
        hook=fire or one_of("hook", HOOKS, story.hook),
        prefetch=one_of("prefetch", MODES, MODES[0]),
        server=one_of("server", SERVERS, SERVERS[0]),
        sign=can_sign and one_of("sign", ("yes", "no"), "yes" if must_sign else "no") == "yes",
        fire=bool(fire),
    )
