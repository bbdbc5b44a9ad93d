"""The mix of calls: what a hospital sends in a day, and what it should never send."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from bench.harness.bodies import order_with_cards, unrelated_order, work_up_order
from bench.harness.server import SERVICE
from tests.token_forge import Forge

NewForge = Callable[[str], Forge]  # a forge for a token for this path

_SAME_INSTANCE = b"8f1f0e5e-6a3d-4c1b-9a55-0e6d5f1c2b3a"  # of all bodies of bench.harness.bodies
_FEEDBACK = f"{SERVICE}/feedback"
_LAST_CARDS = 2_000
_ACCESS = {"access_token": "fictional", "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
_TOO_LARGE = 9_000_000  # bytes; announced, and not sent


@dataclass(frozen=True)
class Call:
    """One request. `status`: the only one that it may be answered with; `shows_cards`: its answer has some.

    `body`: None for none. If only its length is announced, only the head is sent.
    """

    kind: str
    status: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    shows_cards: bool = False
    is_only_announced: bool = False


@dataclass
class Mix:
    """Generates calls. `fhir_server` and `dead_server`: base URLs that are registered for the client."""

    new_forge: NewForge
    fhir_server: str
    dead_server: str
    dice: random.Random
    cards: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_CARDS))

    def __post_init__(self) -> None:
        self._unrelated, self._large = unrelated_order(50), unrelated_order(1_000)
        self._cards_order, self._work_up = order_with_cards(50), work_up_order(50)
        self._shares: dict[Callable[[], Call], int] = {
            self._unrelated_order: 400,
            self._large_order: 10,
            self._order_with_cards: 180,
            self._order_in_new_words: 60,
            self._work_up_order: 120,
            self._order_whose_chart_is_read: 30,
            self._order_whose_server_is_down: 10,
            self._feedback: 100,
            self._discovery: 20,
            self._without_token: 15,
            self._expired: 10,
            self._changed_token: 10,
            self._broken_json: 15,
            self._unknown_service: 10,
            self._wrong_method: 5,
            self._wrong_type: 3,
            self._too_large: 2,
        }

    def next(self) -> Call:
        """A call of any kind, with the odds of its share."""
        (make,) = self.dice.choices(list(self._shares), list(self._shares.values()))
        return make()

    def _post(self, kind: str, body: bytes, status: int = 200, path: str = SERVICE, **options: bool) -> Call:
        return Call(kind, status, "POST", path, self._headers(path), body, **options)

    def _headers(self, path: str) -> dict[str, str]:
        return {"Authorization": self.new_forge(path).bearer(), "Content-Type": "application/json"}

    def _order(self, kind: str, template: bytes, *, shows_cards: bool) -> Call:
        body = template.replace(_SAME_INSTANCE, str(uuid4()).encode())
        return self._post(kind, body, shows_cards=shows_cards)

    def _unrelated_order(self) -> Call:
        return self._order("unrelated order", self._unrelated, shows_cards=False)

    def _large_order(self) -> Call:
        return self._order("unrelated order, 1 MB", self._large, shows_cards=False)

    def _order_with_cards(self) -> Call:
        return self._order("order with cards", self._cards_order, shows_cards=True)

    def _order_in_new_words(self) -> Call:
        """Fifty texts that no call had before: the cache of texts must stay bounded."""
        words = f", case {uuid4()}, entry ".encode()
        return self._order(
            "order with cards, new texts", self._cards_order.replace(b", entry ", words), shows_cards=True
        )

    def _work_up_order(self) -> Call:
        return self._order("work-up", self._work_up, shows_cards=True)

    def _order_whose_chart_is_read(self) -> Call:
        return self._order("order with cards, chart read", self._without_chart(self.fhir_server), shows_cards=True)

    def _order_whose_server_is_down(self) -> Call:
        return self._order("order with cards, server down", self._without_chart(self.dead_server), shows_cards=True)

    def _without_chart(self, server: str) -> bytes:
        call = json.loads(self._cards_order)
        del call["prefetch"]
        return json.dumps(call | {"fhirServer": server, "fhirAuthorization": _ACCESS}).encode()

    def _feedback(self) -> Call:
        """On a card that was shown, or on an unknown card if none was shown yet."""
        card = self.cards.pop() if self.cards else str(uuid4())
        entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
        return self._post("feedback", json.dumps({"feedback": [entry]}).encode(), path=_FEEDBACK)

    def _discovery(self) -> Call:
        return Call("discovery", 200, "GET", "/cds-services", self._headers("/cds-services"))

    def _without_token(self) -> Call:
        headers = {"Content-Type": "application/json"}
        return Call("no token", 401, "POST", SERVICE, headers, self._unrelated)

    def _expired(self) -> Call:
        forge = self.new_forge(SERVICE)
        bearer = forge.bearer(iat=int(forge.now_s) - 900, exp=int(forge.now_s) - 600)
        return self._with_bearer("expired token", bearer)

    def _changed_token(self) -> Call:
        """The claims of another token under this signature."""
        one, other = (self.new_forge(SERVICE).bearer() for _ in range(2))
        head, _, signature = one.split(".")
        return self._with_bearer("changed token", ".".join((head, other.split(".")[1], signature)))

    def _with_bearer(self, kind: str, bearer: str) -> Call:
        headers = {"Content-Type": "application/json", "Authorization": bearer}
        return Call(kind, 401, "POST", SERVICE, headers, self._unrelated)

    def _broken_json(self) -> Call:
        return self._post("broken JSON", self._cards_order[: self.dice.randrange(len(self._cards_order))], 400)

    def _unknown_service(self) -> Call:
        return self._post("unknown service", b"{}", 404, "/cds-services/no-such-service")

    def _wrong_method(self) -> Call:
        return Call("wrong method", 405, "GET", SERVICE, self._headers(SERVICE))

    def _wrong_type(self) -> Call:
        headers = self._headers(SERVICE) | {"Content-Type": "text/plain"}
        return Call("wrong type", 415, "POST", SERVICE, headers, self._cards_order)

    def _too_large(self) -> Call:
        headers = self._headers(SERVICE) | {"Content-Length": str(_TOO_LARGE)}
        return Call("body too large", 413, "POST", SERVICE, headers, is_only_announced=True)
