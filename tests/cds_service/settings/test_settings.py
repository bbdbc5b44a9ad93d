"""Settings: read from CDS_* variables, all faults reported at once, with safe defaults."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cds_service.errors import NotReady
from cds_service.settings.settings import Settings, is_loopback, read_settings

CANARY = "canary-of-32-characters-or-more-0123456789"


def reasons(**variables: str) -> list[str]:
    """Why these variables refuse to start."""
    with pytest.raises(NotReady) as refusal:
        read_settings(variables)
    return refusal.value.reasons


def test_without_any_variable_the_service_is_for_this_machine_only() -> None:
    settings = read_settings({"PATH": "/usr/bin", "HOME": "/root"})
    assert settings == Settings()
    assert (settings.profile, settings.host, settings.port) == ("development", "127.0.0.1", 8080)
    assert settings.max_body_bytes == 8_000_000
    assert (settings.is_production, settings.tokens_required, settings.open_discovery) == (False, False, False)
    assert (settings.store_comments, settings.patient_hash_key, settings.ca_file) == (False, "", None)
    assert settings.database.render_as_string() == "sqlite:///cds-service.sqlite"
    assert settings.base_url == "http://127.0.0.1:8080"


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    settings = read_settings(
        {
            "CDS_PROFILE": "development",
            "CDS_HOST": "localhost",
            "CDS_PORT": "9001",
            "CDS_PUBLIC_URL": "https://cds.example.org/lp/",
            "CDS_CLIENTS_FILE": str(file),
            "CDS_REQUIRE_TOKENS": "yes",
            "CDS_OPEN_DISCOVERY": "YES",
            "CDS_REPLAY_WINDOW_S": "600",
            "CDS_DATABASE_URL": "sqlite:////var/lib/cds/ledger.sqlite",
            "CDS_RECORD_BEFORE_ANSWER": "yes",
            "CDS_STORE_COMMENTS": "yes",
            "CDS_PATIENT_HASH_KEY": CANARY,
            "CDS_CA_FILE": str(file),
            "CDS_FHIR_BUDGET_MS": "0",
            "CDS_MAX_BODY_BYTES": "1000",
            "CDS_TOPICS": "lumbar_puncture",
            "CDS_CARDS_OFF": "confounders, lumbar-puncture-back-pain/nerve-symptoms",
            "CDS_VALUE_SETS_DIR": str(tmp_path),
            "CDS_DRAFT_TRANSLATIONS": "Yes",
            "CDS_STALE_REVIEW": "warn",
            "CDS_METRICS_TOKEN": CANARY,
            "CDS_WORKERS": "2",
            "CDS_THREADS": "8",
        }
    )
    assert settings == Settings(
        profile="development",
        host="localhost",
        port=9001,
        public_url="https://cds.example.org/lp",
        clients_file=file,
        require_tokens=True,
        open_discovery=True,
        replay_window_s=600,
        database_url="sqlite:////var/lib/cds/ledger.sqlite",
        record_before_answer=True,
        store_comments=True,
        patient_hash_key=CANARY,
        ca_file=file,
        fhir_budget_ms=0,
        max_body_bytes=1000,
        topics=("lumbar_puncture",),
        cards_off=("confounders", "lumbar-puncture-back-pain/nerve-symptoms"),
        value_sets_dir=tmp_path,
        draft_translations=True,
        stale_review="warn",
        metrics_token=CANARY,
        workers=2,
        threads=8,
    )
    changed = [one.name for one in fields(Settings) if getattr(settings, one.name) != getattr(Settings(), one.name)]
    assert changed == [one.name for one in fields(Settings) if one.name != "profile"]


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        pytest.param("CDS_PORT", "x", "whole number", id="a port in words"),
        pytest.param("CDS_PORT", "", "whole number", id="an empty port"),
        pytest.param("CDS_PORT", "0", "1 to 65535", id="port zero"),
        pytest.param("CDS_PORT", "65536", "1 to 65535", id="a port above all ports"),
        pytest.param("CDS_PORT", "-1", "whole number", id="a negative port"),
        pytest.param("CDS_PORT", "80.5", "whole number", id="a port with a fraction"),
        pytest.param("CDS_FHIR_BUDGET_MS", "60001", "0 to 60000", id="a budget longer than a minute"),
        pytest.param("CDS_MAX_BODY_BYTES", "999", "1000", id="a limit that no call fits in"),
        pytest.param("CDS_WORKERS", "0", "1 to 64", id="no worker"),
        pytest.param("CDS_THREADS", "1025", "1 to 1024", id="too many threads"),
        pytest.param("CDS_HOST", "0.0.0.0", "loopback", id="all interfaces"),  # noqa: S104 - is refused
        pytest.param("CDS_HOST", "::", "loopback", id="all interfaces in IPv6"),
        pytest.param("CDS_HOST", "10.0.0.7", "loopback", id="an address of the network"),
        pytest.param("CDS_HOST", "cds.example.org", "loopback", id="a name that may resolve to anything"),
        pytest.param("CDS_HOST", "localhost.example.org", "loopback", id="a name that begins with localhost"),
        pytest.param("CDS_HOST", "", "an address or host name", id="an empty host"),
        pytest.param("CDS_HOST", "localhost; rm", "an address or host name", id="a host with more than a name"),
        pytest.param("CDS_HOST", "http://127.0.0.1", "an address or host name", id="a host that is a URL"),
        pytest.param("CDS_PUBLIC_URL", "cds.example.org", "http or https", id="a public URL without a scheme"),
        pytest.param("CDS_PUBLIC_URL", "ftp://cds.example.org", "http or https", id="a public URL that is not http"),
        pytest.param("CDS_PUBLIC_URL", "javascript:alert(1)", "http or https", id="a public URL that is a script"),
        pytest.param("CDS_PUBLIC_URL", "https://x.org/?a=b", "without user or query", id="a public URL with a query"),
        pytest.param("CDS_PUBLIC_URL", "https://x.org/#a", "http or https", id="a public URL with a fragment"),
        pytest.param("CDS_PUBLIC_URL", "http://[", "", id="a public URL with half an address"),
        pytest.param(
            "CDS_VALUE_SETS_DIR",
            "/nothing/here",
            "an existing folder",
            id="a folder that is not there",
        ),
        pytest.param("CDS_DRAFT_TRANSLATIONS", "1", "yes or no", id="a number for yes"),
        pytest.param("CDS_STALE_REVIEW", "ignore", "refuse or warn", id="an overdue review that nobody would see"),
        pytest.param("CDS_CLIENTS_FILE", "/nothing/here.toml", "it is '/nothing/", id="clients that are not there"),
        pytest.param("CDS_CLIENTS_FILE", "/", "an existing file", id="a folder for a file"),
        pytest.param("CDS_CA_FILE", "", "an existing file", id="authorities from nowhere"),
        pytest.param("CDS_REQUIRE_TOKENS", "true", "yes or no", id="true for yes"),
        pytest.param("CDS_OPEN_DISCOVERY", "", "yes or no", id="nothing for no"),
        pytest.param("CDS_STORE_COMMENTS", "some", "yes or no", id="some comments"),
        pytest.param("CDS_REPLAY_WINDOW_S", "3601", "0 to 3600", id="a replay window of more than an hour"),
        pytest.param("CDS_REPLAY_WINDOW_S", "-1", "whole number", id="a negative replay window"),
        pytest.param("CDS_DATABASE_URL", "", "must be a URL such as", id="no database"),
        pytest.param("CDS_DATABASE_URL", "ledger.sqlite", "must be a URL such as", id="a database by its bare path"),
        pytest.param("CDS_DATABASE_URL", "sqlite://", "must name a file", id="a database in memory"),
        pytest.param("CDS_DATABASE_URL", "sqlite:///:memory:", "must name a file", id="the same by its name"),
        pytest.param("CDS_DATABASE_URL", "mysql://u:p@h/d", "or postgresql://", id="a database of another kind"),
        pytest.param("CDS_DATABASE_URL", "postgresql://host", "name of a database", id="a server without a database"),
        pytest.param("CDS_PATIENT_HASH_KEY", "short", "32 characters or more", id="a short key"),
        pytest.param("CDS_PATIENT_HASH_KEY", "", "32 characters or more", id="an empty key"),
        pytest.param("CDS_PROFILE", "prod", "development or production", id="an unknown profile"),
        pytest.param("CDS_PROFILE", "Development", "development or production", id="a profile in other letters"),
        pytest.param("CDS_DATABASE", "sqlite://", "did you mean CDS_DATABASE_URL", id="an unknown name"),
        pytest.param("CDS_", "x", "is not a setting", id="the bare prefix"),
        pytest.param("CDS_port", "80", "is not a setting", id="a name in small letters"),
    ],
)
def test_a_fault_is_said_in_one_line_that_begins_with_the_variable(variable: str, text: str, says: str) -> None:
    (reason,) = reasons(**{variable: text})
    assert reason.startswith(variable + " ")
    assert says in reason
    assert "\n" not in reason


def test_all_faults_are_said_at_once() -> None:
    said = reasons(CDS_PORT="x", CDS_HOST="0.0.0.0", CDS_NOPE="1", CDS_WORKERS="many")  # noqa: S104
    assert [reason.partition(" ")[0] for reason in said] == ["CDS_HOST", "CDS_NOPE", "CDS_PORT", "CDS_WORKERS"]


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """The least that production takes."""
    clients = tmp_path / "clients.toml"
    clients.touch()
    return {
        "CDS_PROFILE": "production",
        "CDS_CLIENTS_FILE": str(clients),
        "CDS_PUBLIC_URL": "https://cds.example.org",
        "CDS_DATABASE_URL": f"postgresql://cds:{CANARY}@db.example.org/cds",
    }


def test_production_is_possible(production: dict[str, str]) -> None:
    """On every interface; tokens are required without being asked for."""
    settings = read_settings(production | {"CDS_HOST": "0.0.0.0"})  # noqa: S104
    assert (settings.is_production, settings.tokens_required, settings.open_discovery) == (True, True, False)
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert settings.database.drivername == "postgresql+psycopg"
    assert read_settings(production | {"CDS_REQUIRE_TOKENS": "no"}).tokens_required


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        pytest.param("CDS_CLIENTS_FILE", None, "must name the file of registered clients", id="no clients"),
        pytest.param("CDS_CLIENTS_FILE", "/nothing/here", "an existing file", id="clients that are not there"),
        pytest.param("CDS_PUBLIC_URL", None, "must be the https address", id="no public URL"),
        pytest.param("CDS_PUBLIC_URL", "http://cds.example.org", "must be the https address", id="a URL without TLS"),
        pytest.param("CDS_PUBLIC_URL", "HTTPS://", "must be an http or https address", id="a URL without a host"),
        pytest.param("CDS_DATABASE_URL", None, "must name the database in production", id="no database"),
        pytest.param("CDS_DATABASE_URL", "sqlite://", "must name a file", id="a database in memory"),
        pytest.param("CDS_REPLAY_WINDOW_S", "1", "must be 0 in production", id="a replay window"),
        pytest.param("CDS_PATIENT_HASH_KEY", "short", "32 characters or more", id="a short key"),
    ],
)
def test_what_production_refuses_is_said_in_one_line_that_begins_with_the_variable(
    production: dict[str, str], variable: str, text: str | None, says: str
) -> None:
    variables = {name: value for name, value in (production | {variable: text}).items() if value is not None}
    (reason,) = reasons(**variables)
    assert reason.startswith(variable + " ")
    assert says in reason
    assert "\n" not in reason


def test_production_without_anything_is_told_all_it_needs() -> None:
    said = reasons(CDS_PROFILE="production", CDS_HOST="0.0.0.0", CDS_REPLAY_WINDOW_S="5")  # noqa: S104
    assert [reason.partition(" ")[0] for reason in said] == [
        "CDS_CLIENTS_FILE",
        "CDS_DATABASE_URL",
        "CDS_PUBLIC_URL",
        "CDS_REPLAY_WINDOW_S",
    ]


def test_secret_is_in_no_repr_and_in_no_refusal(production: dict[str, str]) -> None:
    """Neither the key nor the password of the database: a repr ends up in logs and tracebacks."""
    settings = read_settings(production | {"CDS_PATIENT_HASH_KEY": CANARY})
    assert CANARY not in repr(settings)
    assert CANARY not in repr(settings.database)
    secrets = [one.name for one in fields(Settings) if one.metadata["secret"]]
    assert secrets == ["database_url", "patient_hash_key", "metrics_token"]
    said = reasons(CDS_DATABASE_URL=f"mysql://u:{CANARY}@h/d", CDS_PATIENT_HASH_KEY=CANARY[:31])
    assert CANARY[:31] not in "".join(said)


def test_a_secret_may_come_from_a_file_as_containers_mount_it(production: dict[str, str], tmp_path: Path) -> None:
    """The newline at its end, which editors add, is none of it; what else is blank is."""
    url = production.pop("CDS_DATABASE_URL")
    for name, text in (("url", f"{url}\n"), ("key", f"{CANARY} \r\n")):
        (tmp_path / name).write_text(text, "utf-8", newline="")
    files = {"CDS_DATABASE_URL_FILE": str(tmp_path / "url"), "CDS_PATIENT_HASH_KEY_FILE": str(tmp_path / "key")}
    settings = read_settings(production | files)
    assert (settings.database_url, settings.patient_hash_key) == (url, f"{CANARY} ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "must be a file of UTF-8 text that this process may read", id="none"),
        pytest.param(b"\xff" + CANARY.encode(), "must be a file of UTF-8 text", id="bytes that are no text"),
        pytest.param(CANARY[:31].encode(), "names a file whose text must be 32 characters or more", id="a short key"),
        pytest.param(b"", "names a file whose text must be 32 characters or more", id="nothing"),
    ],
)
def test_a_file_without_a_secret_is_refused_without_a_word_of_it(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    (reason,) = reasons(CDS_PATIENT_HASH_KEY_FILE=str(file))
    assert reason.startswith(f"CDS_PATIENT_HASH_KEY_FILE {says}")
    assert CANARY[:31] not in reason


def test_a_secret_comes_from_one_place(production: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "url").write_text(production["CDS_DATABASE_URL"], "utf-8")
    (reason,) = reasons(**production, CDS_DATABASE_URL_FILE=str(tmp_path / "url"))
    assert reason == "CDS_DATABASE_URL_FILE and CDS_DATABASE_URL are both set: keep one of them"


def test_a_wrong_file_is_said_once(production: dict[str, str]) -> None:
    """And not that the setting is missing, too."""
    del production["CDS_DATABASE_URL"]
    (reason,) = reasons(**production, CDS_DATABASE_URL_FILE="/nothing/here")
    assert reason.startswith("CDS_DATABASE_URL_FILE must be a file")


def test_only_secrets_come_from_files() -> None:
    (reason,) = reasons(CDS_PORT_FILE="/etc/hostname")
    assert reason.startswith("CDS_PORT_FILE is not a setting")
    assert "CDS_PATIENT_HASH_KEY_FILE" in reason


def test_usual_variables_name_the_authorities_to_trust(tmp_path: Path) -> None:
    """The operator's own name for it wins; one that is not there is passed over, as curl and requests do."""
    ours, bundle, file = (tmp_path / name for name in ("ours", "bundle", "file"))
    for one in (ours, bundle, file):
        one.touch()
    usual = {"REQUESTS_CA_BUNDLE": str(bundle), "SSL_CERT_FILE": str(file)}
    assert read_settings({"SSL_CERT_FILE": str(file)}).ca_file == file
    assert read_settings(usual).ca_file == bundle
    assert read_settings(usual | {"CDS_CA_FILE": str(ours)}).ca_file == ours
    assert read_settings({"SSL_CERT_FILE": "/nothing/here"}).ca_file is None


