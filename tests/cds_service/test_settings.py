"""Settings: read from CDS_* variables, refused all at once where they are wrong, safe where nothing is set."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cds_service.errors import NotReady
from cds_service.settings import Settings, is_loopback, read_settings


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
    assert settings.base_url == "http://127.0.0.1:8080"


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "CDS_PROFILE": "development",
            "CDS_HOST": "localhost",
            "CDS_PORT": "9001",
            "CDS_PUBLIC_URL": "https://cds.example.org/lp/",
            "CDS_FHIR_BUDGET_MS": "0",
            "CDS_MAX_BODY_BYTES": "1000",
            "CDS_VALUE_SETS_DIR": str(tmp_path),
            "CDS_DRAFT_TRANSLATIONS": "Yes",
            "CDS_STALE_REVIEW": "warn",
            "CDS_WORKERS": "2",
            "CDS_THREADS": "8",
        }
    )
    assert settings == Settings(
        profile="development",
        host="localhost",
        port=9001,
        public_url="https://cds.example.org/lp",
        fhir_budget_ms=0,
        max_body_bytes=1000,
        value_sets_dir=tmp_path,
        draft_translations=True,
        stale_review="warn",
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
        pytest.param("CDS_HOST", "", "loopback", id="an empty host"),
        pytest.param("CDS_PUBLIC_URL", "cds.example.org", "http or https", id="a public URL without a scheme"),
        pytest.param("CDS_PUBLIC_URL", "ftp://cds.example.org", "http or https", id="a public URL that is not http"),
        pytest.param("CDS_PUBLIC_URL", "javascript:alert(1)", "http or https", id="a public URL that is a script"),
        pytest.param("CDS_PUBLIC_URL", "https://x.org/?a=b", "without user or query", id="a public URL with a query"),
        pytest.param("CDS_PUBLIC_URL", "https://x.org/#a", "http or https", id="a public URL with a fragment"),
        pytest.param("CDS_PUBLIC_URL", "http://[", "", id="a public URL with half an address"),
        pytest.param("CDS_VALUE_SETS_DIR", "/nothing/here", "a folder that is there", id="a folder that is not there"),
        pytest.param("CDS_DRAFT_TRANSLATIONS", "1", "yes or no", id="a number for yes"),
        pytest.param("CDS_STALE_REVIEW", "ignore", "refuse or warn", id="an overdue review that nobody would see"),
        pytest.param("CDS_PROFILE", "production", "cannot tell who is calling", id="production, with the reason"),
        pytest.param("CDS_PROFILE", "prod", "not a profile", id="an unknown profile"),
        pytest.param("CDS_PROFILE", "Development", "not a profile", id="a profile in other letters"),
        pytest.param("CDS_DATABASE_URL", "sqlite://", "CDS_PORT", id="an unknown name, with the names there are"),
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
    said = reasons(CDS_PORT="x", CDS_HOST="0.0.0.0", CDS_PROFILE="production", CDS_NOPE="1", CDS_WORKERS="many")  # noqa: S104
    assert [reason.partition(" ")[0] for reason in said] == [
        "CDS_HOST",
        "CDS_NOPE",
        "CDS_PORT",
        "CDS_PROFILE",
        "CDS_WORKERS",
    ]


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
