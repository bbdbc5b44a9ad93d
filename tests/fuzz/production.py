"""The service as a hospital runs it, behind the server's own door, in process: tokens of every kind, and odd calls with
good tokens. What must be taken is said by an oracle of its own (token_oracle.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import event

from cds_service.cds_hooks import hook_call
from cds_service.server import door as door_module
from cds_service.server.door import Door
from cds_service.server.request_body import BodyLimits
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from tests.charts import SERVICE
from tests.charts import hook_call as call_document
from tests.fuzz.calls import FIRST_CALL, MadeUpCall
from tests.fuzz.service import need_not_survive, no_log
from tests.fuzz.tally import Broken, Tally, broken_by
from tests.fuzz.token_oracle import TokenOracle
from tests.fuzz.tokens import PATHS, TokenPlan
from tests.registered_service import DISCOVERY, FEEDBACK, PUBLIC_URL, RegisteredService
from tests.rsgi_request import HeaderList, Protocol, ask

_CARD = "82e8607f-b66a-56b3-9270-5e1362eb8848"  # of FIRST_CALL
_ENTRY = {"card": _CARD, "outcome": "overridden", "outcomeTimestamp": "2026-11-22T15:31:47Z"}
_BODIES = {  # what is right for a path; nothing else than the token decides then
    SERVICE: json.dumps(call_document()).encode(),
    FEEDBACK: json.dumps({"feedback": [_ENTRY]}).encode(),
    DISCOVERY: b"",
    "/cds-services/no-such-service": b"{}",
}
_BY_THE_SERVER = {"content-length", "transfer-encoding"}  # granian reads these before the door is asked
_CHORES_EVERY = 500  # calls: expired token ids are removed meanwhile
_NEVER_401 = {("POST", SERVICE), ("POST", FEEDBACK), ("GET", DISCOVERY)}


class ProductionUnderFuzz:
    """The application in its production profile behind its door, an oracle, and a tally of the answers.

    `folder`: where its database and its clients file may be. Its clock moves on by what a token plan says.
    """

    def __init__(self, folder: Path) -> None:
        self.tally = Tally()
        self._fault: BaseException | None = None
        ledger = folder / "ledger.sqlite"
        database = Database(parse_database_url(f"sqlite:///{ledger}"), pool_size=1)
        database.upgrade()
        database.close()
        self.service = RegisteredService(folder, ledger)
        event.listen(self.service.database.engine, "connect", need_not_survive)
        services = self.service.app.extensions["cds_services"]
        self._door = Door(self.service.app, services, threads=4, limits=BodyLimits(services.most_bytes))
        self._loop = asyncio.new_event_loop()
        self._oracle = TokenOracle(lambda: self.service.now.timestamp())
        self._log_fault = hook_call.log_fault
        hook_call.log_fault = door_module.log_fault = self._overhear
        self._refusal = self._ask("POST", SERVICE, [], _BODIES[SERVICE]).body
        self.send(MadeUpCall(FIRST_CALL.text))  # so that feedback finds cards it knows

    def close(self) -> None:
        """End its threads and connections."""
        hook_call.log_fault = door_module.log_fault = self._log_fault
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self.service.close()

    def send_token(self, plan: TokenPlan) -> None:
        """Send a good call with this token, and again as often as the plan says. Raises Broken."""
        path, method = plan.path, plan.method
        authorizations = plan.authorizations(self.service.now.timestamp(), f"fuzz-{self.tally.total}")
        audiences = {PUBLIC_URL + address for address in PATHS[path]}
        for attempt in range(1 + plan.again):
            must_take = self._oracle.must_take(authorizations, audiences)
            named = [("Authorization", text) for text in authorizations]
            answer = self._ask(method, path, named, _BODIES[path])
            self._count(f"{method} {path}, {'good' if must_take else 'bad'} token", answer)
            what = self._fault_of(answer, must_take, 404 if path.endswith("no-such-service") else 200)
            if what:
                raise self._broken(f"{what} (attempt {attempt + 1})", f"{plan!r}\n{authorizations!r}")
            self.service.advance(plan.pause_s)

    def send(self, call: MadeUpCall) -> Protocol:
        """Send a made-up call, with a good token unless it has an Authorization of its own. Raises Broken."""
        headers = [(name, text) for name, text in call.headers if name.lower() not in _BY_THE_SERVER]
        has_own = any(name.lower() == "authorization" for name, _ in headers)
        if not has_own:
            audiences = tuple(PUBLIC_URL + path for path in _BODIES)
            good = TokenPlan.good(claims=(("aud", audiences),))
            headers += [("Authorization", text) for text in self._authorizations(good)]
        target = quote(call.path, safe="/;:@!$&'()*+,=~", encoding="latin-1") + (f"?{call.query}" if call.query else "")
        answer = self._ask(call.method, target, headers, call.body)
        self._count("made-up call", answer)
        if answer.status >= 500:
            raise self._broken(f"answered {answer.status}", call.to_json())
        if answer.status == 401 and not has_own and (call.method, call.path) in _NEVER_401:
            raise self._broken("refused a good token", call.to_json())
        return answer

    def _authorizations(self, plan: TokenPlan) -> list[str]:
        return plan.authorizations(self.service.now.timestamp(), f"fuzz-{self.tally.total}")

    def _ask(self, method: str, target: str, headers: HeaderList | Mapping[str, str], body: bytes) -> Protocol:
        self._fault = None
        typed = list(headers)
        if not any(name.lower() == "content-type" for name, _ in typed):
            typed.append(("Content-Type", "application/json"))
        return self._loop.run_until_complete(ask(self._door, method, target, typed, body))

    def _count(self, endpoint: str, answer: Protocol) -> None:
        self.tally.answers[endpoint, answer.status] += 1
        if self.tally.total % _CHORES_EVERY == 0:
            self.service.app.extensions["housekeeping"].run_once()

    def _fault_of(self, answer: Protocol, must_take: bool, wanted: int) -> str | None:
        """What is wrong with an answer to a call that is good but for its token, or None."""
        if must_take and answer.status != wanted:
            return f"a good token was answered {answer.status}"
        if not must_take and answer.status != 401:
            return f"a bad token was answered {answer.status}"
        if not must_take and answer.body != self._refusal:
            return "a refusal is not like the others"
        return None

    def _overhear(self, fault: BaseException) -> None:
        self._fault = fault

    def _broken(self, what: str, again: str) -> Broken:
        return broken_by(self._fault, what, again, what)


@contextmanager
def production_under_fuzz(folder: Path) -> Iterator[ProductionUnderFuzz]:
    """A service to send tokens and made-up calls to, with its files in this folder, and without a log."""
    with no_log():
        service = ProductionUnderFuzz(folder)
        try:
            yield service
        finally:
            service.close()
