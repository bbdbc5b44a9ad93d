"""Settings: CDS_* environment variables, read once at the start, with every fault reported at once.

No secret has a default. docs/configuration.md is generated from this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from cards.nearest_names import did_you_mean
from cds_service.errors import NotReady
from cds_service.settings.setting_values import (
    DATABASE_URL,
    FILE,
    FOLDER,
    HOST,
    NAMES,
    PUBLIC_URL,
    SECRET,
    TOPICS,
    YES_OR_NO,
    Kind,
    one_of,
    whole_number,
)
from cds_service.storage.database_url import parse_database_url

PREFIX = "CDS_"
_LONGEST_SHOWN = 200  # characters of a value in a message
_CREDENTIALS = re.compile(r"//[^/]*@")  # somebody may have put a password into an address
FROM_FILE = "_FILE"  # CDS_DATABASE_URL_FILE names a file with the value of CDS_DATABASE_URL


def _setting(default: Any, kind: Kind, about: str, *, secret: bool = False, required: bool = False) -> Any:
    """`required`: production does not start without it."""
    return field(
        default=default,
        repr=not secret,
        metadata={"kind": kind, "about": about, "secret": secret, "required": required},
    )


@dataclass(frozen=True)
class Settings:
    """All settings, checked. Each is the environment variable CDS_<NAME> and a flag of `cds-service serve`."""

    profile: str = _setting(
        "development",
        one_of("development", "production"),
        "development: loopback only, no token needed; production: registered clients only",
    )
    host: str = _setting("127.0.0.1", HOST, "address to listen on; only loopback in development")
    port: int = _setting(8080, whole_number(1, 65535), "port to listen on")
    public_url: str = _setting(
        "",
        PUBLIC_URL,
        "public URL of this service, which clients call and tokens have as aud; default in development: http://<host>:<port>",
        required=True,
    )
    clients_file: Path | None = _setting(  # noqa: RUF009 - a dataclasses.field, as all of these
        None, FILE, "TOML file of the registered clients (docs/clients.md)", required=True
    )
    require_tokens: bool = _setting(
        False, YES_OR_NO, "yes: refuse calls without a valid token in development, too; production always does"
    )
    open_discovery: bool = _setting(False, YES_OR_NO, "yes: discovery needs no token, even where calls do")
    replay_window_s: int = _setting(
        0,
        whole_number(0, 3600),
        "seconds during which a token may be used again, for conformance tests in development",
    )
    database_url: str = _setting(
        "",
        DATABASE_URL,
        "database for the ledger and used tokens: sqlite:///path or postgresql://…; default in development: "
        "./cds-service.sqlite",
        secret=True,
        required=True,
    )
    record_before_answer: bool = _setting(
        False,
        YES_OR_NO,
        "yes: record cards in the ledger before the answer is sent; no: just after it (usually within 50 ms)",
    )
    store_comments: bool = _setting(False, YES_OR_NO, "yes: store the comments that users write in feedback")
    patient_hash_key: str = _setting(
        "",
        SECRET,
        "key for hashing patient ids; required where a client has a quiet period; no default",
        secret=True,
    )
    ca_file: Path | None = _setting(  # noqa: RUF009
        None, FILE, "CA certificates for FHIR servers and key sets (PEM); default: REQUESTS_CA_BUNDLE or SSL_CERT_FILE"
    )
    fhir_budget_ms: int = _setting(1500, whole_number(0, 60_000), "time limit in ms for all FHIR reads of one call")
    max_body_bytes: int = _setting(
        8_000_000,
        whole_number(1_000, 1_000_000_000),
        "largest request body in bytes; a larger one is answered with 413",
    )
    topics: tuple[str, ...] | None = _setting(
        None, TOPICS, "topics to serve, each as one service; default: all that are installed"
    )
    cards_off: tuple[str, ...] = _setting(
        (),
        NAMES,
        "cards that this site does not show, as <card> or <service id>/<card>, separated by commas; cards that are "
        "always shown cannot be turned off",
    )
    value_sets_dir: Path | None = _setting(  # noqa: RUF009
        None, FOLDER, "folder of the site's own codes (docs/site-codes.md)"
    )
    draft_translations: bool = _setting(
        False, YES_OR_NO, "yes: serve and link patient pages whose translation has not been reviewed"
    )
    stale_review: str = _setting(
        "refuse",
        one_of("refuse", "warn"),
        "what to do at startup if the clinical content is overdue for review",
    )
    metrics_token: str = _setting(
        "", SECRET, "bearer token that Prometheus must send; without it there is no /metrics in production", secret=True
    )
    workers: int = _setting(1, whole_number(1, 64), "server processes")
    threads: int = _setting(64, whole_number(1, 1024), "threads per process, for waits, large calls, and pages")

    @property
    def is_production(self) -> bool:
        """Whether the service is in use: calls come over the network and are about real patients."""
        return self.profile == "production"

    @property
    def tokens_required(self) -> bool:
        """Whether a call without a valid token is refused."""
        return self.is_production or self.require_tokens

    @property
    def database(self) -> URL:
        """The URL of the ledger; the default in development is a file in the working directory."""
        return parse_database_url(self.database_url or "sqlite:///cds-service.sqlite")

    @property
    def base_url(self) -> str:
        """The address of this service as its clients see it, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


