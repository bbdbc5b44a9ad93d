"""Settings: CDS_* environment variables, read once. No secret has a default; what is wrong is said all at once, at
start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cds_service.errors import NotReady

PREFIX = "CDS_"


def _setting(default: Any, read: Callable[[str], Any], about: str) -> Any:
    return field(default=default, metadata={"read": read, "about": about})


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _profile(text: str) -> str:
    if text == "production":
        raise ValueError(
            "is production, which needs registered clients: this version cannot tell who is calling, so refuses"
        )
    if text != "development":
        raise ValueError("is not a profile; the one this version has is development")
    return text


def _folder(text: str) -> Path:
    folder = Path(text)
    if not text or not folder.is_dir():
        raise ValueError("must be a folder that is there")
    return folder


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ValueError("must be yes or no")
    return text.lower() == "yes"


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return text

    return read


def _loopback(text: str) -> str:
    if not is_loopback(text):
        raise ValueError("must be a loopback address (127.0.0.1, ::1 or localhost) in the development profile")
    return text.strip("[]")


def _public_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        plain = parts.port != 0 and not set("@?# \\") & set(text)
    except ValueError:  # a port that is none
        plain = False
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https address without user or query, such as http://127.0.0.1:8080")
    return text.rstrip("/")


@dataclass(frozen=True)
class Settings:
    """All settings, checked. Each is the environment variable CDS_<NAME> and a flag of `cds-service serve`."""

    profile: str = _setting("development", _profile, "development: loopback only, no token needed")
    host: str = _setting("127.0.0.1", _loopback, "address to listen on")
    port: int = _setting(8080, _whole_number(1, 65535), "port to listen on")
    public_url: str = _setting("", _public_url, "the address clients know us by; default: http://<host>:<port>")
    fhir_budget_ms: int = _setting(
        1500, _whole_number(0, 60_000), "time for all reads of one call from its FHIR server"
    )
    max_body_bytes: int = _setting(8_000_000, _whole_number(1_000, 1_000_000_000), "largest request body; more is 413")
    value_sets_dir: Path | None = _setting(  # noqa: RUF009 - a dataclasses.field, as all of these
        None, _folder, "folder of the site's own codes (docs/site-codes.md)"
    )
    draft_translations: bool = _setting(
        False, _yes_or_no, "yes: patient pages whose translation awaits review are served and linked"
    )
    stale_review: str = _setting(
        "refuse", _one_of("refuse", "warn"), "what a start does where the clinical content is overdue for review"
    )
    workers: int = _setting(1, _whole_number(1, 64), "server processes")
    threads: int = _setting(64, _whole_number(1, 1024), "calls that one process works on at once")

    @property
    def base_url(self) -> str:
        """The address of this service as its clients see it, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from CDS_* variables. Raises NotReady with every fault, unknown CDS_* names included."""
    known = {PREFIX + one.name.upper(): one for one in fields(Settings)}
    values: dict[str, Any] = {}
    reasons = []
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX):
            continue
        if variable not in known:
            reasons.append(f"{variable} is not a setting; there are {', '.join(sorted(known))}")
            continue
        try:
            values[known[variable].name] = known[variable].metadata["read"](text)
        except ValueError as fault:
            reasons.append(f"{variable} {fault}")
    if reasons:
        raise NotReady(reasons)
    return Settings(**values)


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in a URL, names this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
