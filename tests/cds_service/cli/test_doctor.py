"""`cds-service doctor`: what a configuration allows, what would prevent a start, and no secrets."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.doctor import Diagnosis, examine, find_database_faults
from cds_service.cli.main import main
from cds_service.settings.settings import Settings
from tests.certificates import self_signed, server_context
from tests.misbehaving_server import LoopbackServer, answer
from tests.token_forge import jwk_of, key_for

UNSET: dict[str, str | None] = {f"CDS_{one.name.upper()}": None for one in fields(Settings)}
CANARY = "canary-of-32-characters-or-more-0123456789"
CLIENTS = """
[[clients]]
name = "general-hospital"
issuer = "https://ehr.example.org"
algorithms = ["RS384", "ES384"]
jwks_file = "keys.json"
tenants = ["south", "north"]
fhir_servers = ["https://ehr.example.org/fhir/R4/"]
cors_origins = ["https://ehr.example.org"]
max_cards = 2
quiet_period_hours = 720
final_reasons = ["patient-ineligible", "action-completed"]

[[clients]]
name = "valley-practices"
issuer = "https://valley.example.org"
algorithms = ["ES384"]
jwks_file = "keys.json"
"""


@pytest.fixture
def production(tmp_path: Path, empty_ledger: Path) -> dict[str, str]:
    """The variables of an installation that may start."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk_of(key_for("ES384"), "ES384", "k")]}), "utf-8")
    (tmp_path / "clients.toml").write_text(CLIENTS, "utf-8")
    return {
        "CDS_PROFILE": "production",
        "CDS_HOST": "0.0.0.0",  # noqa: S104 - production may
        "CDS_PUBLIC_URL": "https://cds.example.org/",
        "CDS_CLIENTS_FILE": str(tmp_path / "clients.toml"),
        "CDS_DATABASE_URL": f"sqlite:///{empty_ledger}",
        "CDS_PATIENT_HASH_KEY": CANARY,
    }


def doctor(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], env=UNSET | variables)


def facts(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """What is said of each subject; a subject that is empty goes on with the one before it."""
    said: dict[str, list[str]] = {}
    last = ""
    for subject, words in diagnosis.facts:
        last = subject or last
        said.setdefault(last, []).append(words)
    return said


def test_development_is_told_that_anybody_on_this_machine_may_call(tmp_path: Path) -> None:
    """And its database is made."""
    ledger = tmp_path / "ledger.sqlite"
    result = doctor(CDS_DATABASE_URL=f"sqlite:///{ledger}")
    assert (result.exit_code, result.stderr) == (0, "")
    said = result.stdout
    assert "with or without a token" in said
    assert "listens on" in said
    assert "127.0.0.1, port 8080" in said
    assert "http://127.0.0.1:8080/cds-services" in said
    assert "client cds-hooks-sandbox" in said
    assert "any on this machine" in said
    assert said.endswith("the service would start\n")
    assert ledger.is_file()


def test_production_is_told_who_may_do_what(production: dict[str, str]) -> None:
    said = facts(examine(production, ask_issuers=False))
    assert said["profile"] == ["production"]
    assert said["known as"] == ["https://cds.example.org/cds-services"]
    assert "registered clients only" in said["calls"][0]
    assert said["discovery"] == ["for registered clients only"]
    assert said["client general-hospital"] == [
        "https://ehr.example.org, ES384, RS384, tenants north, south",
        "FHIR servers: https://ehr.example.org/fhir/R4; browser origins: https://ehr.example.org",
        "quiet for 720 hours after action-completed, patient-ineligible",
        "at most 2 cards in an answer, not counting those that are always shown",
    ]
    assert said["client valley-practices"] == [
        "https://valley.example.org, ES384, any tenant",
        "FHIR servers: none, so prefetch only; browser origins: none",
    ]
    assert said["database"] == [production["CDS_DATABASE_URL"]]
    assert "not stored" in said["feedback"][0]
    assert "replay" not in said


def test_production_that_may_start_is_told_so(production: dict[str, str]) -> None:
    result = doctor(**production)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("the service would start\n")


def test_what_was_opened_is_said(production: dict[str, str]) -> None:
    open_one = facts(
        examine(production | {"CDS_OPEN_DISCOVERY": "yes", "CDS_STORE_COMMENTS": "yes"}, ask_issuers=False)
    )
    assert open_one["discovery"] == ["open to anyone"]
    assert open_one["feedback"] == ["stored in the ledger; user comments are stored"]


def test_cards_that_are_off_are_said(production: dict[str, str]) -> None:
    diagnosis = examine(production | {"CDS_CARDS_OFF": "confounders"}, ask_issuers=False)
    assert facts(diagnosis)["cards off"] == ["confounders: decided and counted, never shown"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param("red-flags", "must not name red-flags", id="a card that is always shown"),
        pytest.param("confounder", "did you mean confounders?", id="a card that is not there"),
        pytest.param("Con founders", "must be names of cards", id="no name at all"),
    ],
)
def test_a_card_that_cannot_be_off_prevents_a_start(production: dict[str, str], names: str, words: str) -> None:
    result = doctor(**production, CDS_CARDS_OFF=names)
    assert result.exit_code == 1
    assert words in result.output


