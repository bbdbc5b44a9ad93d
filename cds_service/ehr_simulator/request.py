"""The request of a call: a stored one as it is, or one built from a FHIR server, a patient and orders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from cds_service.ehr_simulator.drafts import (
    ORDER_HOOKS,
    Circumstances,
    Json,
    build_context,
    build_order,
    parse_concept,
    read_orders,
)
from cds_service.ehr_simulator.fhir_server import FhirSide, Prefetch, Say
from cds_service.ehr_simulator.http_client import Web
from cds_service.fhir_client.base_url import FhirBase
from cds_service.readable import counted
from cds_service.terminal import printable

_TOKEN_LIFE_S = 300  # stated to the service; only its issuer knows how long the token really lives
_HIDDEN = "(not shown)"


class OutOfRange(ValueError):
    """--select names an order that does not exist."""


@dataclass(frozen=True)
class Wanted:
    """The request that the command line describes. Ids have no type, `user` is Type/id; `fhir_token` is never shown."""

    hook: str
    patient: str
    user: str
    encounter: str | None = None
    orders: tuple[str, ...] = ()  # SYSTEM|CODE|DISPLAY
    order_texts: tuple[str, ...] = ()
    order_files: tuple[Path, ...] = ()
    reasons: tuple[str, ...] = ()
    reason_texts: tuple[str, ...] = ()
    reason_conditions: tuple[str, ...] = ()
    priority: str | None = None
    selected: tuple[int, ...] = ()
    fhir: FhirBase | None = None
    fhir_version: str | None = None
    fhir_token: str | None = field(default=None, repr=False)
    send_fhir_server: bool = True
    prefetch: bool = True
    all_pages: bool = True
    without: tuple[str, ...] = ()

    @property
    def needs_version(self) -> bool:
        """Whether an order is built, whose form depends on the FHIR version."""
        return bool(self.orders or self.order_texts)


@dataclass(frozen=True)
class Built:
    """A request to send. `prefetch`: None where no FHIR server was read."""

    body: bytes
    hook: str | None
    prefetch: Prefetch | None = None

    def shown(self) -> str:
        """The request to print: indented, without its access token."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return printable(self.body.decode("utf-8", "replace"))
        authorization = document.get("fhirAuthorization") if isinstance(document, dict) else None
        if isinstance(authorization, dict) and "access_token" in authorization:
            authorization["access_token"] = _HIDDEN
        return json.dumps(document, indent=2)


def read_request(file: Path) -> Built:
    """A stored request, byte for byte. Raises OSError."""
    body = file.read_bytes()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    hook = document.get("hook") if isinstance(document, dict) else None
    return Built(body, hook if isinstance(hook, str) else None)


def build_request(wanted: Wanted, templates: Mapping[str, str], web: Web, say: Say) -> Built:
    """Build a request. Raises NotAnOrder and OutOfRange for wrong options, CallFailed where the FHIR server fails."""
    side = FhirSide(web, wanted.fhir, wanted.fhir_token, say) if wanted.fhir else None
    version = wanted.fhir_version
    if version is None:
        version = side.read_version() if side and wanted.needs_version else "R4"
    orders = _orders(wanted, version)
    if any(not 1 <= number <= len(orders) for number in wanted.selected):
        what = counted(len(orders), "order")
        raise OutOfRange(f"--select: there {'is' if len(orders) == 1 else 'are'} {what} to select from")
    context = build_context(
        wanted.hook, wanted.user, wanted.patient, wanted.encounter, orders, sorted(set(wanted.selected))
    )
    prefetch = None
    if side and wanted.prefetch and templates:
        prefetch = side.fill(templates, context, without=wanted.without, all_pages=wanted.all_pages)
    if side and wanted.prefetch and not (prefetch and prefetch.resources["Patient"]):
        side.check_patient(wanted.patient)
    request: Json = {"hook": wanted.hook, "hookInstance": str(uuid4()), "context": context} | _fhir_access(wanted)
    if prefetch and prefetch.values:
        request["prefetch"] = prefetch.values
    return Built(json.dumps(request).encode(), wanted.hook, prefetch)


def _orders(wanted: Wanted, version: str) -> list[Json]:
    if wanted.hook not in ORDER_HOOKS:
        return []
    around = Circumstances(
        wanted.patient,
        wanted.encounter,
        wanted.priority,
        [*map(parse_concept, wanted.reasons), *({"text": words} for words in wanted.reason_texts)],
        wanted.reason_conditions,
    )
    concepts: list[Json] = [*map(parse_concept, wanted.orders), *({"text": words} for words in wanted.order_texts)]
    orders = [build_order(number, concept, version, around) for number, concept in enumerate(concepts, start=1)]
    for file in wanted.order_files:
        orders += read_orders(file, len(orders) + 1)
    return orders


def _fhir_access(wanted: Wanted) -> dict[str, Any]:
    """The FHIR server and token for the service (R-2.3, R-2.20 to R-2.25)."""
    if not (wanted.fhir and wanted.send_fhir_server):
        return {}
    access: dict[str, Any] = {"fhirServer": wanted.fhir.url}
    if wanted.fhir_token:
        access["fhirAuthorization"] = {
            "access_token": wanted.fhir_token,
            "token_type": "Bearer",
            "expires_in": _TOKEN_LIFE_S,
            "scope": "patient/*.read",
            "subject": "cds-service-call",
            "patient": wanted.patient,
        }
    return access
