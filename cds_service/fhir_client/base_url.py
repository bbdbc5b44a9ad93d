"""The base URL of a FHIR server: compared with registered ones, and the only address that is read from.

Addresses are compared as parsed and normalized parts, never as texts. Unusual texts are refused rather than repaired:
attacks use texts that two parsers read differently, so only texts that every parser reads alike are accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from cds_service.settings.settings import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 8_000  # characters
_BASE = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>(?:/(?:[a-z0-9._~!$&'()*+,;=:@-]|%[0-9a-f]{2})+)*)/*",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # resolvers take a host with such a last label for an IPv4 address
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
_KEPT = "!#$%&'()*+,/:;=?@[]~"  # besides letters, digits and `-._~`: what has a meaning in a URL


class LeavesServer(Exception):
    """An address that is not below the FHIR base. The message has no address, because it may be logged."""


@dataclass(frozen=True)
class FhirBase:
    """A FHIR base URL in the normal form of `parse_base`. `path` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The base as a text, without a slash at its end and without a default port."""
        return self._origin + self.path

    @property
    def is_https(self) -> bool:
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(self.host)

    def below(self, url: str) -> str:
        """`url`, relative to the base or absolute, as an absolute address below it.

        The result has the scheme, host and port of the base, and none of those of `url`. Raises LeavesServer where
        `url` leads elsewhere or up the path.
        """
        try:
            if len(url) > _LONGEST or _UNSAFE.search(url.partition("?")[0]) or not url.isprintable():
                raise LeavesServer
            parts = urlsplit(urljoin(self.url + "/", url))
            path = quote(parts.path, safe=_KEPT)
            if self._is_elsewhere(parts) or _climbs(urlsplit(url).path) or not self._holds(path):
                raise LeavesServer
        except ValueError:  # an invalid port or bracketed host
            raise LeavesServer from None
        return self._origin + (path or "/") + ("?" + quote(parts.query, safe=_KEPT) if parts.query else "")

    def _is_elsewhere(self, parts: SplitResult) -> bool:
        other = parse_base(f"{parts.scheme}://{parts.netloc}")
        return other is None or other._origin != self._origin

    def _holds(self, path: str) -> bool:
        return (path + "/").startswith(self.path + "/")

    @property
    def _origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}")


def parse_base(text: str) -> FhirBase | None:
    """The FHIR base of a text; None for anything but scheme, host, port and path in ASCII."""
    return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=256)  # calls name few servers
def _parse(text: str) -> FhirBase | None:
    match = _BASE.fullmatch(text)
    if match is None:
        return None
    scheme = match["scheme"].lower()
    host = _ipv6(match["ipv6"]) if match["ipv6"] else _name(match["name"].lower())
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if host is None or port > 65535 or _climbs(match["path"]) or _is_disguised(match["path"]):
        return None
    return FhirBase(scheme, host, port, match["path"])


def _name(name: str) -> str | None:
    """A DNS name, or an IPv4 address of four decimal numbers; None for octal, hexadecimal and shorter forms."""
    if not _NUMBER.fullmatch(name.rpartition(".")[2]):
        return name
    try:
        return str(IPv4Address(name))
    except AddressValueError:
        return None


def _ipv6(text: str) -> str | None:
    """An IPv6 address in its shortest form; None for one that maps an IPv4 address."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return None if address.ipv4_mapped else address.compressed


def _climbs(path: str) -> bool:
    """Whether a path has a `.` or `..` segment, also percent-encoded twice, with backslashes or parameters."""
    plain = unquote(unquote(path)).replace("\\", "/")
    return any(step.partition(";")[0] in (".", "..") for step in plain.split("/"))


def _is_disguised(path: str) -> bool:
    """Whether percent-encoding hides a slash, a percent sign or a control character."""
    plain = unquote(path)
    return plain.count("/") != path.count("/") or "%" in plain or _UNSAFE.search(plain) is not None