def test_conformance_run_is_told_what_is_looser(production: dict[str, str], tmp_path: Path) -> None:
    looser = {"CDS_PROFILE": "development", "CDS_HOST": "127.0.0.1", "CDS_REPLAY_WINDOW_S": "600"}
    database = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/run.sqlite", "CDS_REQUIRE_TOKENS": "yes"}
    diagnosis = examine(production | looser | database, ask_issuers=False)
    assert diagnosis.faults == []
    assert "a token may be used again within 600 s" in facts(diagnosis)["replay"][0]
    assert "registered clients only" in facts(diagnosis)["calls"][0]


def test_every_reason_against_a_start_is_a_line_of_its_own() -> None:
    result = doctor(CDS_PROFILE="production", CDS_REPLAY_WINDOW_S="9", CDS_PORT="x")
    first, *lines = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert first == "cds-service: the service would not start: 5 reasons"
    assert [line.split()[0] for line in lines] == [
        "CDS_CLIENTS_FILE",
        "CDS_DATABASE_URL",
        "CDS_PORT",
        "CDS_PUBLIC_URL",
        "CDS_REPLAY_WINDOW_S",
    ]


def test_faults_of_clients_and_database_are_told_together(production: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "clients.toml").write_text(CLIENTS.replace("RS384", "HS384").replace('"south"', '" "'), "utf-8")
    database = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite"}
    result = doctor(**production | database)
    first, *lines = [line.strip() for line in result.stderr.splitlines()]
    assert (result.exit_code, first) == (1, "cds-service: the service would not start: 3 reasons")
    assert lines[0].startswith("clients.toml: client 1 (general-hospital): algorithms must be some of")
    assert lines[1].startswith("clients.toml: client 1 (general-hospital): tenants must be")
    assert lines[2] == "CDS_DATABASE_URL: the database schema does not exist yet: run `cds-service db upgrade`"


def test_missing_hash_key_is_told(production: dict[str, str]) -> None:
    del production["CDS_PATIENT_HASH_KEY"]
    (fault,) = examine(production, ask_issuers=False).faults
    assert fault.startswith("CDS_PATIENT_HASH_KEY must be set: general-hospital")


def test_database_of_a_newer_version_is_told(production: dict[str, str], tmp_path: Path) -> None:
    ledger = tmp_path / "newer.sqlite"
    connection = sqlite3.connect(ledger)
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    connection.execute("INSERT INTO alembic_version VALUES ('zzzz')")
    connection.commit()
    connection.close()
    (fault,) = examine(production | {"CDS_DATABASE_URL": f"sqlite:///{ledger}"}, ask_issuers=False).faults
    assert fault.startswith("CDS_DATABASE_URL: ")
    assert "newer" in fault


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sqlite:////no/such/folder/ledger.sqlite", id="SQLite"),
        pytest.param(f"postgresql://cds:{CANARY}@127.0.0.1:1/cds", id="PostgreSQL"),
        pytest.param(f"postgresql://cds@127.0.0.1:1/cds?password={CANARY}", id="a password in the query"),
    ],
)
def test_database_that_does_not_answer_is_told_without_its_password(production: dict[str, str], url: str) -> None:
    result = doctor(**production | {"CDS_DATABASE_URL": url})
    assert (result.exit_code, CANARY in result.output) == (1, False)
    (line,) = result.stderr.splitlines()[1:]
    assert line.startswith("  CDS_DATABASE_URL: it does not answer in time (")
    assert "database" in result.stdout
    assert find_database_faults(Settings(database_url=url, profile="production")) == [line.strip()]


