"""An issuer, a service that fetches its keys, and the clock by which it does so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cds_service.clients.issuer_keys import FetchedKeys
from tests.cds_service.clients.issuers.issuer import (
    REMOTE,
    Issuer,
)
from tests.certificates import self_signed
from tests.monotonic_clock import MonotonicClock
from tests.registered_service import RegisteredService


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def issuer(certificate: Path) -> Iterator[Issuer]:
    one = Issuer(certificate)
    yield one
    one.server.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MonotonicClock:
    one = MonotonicClock()
    monkeypatch.setattr("cds_service.clients.registry.FetchedKeys", partial(FetchedKeys, monotonic=one))
    return one


@pytest.fixture
def make_service(
    tmp_path: Path, empty_ledger: Path, clock: MonotonicClock
) -> Iterator[Callable[..., RegisteredService]]:
    made: list[RegisteredService] = []

    def make(url: str, **settings: Any) -> RegisteredService:
        registry = (
            f'[[clients]]\nname = "remote-clinic"\nissuer = "{REMOTE}"\njwks_url = "{url}"\n'
            'algorithms = ["ES384", "RS384"]\n'
        )
        made.append(RegisteredService(tmp_path, empty_ledger, registry=registry, key_sets={}, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def service(make_service: Callable[..., RegisteredService], issuer: Issuer, certificate: Path) -> RegisteredService:
    return make_service(issuer.url, ca_file=certificate)
