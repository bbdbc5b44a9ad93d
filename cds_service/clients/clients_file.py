"""The shape of the clients file, and what can be wrong with it, in words that say what to write (docs/clients.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from cds_service.clients.issuer_keys import ALGORITHMS, read_key_file
from cds_service.fhir_client.base_url import parse_base

SANDBOX_ISSUER = "https://sandbox.cds-hooks.org"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?|https?://\[[0-9a-f:.]+\](?::\d{1,5})?")
_LONGEST_TENANT = 200  # characters


class Mode(StrEnum):
    """Whether the users of a client see its cards."""

    VISIBLE = "visible"
    SILENT = "silent"  # decided and recorded as any other call, and answered without a card


class ClientEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One `[[clients]]` table, as docs/clients.md explains it."""

    name: str
    issuer: str
    algorithms: list[str]
    jwks_url: str | None = None
    jwks_file: str | None = None
    tenants: list[str] | None = None
    fhir_servers: list[str] = []
    cors_origins: list[str] = []
    mode: str = Mode.VISIBLE
    max_cards: int | None = None
    quiet_period_hours: int | None = None
    final_reasons: list[str] = []


class ClientsFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file, its tables not yet looked at."""

    clients: list[dict[str, Any]] = []


def is_client_name(text: str) -> bool:
    """Whether a text can be the name of a client."""
    return bool(_NAME.fullmatch(text))


def name_of(index: int, table: Mapping[str, Any]) -> str:
    """What to call a table in a message: its place in the file, and its name where it has one."""
    name = table.get("name")
    return f"client {index} ({name})" if isinstance(name, str) and is_client_name(name) else f"client {index}"


def faults_of(entry: ClientEntry, folder: Path, production: bool) -> Iterator[str]:
    """What is wrong with one entry, in words that say what to write."""
    if not is_client_name(entry.name):
        yield "name must be lowercase letters, digits, dots and dashes: it is used in logs and reports"
    if not entry.issuer.strip():
        yield "issuer must be the iss of the client's tokens"
    if production and entry.issuer == SANDBOX_ISSUER:
        yield "the CDS Hooks Sandbox cannot be a client in production: its private key is public"
    unknown = sorted(set(entry.algorithms) - set(ALGORITHMS))
    if unknown or not entry.algorithms:
        yield f"algorithms must be some of {', '.join(ALGORITHMS)}, not {', '.join(unknown) or 'none at all'}"
    yield from _faults_of_keys(entry, folder, production)
    if entry.tenants is not None and not (entry.tenants and all(map(is_tenant, entry.tenants))):
        yield "tenants must be a list of names, or be left out for a client without tenants"
    for text in entry.fhir_servers:
        base = parse_base(text)
        if base is None or (production and not base.is_https):
            yield f"fhir_servers must be plain {'https' if production else 'http or https'} addresses, not {text!r}"
    for origin in entry.cors_origins:
        if not _ORIGIN.fullmatch(origin) or (production and not origin.startswith("https:")):
            kind = "https origins" if production else "origins"
            yield f"cors_origins must be {kind} such as https://ehr.example.org, not {origin!r}"
    if entry.mode not in list(Mode):
        yield f"mode must be {' or '.join(Mode)}, not {entry.mode!r}"
    yield from _faults_of_limits(entry)


def _faults_of_keys(entry: ClientEntry, folder: Path, production: bool) -> Iterator[str]:
    if (entry.jwks_url is None) == (entry.jwks_file is None):
        yield "give either jwks_url or jwks_file"
        return
    if entry.jwks_file is not None:
        try:
            read_key_file(folder / entry.jwks_file, allow_sandbox=not production)
        except ValueError as fault:
            yield f"jwks_file {entry.jwks_file} {fault}"
        return
    base = parse_base((entry.jwks_url or "").partition("?")[0])
    if base is None or "#" in (entry.jwks_url or ""):
        yield "jwks_url must be a plain http or https address"
    elif not base.is_https and (production or not base.is_loopback):
        yield "jwks_url must be https" + ("" if production else ", or on loopback")


def _faults_of_limits(entry: ClientEntry) -> Iterator[str]:
    if entry.max_cards is not None and entry.max_cards < 1:
        yield "max_cards must be 1 or more"
    if entry.quiet_period_hours is not None and not 1 <= entry.quiet_period_hours <= 24 * 366:
        yield "quiet_period_hours must be from 1 to 8784 (a year)"
    if (entry.quiet_period_hours is None) != (not entry.final_reasons):
        yield "quiet_period_hours and final_reasons belong together: quiet follows an override with a final reason"


def is_tenant(text: str) -> bool:
    """Whether a text can stand for a tenant in the ledger, in logs and in reports."""
    return len(text) <= _LONGEST_TENANT and text.isprintable() and bool(text.strip())


def faults_between(entries: Sequence[ClientEntry]) -> Iterator[str]:
    """Names that are taken twice, and tokens that could be two clients'."""
    for name in _repeated(entry.name for entry in entries):
        yield f"two clients are named {name}"
    for issuer in _repeated(entry.issuer for entry in entries):
        shared = [entry for entry in entries if entry.issuer == issuer]
        names = ", ".join(entry.name for entry in shared)
        if any(entry.tenants is None for entry in shared):
            yield f"{names} share the issuer {issuer}: each of them needs tenants"
        for tenant in _repeated(tenant for entry in shared for tenant in set(entry.tenants or [])):
            yield f"{names} share the issuer {issuer} and the tenant {tenant}: give each its own"


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
