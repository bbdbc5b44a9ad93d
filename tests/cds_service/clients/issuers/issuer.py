"""An issuer that publishes keys over real TLS, and calls with tokens that it signed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.certificates import server_context
from tests.charts import SERVICE
from tests.misbehaving_server import Answer, LoopbackServer, answer
from tests.registered_service import CALL, PUBLIC_URL, RegisteredService
from tests.token_forge import Forge, jwk_of, key_for

REMOTE, PATH = "https://remote.example.org", "/jwks.json"
NO_KEY, NO_SIGNATURE = "no registered key has this kid", "the signature is not valid"
NOT_FETCHED = "cds_hooks.keys.not_fetched"
OWN, NEXT = key_for("ES384", "remote-clinic"), key_for("ES384", "remote-clinic, later")


class Issuer:
    """A server that publishes keys, and counts how often it is asked for them."""

    def __init__(self, certificate: Path | None) -> None:
        self._tls = server_context(certificate) if certificate else None
        self.server = LoopbackServer(tls=self._tls)
        self.url = self.server.base.removesuffix("/fhir") + PATH
        self.publish(jwk_of(OWN, "ES384", "own"))

    def present(self, certificate: Path) -> None:
        """Use another certificate from the next connection on."""
        assert self._tls
        self._tls.load_cert_chain(certificate)

    def publish(self, *keys: Any) -> None:
        self.answer_with(answer({"keys": list(keys)}))

    def answer_with(self, one: Answer) -> None:
        self.server.answers[PATH] = one

    @property
    def asked(self) -> int:
        return self.server.paths.count(PATH)


def forge(service: RegisteredService, *, kid: str = "own", key: Any = OWN, algorithm: str = "ES384") -> Forge:
    now_s = service.now.timestamp()
    return Forge(
        now_s, issuer=REMOTE, audience=PUBLIC_URL + SERVICE, tenant=None, kid=kid, algorithm=algorithm, key=key
    )


def status(service: RegisteredService, **whose: Any) -> int:
    """Of a call with a new good token."""
    return service.call(forge(service, **whose).bearer()).status_code


def status_with_log(service: RegisteredService) -> int:
    """The same, with its events left to the log of the test."""
    headers = {"Authorization": forge(service).bearer(), "Content-Type": "application/json"}
    return service.app.test_client().post(SERVICE, data=CALL, headers=headers).status_code


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what happens beside the calls; not for long."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.005)