def test_the_refusal_prints_every_reason() -> None:
    assert str(NotReady(["CDS_A is wrong", "CDS_B is wrong"])) == "CDS_A is wrong\nCDS_B is wrong"


@pytest.mark.parametrize(
    ("variables", "base_url"),
    [
        pytest.param({"CDS_PORT": "9001"}, "http://127.0.0.1:9001", id="from the port"),
        pytest.param({"CDS_HOST": "::1"}, "http://[::1]:8080", id="from an IPv6 host, in brackets"),
        pytest.param({"CDS_PUBLIC_URL": "https://x.org/a/"}, "https://x.org/a", id="as set, without trailing slash"),
        pytest.param(
            {"CDS_PUBLIC_URL": "https://x.org", "CDS_PORT": "9001"}, "https://x.org", id="as set, whatever the port"
        ),
        pytest.param(
            {"CDS_HOST": "[::1]"},
            "http://[::1]:8080",
            id="from an IPv6 host that comes in brackets",
        ),
    ],
)
def test_the_base_url_is_how_clients_know_us(variables: dict[str, str], base_url: str) -> None:
    assert read_settings(variables).base_url == base_url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LocalHost"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0", "127.0.0.1.example.org", "localhost.", "2130706433", "0x7f000001", "::", "fe80::1", "a b"]
)
def test_everything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(AttributeError, match=re.escape("port")):
        Settings().port = 1  # type: ignore[misc]