def test_secrets_are_not_printed(production: dict[str, str]) -> None:
    """The hash key neither where all is well nor where it is refused."""
    for variables in (production, production | {"CDS_PATIENT_HASH_KEY": CANARY[:31]}):
        assert CANARY[:31] not in doctor(**variables).output


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[LoopbackServer]:
    one = LoopbackServer(tls=server_context(self_signed(tmp_path, "127.0.0.1")))
    yield one
    one.close()


@pytest.fixture
def with_issuer(production: dict[str, str], issuer: LoopbackServer, tmp_path: Path) -> dict[str, str]:
    """One client's keys are to be fetched."""
    url = issuer.base.removesuffix("/fhir") + "/jwks.json"
    fetched = CLIENTS.replace('jwks_file = "keys.json"', f'jwks_url = "{url}"', 1)
    (tmp_path / "clients.toml").write_text(fetched, "utf-8")
    return production | {"CDS_CA_FILE": str(tmp_path / "127.0.0.1.pem")}


def test_issuers_are_not_asked_unless_told_to(with_issuer: dict[str, str], issuer: LoopbackServer) -> None:
    assert doctor(**with_issuer).exit_code == 0
    assert issuer.connection_count == 0


def test_issuers_are_asked_when_told_to(with_issuer: dict[str, str], issuer: LoopbackServer) -> None:
    """With what is of no use in their sets."""
    good, useless = jwk_of(key_for("ES384"), "ES384", "k"), jwk_of(key_for("ES384"), "ES384", "e", use="enc")
    issuer.answers["/jwks.json"] = answer({"keys": [good, useless, useless]})
    result = doctor("--ask-issuers", **with_issuer)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 usable; not used: 2 of a key that is not for signatures" in result.stdout
    assert "keys of valley-practices" not in result.stdout  # which has a file


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        pytest.param([], "has no usable key", id="an empty set"),
        pytest.param(
            [{"kty": "oct", "kid": "k", "k": "AA"}], "no usable key; not used: 1 of a private", id="no public"
        ),
        pytest.param(None, "cannot be fetched from its jwks_url", id="no set"),
    ],
)
def test_issuer_without_usable_keys_is_a_fault(
    with_issuer: dict[str, str], issuer: LoopbackServer, keys: object, says: str
) -> None:
    issuer.answers["/jwks.json"] = answer({"keys": keys})
    (fault,) = examine(with_issuer, ask_issuers=True).faults
    assert fault.startswith("client general-hospital: ")
    assert says in fault


def test_issuer_that_is_not_trusted_is_a_fault(with_issuer: dict[str, str], issuer: LoopbackServer) -> None:
    issuer.answers["/jwks.json"] = answer({"keys": [jwk_of(key_for("ES384"), "ES384", "k")]})
    del with_issuer["CDS_CA_FILE"]
    result = doctor("--ask-issuers", **with_issuer)
    assert result.exit_code == 1
    assert "client general-hospital: its key set cannot be fetched" in result.stderr


def test_a_silent_client_is_named(production: dict[str, str]) -> None:
    path = Path(production["CDS_CLIENTS_FILE"])
    path.write_text(path.read_text("utf-8") + 'mode = "silent"\n', "utf-8")  # of the last one
    said = facts(examine(production, ask_issuers=False))
    silent = "SILENT: cards are decided and recorded, but not shown"
    assert silent in said["client valley-practices"]
    assert silent not in said["client general-hospital"]