def read_settings(environment: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Settings:
    """Settings from CDS_* variables. Raises NotReady with every fault, unknown CDS_* names included.

    A fault begins with the variable, or with the flag that set it, and shows the value unless it may be secret.
    `flags`: the flags that were given, by the variable that each has set.
    """
    known = {PREFIX + setting.name.upper(): setting for setting in fields(Settings)}
    files = {variable + FROM_FILE: variable for variable, setting in known.items() if setting.metadata["secret"]}
    values: dict[str, Any] = {}
    reasons, wrong = [], set()
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        variable = files.get(name, name)
        try:
            if variable not in known:
                if name.removesuffix(FROM_FILE) in known:
                    raise ValueError(f"is not a setting: only secrets come from files, by {', '.join(sorted(files))}")
                nearest = did_you_mean(name, [*known, *files])
                raise ValueError(f"is not a setting{nearest or ';'} docs/configuration.md lists them all")
            if name in files and variable in environment:
                raise ValueError(f"and {variable} are both set: keep one of them")
            kind = known[variable].metadata["kind"]
            values[known[variable].name] = _read_file(kind, text) if name in files else _read(known[variable], text)
        except ValueError as fault:
            reasons.append(f"{name} {fault}")
            wrong.add(variable)
    usual = environment.get("REQUESTS_CA_BUNDLE") or environment.get("SSL_CERT_FILE")
    if usual and Path(usual).is_file():
        values.setdefault("ca_file", Path(usual))
    settings = Settings(**values)
    reasons += [reason for reason in _against_profile(settings) if reason.partition(" ")[0] not in wrong]
    if reasons:
        raise NotReady(sorted(_from_flag(reason, flags or {}) for reason in reasons))
    return settings


def _from_flag(reason: str, flags: Mapping[str, str]) -> str:
    """A fault that begins with a variable; with the flag in its place, where the value came from one."""
    variable, _, rest = reason.partition(" ")
    return f"{flags.get(variable, variable)} {rest}"


def _read(setting: Field[Any], text: str) -> Any:
    """The value of a setting. Raises ValueError, whose message shows the text unless it may be secret."""
    try:
        return setting.metadata["kind"].read(text)
    except ValueError as fault:
        if setting.metadata["secret"]:
            raise
        shown = repr(_CREDENTIALS.sub("//…@", text[:_LONGEST_SHOWN]))
        if setting.metadata["kind"] in (FILE, FOLDER) and text and not Path(text).is_absolute():
            shown += f", which is {Path(text).absolute()}"
        raise ValueError(f"{fault}; it is {shown}") from None


def _read_file(kind: Kind, path: str) -> Any:
    """A secret in a file, as containers mount it, without the newline at its end. Raises ValueError."""
    try:
        text = FILE.read(path).read_text("utf-8")
    except (OSError, ValueError):  # also for bytes that are no text, whose error would quote them
        raise ValueError(f"must be a file of UTF-8 text that this process may read; it is {path!r}") from None
    try:
        return kind.read(text.rstrip("\r\n"))
    except ValueError as fault:
        raise ValueError(f"names a file whose text {fault}: {path}") from None


def _against_profile(settings: Settings) -> Iterator[str]:
    """What the profile does not allow, in lines that begin with the variable (design.md 6)."""
    if not settings.is_production:
        if not is_loopback(settings.host):
            yield (
                "CDS_HOST must be a loopback address (127.0.0.1, ::1 or localhost) in the development profile, "
                f"which does not check who is calling; it is {settings.host!r}"
            )
        return
    if settings.clients_file is None:
        yield "CDS_CLIENTS_FILE must name the file of registered clients in production (docs/clients.md)"
    if not settings.public_url.startswith("https://"):
        now = f"it is {settings.public_url!r}" if settings.public_url else "it is not set"
        yield f"CDS_PUBLIC_URL must be the https address that clients call in production (aud of their tokens); {now}"
    if not settings.database_url:
        yield "CDS_DATABASE_URL must name the database in production: sqlite:///path on one node, else postgresql://…"
    if settings.replay_window_s:
        seconds = settings.replay_window_s
        yield f"CDS_REPLAY_WINDOW_S must be 0 in production, where a token is good for one call; it is {seconds}"


def is_loopback(host: str) -> bool:
    """Whether the host of a URL is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