def test_an_unknown_name_is_answered_with_the_nearest_and_where_all_are_listed() -> None:
    (reason,) = reasons(CDS_PRT="8080")
    assert reason.startswith("CDS_PRT is not a setting; did you mean CDS_PORT")
    assert "docs/configuration.md" in reason


def test_the_value_is_shown_and_the_flag_that_gave_it() -> None:
    with pytest.raises(NotReady) as caught:
        read_settings({"CDS_PORT": "80a", "CDS_WORKERS": "many"}, {"CDS_PORT": "--port"})
    assert caught.value.reasons == [
        "--port must be a whole number from 1 to 65535; it is '80a'",
        "CDS_WORKERS must be a whole number from 1 to 64; it is 'many'",
    ]


def test_a_relative_path_is_shown_with_the_folder_it_was_looked_for_in() -> None:
    (reason,) = reasons(CDS_CLIENTS_FILE="nowhere.toml")
    assert (
        reason == f"CDS_CLIENTS_FILE must be an existing file; it is 'nowhere.toml', which is {Path.cwd()}/nowhere.toml"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("CDS_METRICS_TOKEN", "hunter2", id="a short token"),
        pytest.param("CDS_PATIENT_HASH_KEY", "hunter2", id="a short key"),
        pytest.param("CDS_DATABASE_URL", "mysql://user:hunter2@db/cds", id="a database of another kind"),
        pytest.param("CDS_PUBLIC_URL", "https://user:hunter2@cds.example.org", id="a password in an address"),
    ],
)
def test_no_secret_is_shown(name: str, text: str) -> None:
    assert "hunter2" not in "".join(reasons(**{name: text}))
