"""Settings: CDS_* environment variables, read once. No secret has a default; what is wrong is said all at once, at
start. What a profile does not allow is at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import URL

from cds_service.database_url import parse_database_url
from cds_service.errors import NotReady

PREFIX = "CDS_"
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
_SHORTEST_SECRET = 32


def _setting(default: Any, read: Callable[[str], Any], about: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"read": read, "about": about, "secret": secret})


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


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


def _file(text: str) -> Path:
    file = Path(text)
    if not file.is_file():
        raise ValueError("must be a file that is there")
    return file


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("must be an address or host name to listen on, such as 127.0.0.1")
    return text.strip("[]")


def _database_url(text: str) -> str:
    parse_database_url(text)
    return text


def _secret(text: str) -> str:
    if len(text) < _SHORTEST_SECRET:
        raise ValueError(
            f"must have {_SHORTEST_SECRET} characters or more: python3 -c 'import secrets; print(secrets.token_hex())'"
        )
    return text


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

    profile: str = _setting(
        "development",
        _one_of("development", "production"),
        "development: loopback only, no token needed; production: registered clients only",
    )
    host: str = _setting("127.0.0.1", _host, "address to listen on; only loopback in development")
    port: int = _setting(8080, _whole_number(1, 65535), "port to listen on")
    public_url: str = _setting(
        "",
        _public_url,
        "the address clients know us by, which their tokens must name; default in development: http://<host>:<port>",
    )
    clients_file: Path | None = _setting(  # noqa: RUF009 - a dataclasses.field, as all of these
        None, _file, "TOML file of the registered clients (docs/clients.md)"
    )
    require_tokens: bool = _setting(
        False, _yes_or_no, "yes: development refuses calls without a valid token, as production always does"
    )
    open_discovery: bool = _setting(False, _yes_or_no, "yes: discovery needs no token where calls do")
    replay_window_s: int = _setting(
        0, _whole_number(0, 3600), "seconds in which a token may come again, for conformance tests in development"
    )
    database_url: str = _setting(
        "",
        _database_url,
        "ledger and seen tokens: sqlite:///path or postgresql://…; default in development: ./cds-service.sqlite",
        secret=True,
    )
    store_comments: bool = _setting(False, _yes_or_no, "yes: what users write in feedback is stored")
    patient_hash_key: str = _setting(
        "", _secret, "key for the patient hashes of clients with a quiet period; there is no default", secret=True
    )
    ca_file: Path | None = _setting(  # noqa: RUF009
        None, _file, "certificates to trust for FHIR servers and keys; default: REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
    )
    fhir_budget_ms: int = _setting(
        1500, _whole_number(0, 60_000), "time for all reads of one call from its FHIR server"
    )
    max_body_bytes: int = _setting(8_000_000, _whole_number(1_000, 1_000_000_000), "largest request body; more is 413")
    value_sets_dir: Path | None = _setting(  # noqa: RUF009
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
    def is_production(self) -> bool:
        """Whether calls come from strangers and are about people."""
        return self.profile == "production"

    @property
    def tokens_required(self) -> bool:
        """Whether a call without a valid token is refused."""
        return self.is_production or self.require_tokens

    @property
    def database(self) -> URL:
        """Where the ledger is; in development a file in the working directory unless another is named."""
        return parse_database_url(self.database_url or "sqlite:///cds-service.sqlite")

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
    usual = environment.get("REQUESTS_CA_BUNDLE") or environment.get("SSL_CERT_FILE")
    if usual and Path(usual).is_file():
        values.setdefault("ca_file", Path(usual))
    settings = Settings(**values)
    wrong = {reason.partition(" ")[0] for reason in reasons}
    reasons += [reason for reason in _against_profile(settings) if reason.partition(" ")[0] not in wrong]
    if reasons:
        raise NotReady(sorted(reasons))
    return settings


def _against_profile(settings: Settings) -> Iterator[str]:
    """What the profile does not allow, each in one line that begins with its variable (design.md 6)."""
    if not settings.is_production:
        if not is_loopback(settings.host):
            yield (
                "CDS_HOST must be a loopback address (127.0.0.1, ::1 or localhost) in the development profile, "
                "which cannot tell who is calling"
            )
        return
    if settings.clients_file is None:
        yield "CDS_CLIENTS_FILE must name the file of registered clients in production (docs/clients.md)"
    if not settings.public_url.startswith("https://"):
        yield "CDS_PUBLIC_URL must be the https address that clients call in production: their tokens name it"
    if not settings.database_url:
        yield "CDS_DATABASE_URL must name the database in production: sqlite:///path on one node, else postgresql://…"
    if settings.replay_window_s:
        yield "CDS_REPLAY_WINDOW_S must be 0 in production: a token is good for one call"


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in a URL, names this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
