"""The registered clients: who may call, with which keys, for which tenants, reading from which FHIR servers.

Read once at the start from the TOML file of `CDS_CLIENTS_FILE`; docs/clients.md explains each line of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from jwt import PyJWK

from cds_service.clients.clients_file import ClientEntry, ClientsFile, Mode, faults_between, faults_of, name_of
from cds_service.clients.issuer_keys import FetchedKeys, read_key_file
from cds_service.errors import NotReady
from cds_service.fhir_client.base_url import FhirBase, parse_base
from cds_service.settings.settings import Settings

SANDBOX_FILE = Path(__file__).parent / "sandbox_client.toml"

Fetch = Callable[[str], bytes]


class Keys(Protocol):
    """Where the keys of an issuer come from."""

    @property
    def is_known(self) -> bool:
        """Whether there is any key."""

    def __contains__(self, kid: str) -> bool:
        """Whether a key of this id is at hand, so that `find` does not wait."""

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of this id where it is one for this algorithm, else None. May wait for the issuer.

        Raises KeysUnobtainable.
        """

    def warm(self) -> None:
        """Begin to fetch the keys where none is known, and wait for nothing."""


@dataclass(frozen=True)
class CardLimits:
    """What a client asked for against alert fatigue; nothing by default.

    Cards that are always shown are never silenced.

    `max_cards`: in one answer. `quiet_period_hours`: how long a card is not shown again for a patient after it was
    overridden with one of the `final_reasons`, which are codes.
    """

    max_cards: int | None = None
    quiet_period_hours: int | None = None
    final_reasons: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RegisteredClient:
    """One client of the registry. `tenants` None: any, or none. `fhir_servers` empty: prefetch only."""

    name: str
    issuer: str
    algorithms: frozenset[str]
    keys: Keys = field(repr=False)
    tenants: frozenset[str] | None = None
    fhir_servers: tuple[FhirBase, ...] = ()
    cors_origins: tuple[str, ...] = ()
    mode: Mode = Mode.VISIBLE
    card_limits: CardLimits = CardLimits()

    def takes(self, tenant: str | None) -> bool:
        """Whether calls for this tenant are this client's."""
        return self.tenants is None or tenant in self.tenants


class Registry:
    """All registered clients, by issuer."""

    def __init__(self, clients: Sequence[RegisteredClient] = ()) -> None:
        self.clients = tuple(clients)
        self._by_issuer: dict[str, list[RegisteredClient]] = {}
        for client in clients:
            self._by_issuer.setdefault(client.issuer, []).append(client)

    def knows(self, issuer: str) -> bool:
        """Whether any client has this issuer."""
        return issuer in self._by_issuer

    def find(self, issuer: str, tenant: str | None) -> RegisteredClient | None:
        """The one client whose tokens have this issuer and tenant."""
        return next((client for client in self._by_issuer.get(issuer, ()) if client.takes(tenant)), None)

    def count_without_keys(self) -> int:
        """How many clients there are of whose issuer no key is known."""
        return sum(not client.keys.is_known for client in self.clients)

    def warm(self) -> None:
        """Begin to fetch the keys of every client without known keys, without waiting for them."""
        for client in self.clients:
            client.keys.warm()

    @property
    def cors_origins(self) -> list[str]:
        """Every origin from which a browser client may call."""
        return sorted({origin for client in self.clients for origin in client.cors_origins})


def registry_of(settings: Settings, fetch: Fetch) -> Registry:
    """The registry that these settings name; in development, where they name none, the CDS Hooks Sandbox alone.

    Raises NotReady as `load_registry` does, and where a client wants a quiet period and there is no key to hash with.
    """
    if settings.clients_file is None:
        return Registry() if settings.is_production else load_registry(SANDBOX_FILE, production=False, fetch=fetch)
    registry = load_registry(settings.clients_file, production=settings.is_production, fetch=fetch)
    quiet = [client.name for client in registry.clients if client.card_limits.quiet_period_hours]
    if quiet and not settings.patient_hash_key:
        raise NotReady([f"CDS_PATIENT_HASH_KEY must be set: {', '.join(quiet)} has a quiet period (docs/clients.md)"])
    return registry


def load_registry(path: Path, *, production: bool, fetch: Fetch) -> Registry:
    """The registry of a TOML file. Raises NotReady with every fault, each in one line that names the client.

    `fetch` gets a key set from its registered address when a first token needs it; nothing is fetched here.
    """
    try:
        tables = msgspec.convert(tomllib.loads(path.read_text("utf-8")), ClientsFile).clients
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError, OSError) as fault:
        raise NotReady([f"{path.name}: {_one_line(fault)}"]) from None
    faults = [] if tables else [f"{path.name}: has no client"]
    entries, clients = [], []
    for index, table in enumerate(tables, 1):
        wrong: list[str] = []
        try:
            entry = msgspec.convert(table, ClientEntry)
            entries.append(entry)
            wrong += faults_of(entry, path.parent, production)
        except msgspec.ValidationError as fault:
            wrong.append(_one_line(fault))
        faults += [f"{path.name}: {name_of(index, table)}: {fault}" for fault in wrong]
        if not wrong:
            clients.append(_client(entry, path.parent, production, fetch))
    faults += [f"{path.name}: {fault}" for fault in faults_between(entries)]
    if faults:
        raise NotReady(faults)
    return Registry(clients)


def _one_line(fault: Exception) -> str:
    return " ".join(str(fault).replace("`", "").split())


def _client(entry: ClientEntry, folder: Path, production: bool, fetch: Fetch) -> RegisteredClient:
    keys: Keys
    if entry.jwks_file is not None:
        keys = read_key_file(folder / entry.jwks_file, allow_sandbox=not production)
    else:
        keys = FetchedKeys(entry.name, entry.jwks_url or "", fetch, allow_sandbox=not production)
    return RegisteredClient(
        name=entry.name,
        issuer=entry.issuer,
        algorithms=frozenset(entry.algorithms),
        keys=keys,
        tenants=None if entry.tenants is None else frozenset(entry.tenants),
        fhir_servers=tuple(filter(None, map(parse_base, entry.fhir_servers))),
        cors_origins=tuple(entry.cors_origins),
        mode=Mode(entry.mode),
        card_limits=CardLimits(entry.max_cards, entry.quiet_period_hours, frozenset(entry.final_reasons)),
    )
