"""Finds the service to call: its address, its discovery document, and the service in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from cards.nearest_names import did_you_mean
from cds_service.ehr_simulator.http_client import CallFailed, NotJson, Web
from cds_service.ehr_simulator.refusal import refusal
from cds_service.terminal import in_one_line

_DISCOVERY = "/cds-services"


@dataclass(frozen=True)
class Address:
    """The address of a CDS service: the base URL of R-1.1, and the id of a service where the address has it.

    `public_base`: the base URL by which the service knows itself, where that is another (R-6.9).
    """

    base: str
    service_id: str | None = None
    public_base: str | None = None

    @property
    def discovery(self) -> str:
        return self.base + _DISCOVERY

    def of(self, service_id: str) -> str:
        """The URL that is called."""
        return f"{self.discovery}/{quote(service_id, safe='')}"

    def audience(self, url: str) -> str:
        """The aud of a token for a URL of this service (R-6.9)."""
        return (self.public_base or self.base) + url.removeprefix(self.base)


@dataclass(frozen=True)
class Listed:
    """What a call needs of an entry of a discovery document."""

    id: str
    hook: str
    title: str = ""
    prefetch: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return in_one_line(f"{self.id} ({self.hook})" + (f": {self.title}" if self.title else ""))


def parse_address(text: str) -> Address:
    """A base URL, the discovery URL or the URL of one service. Raises ValueError, with what to write instead."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("use an address that begins with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("leave user and password out of the address")
    _ = parts.port  # raises ValueError for an invalid port
    before, separator, after = parts.path.rstrip("/").rpartition(_DISCOVERY)
    if not separator or (after and not after.startswith("/")):
        before, after = parts.path.rstrip("/"), ""
    service_id = unquote(after.strip("/").partition("/")[0]) or None
    return Address(f"{parts.scheme}://{parts.netloc}{before.rstrip('/')}", service_id)


def read_discovery(web: Web, address: Address, headers: Mapping[str, str]) -> list[Listed]:
    """The services that are listed, without entries that break R-1.4 or R-1.6. Raises CallFailed."""
    answer = web.get(address.discovery, {"Accept": "application/json", **headers})
    if answer.status != 200:
        raise refusal(answer, "discovery", headers)
    try:
        document = answer.read_json()
    except NotJson as what:
        raise _no_cds_service(address, str(what)) from None
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, list):
        raise _no_cds_service(address, "JSON without a list of services")
    return [listed for entry in services if (listed := _listed(entry))]


def choose(services: Sequence[Listed], hook: str, service_id: str | None) -> Listed:
    """The service with this id, else the first, that has the hook. Raises CallFailed, with the list."""
    fitting = [service for service in services if service.hook == hook and service_id in (None, service.id)]
    if fitting:
        return fitting[0]
    listed = [f"It lists {service}" for service in services] or ["It lists none."]
    if service_id and any(service.id == service_id for service in services):
        raise CallFailed(f"the service {in_one_line(service_id)} does not have the hook {hook}", listed)
    if service_id is None:
        raise CallFailed(f"no service with the hook {hook} is listed there", listed)
    nearest = in_one_line(did_you_mean(service_id, (service.id for service in services)))
    raise CallFailed(f"no service {in_one_line(service_id)} is listed there{nearest}", listed)


def _listed(entry: Any) -> Listed | None:
    if not isinstance(entry, dict):
        return None
    service_id, hook, title = entry.get("id"), entry.get("hook"), entry.get("title")
    if not (isinstance(service_id, str) and service_id and isinstance(hook, str) and hook):
        return None
    prefetch = entry.get("prefetch")
    templates = prefetch.items() if isinstance(prefetch, dict) else ()
    texts = {key: template for key, template in templates if isinstance(template, str)}
    return Listed(service_id, hook, title if isinstance(title, str) else "", texts)


def _no_cds_service(address: Address, what: str) -> CallFailed:
    advice = "The base URL of a CDS service is the part before /cds-services in its discovery URL."
    return CallFailed(f"{address.discovery} is not a discovery document: the answer is {what}", [advice])
