"""What a configuration allows, and what prevents a start; for `serve` before it starts, and for `doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cds_service.clients.clients_file import Mode
from cds_service.clients.issuer_keys import FetchedKeys, KeysUnobtainable
from cds_service.clients.key_fetcher import KeyFetcher
from cds_service.clients.registry import RegisteredClient, Registry, registry_of
from cds_service.errors import NotReady
from cds_service.operations.tracing import find_faults as find_tracing_faults
from cds_service.readable import counted
from cds_service.settings.settings import Settings, read_settings
from cds_service.storage.database import Database, DatabaseUnavailable

Fact = tuple[str, str]


@dataclass
class Diagnosis:
    """`facts`: what is allowed, by subject; `faults`: why the service would not start, one line each."""

    facts: list[Fact] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def examine(environment: Mapping[str, str], *, ask_issuers: bool) -> Diagnosis:
    """Check everything that a start needs, except the clinical content. `ask_issuers`: also fetch every key set."""
    diagnosis = Diagnosis()
    try:
        settings = read_settings(environment)
    except NotReady as refusal:
        diagnosis.faults += refusal.reasons
        return diagnosis
    diagnosis.facts += _describe(settings)
    try:
        registry = registry_of(settings, KeyFetcher(settings.ca_file))
        diagnosis.facts += _describe_clients(registry, settings)
        if ask_issuers:
            for client in registry.clients:
                diagnosis.facts += _ask(client, diagnosis)
    except NotReady as refusal:
        diagnosis.faults += refusal.reasons
    diagnosis.faults += find_database_faults(settings)
    diagnosis.faults += find_tracing_faults(environment)
    where = settings.database.set(query={}).render_as_string(hide_password=True)  # a query may contain a password, too
    diagnosis.facts.append(("database", where))
    return diagnosis


def find_database_faults(settings: Settings) -> list[str]:
    """Why the service cannot use the database. In development its schema is brought up to date first."""
    database = Database(settings.database, pool_size=1)
    try:
        fault = database.schema_fault()
        if fault and not settings.is_production:
            database.upgrade()
            fault = database.schema_fault()
    except DatabaseUnavailable as reason:
        fault = f"it does not answer in time ({reason})"
    finally:
        database.close()
    return [f"CDS_DATABASE_URL: {fault}"] if fault else []


def _describe(settings: Settings) -> Iterator[Fact]:
    yield "profile", settings.profile
    yield "listens on", f"{settings.host}, port {settings.port}"
    yield "known as", f"{settings.base_url}/cds-services"
    if settings.tokens_required:
        yield "calls", "from registered clients only, each with a signed token that is good for one call"
        yield "discovery", "open to anyone" if settings.open_discovery else "for registered clients only"
    else:
        yield "calls", "from anyone on this machine, with or without a token"
        yield "discovery", "open"
    if settings.replay_window_s:
        yield "replay", f"a token may be used again within {settings.replay_window_s} s: for conformance tests only"
    if settings.cards_off:
        yield "cards off", f"{', '.join(settings.cards_off)}: decided and counted, never shown"
    processes = "1 process" if settings.workers == 1 else f"{settings.workers} processes"
    comments = "stored" if settings.store_comments else "not stored"
    yield "feedback", f"stored in the ledger; user comments are {comments}"
    yield (
        "cards",
        f"recorded in the ledger {'before' if settings.record_before_answer else 'within 50 ms after'} the answer",
    )
    yield (
        "limits",
        (
            f"bodies of {settings.max_body_bytes:,} bytes, {settings.fhir_budget_ms} ms for a FHIR server, "
            f"{processes} of {settings.threads} threads"
        ),
    )


def _describe_clients(registry: Registry, settings: Settings) -> Iterator[Fact]:
    for client in registry.clients:
        tenants = "any tenant" if client.tenants is None else "tenants " + ", ".join(sorted(client.tenants))
        servers = ", ".join(server.url for server in client.fhir_servers)
        if not settings.is_production:
            servers = ", ".join(filter(None, (servers, "any on this machine")))
        origins = ", ".join(client.cors_origins) if settings.is_production else "any"
        yield f"client {client.name}", f"{client.issuer}, {', '.join(sorted(client.algorithms))}, {tenants}"
        yield "", f"FHIR servers: {servers or 'none, so prefetch only'}; browser origins: {origins or 'none'}"
        if client.mode is Mode.SILENT:
            yield "", "SILENT: cards are decided and recorded, but not shown"
        limits = client.card_limits
        if limits.quiet_period_hours:
            yield "", f"quiet for {limits.quiet_period_hours} hours after {', '.join(sorted(limits.final_reasons))}"
        if limits.max_cards:
            most = counted(limits.max_cards, "card")
            yield "", f"at most {most} in an answer, not counting those that are always shown"


def _ask(client: RegisteredClient, diagnosis: Diagnosis) -> Iterator[Fact]:
    """Fetch the key set of a client."""
    if not isinstance(client.keys, FetchedKeys):
        return
    try:
        keys = client.keys.ask()
    except KeysUnobtainable as fault:
        diagnosis.faults.append(f"client {client.name}: its key set cannot be fetched from its jwks_url ({fault})")
        return
    ignored = "".join(f"; not used: {count} of {reason}" for reason, count in keys.ignored.items())
    if not keys:
        diagnosis.faults.append(f"client {client.name}: its key set has no usable key{ignored}")
        return
    yield f"keys of {client.name}", f"{len(keys)} usable{ignored}"
