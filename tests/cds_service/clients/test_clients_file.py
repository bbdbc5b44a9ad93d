"""The clients file: a complete one is read, and every fault is a line that names the client."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cds_service.clients.clients_file import Mode
from cds_service.clients.issuer_keys import FetchedKeys, KeySet, KeysUnobtainable
from cds_service.clients.registry import SANDBOX_FILE, CardLimits, Registry, load_registry, registry_of
from cds_service.errors import NotReady
from cds_service.fhir_client.base_url import parse_base
from cds_service.settings.settings import Settings
from tests.places import ROOT
from tests.token_forge import ALGORITHMS, jwk_of, key_for, private_jwk_of

DOCUMENT = ROOT / "docs" / "clients.md"
SANDBOX_KEYS = SANDBOX_FILE.with_name("sandbox-jwks.json")

WHOLE = """
[[clients]]
name = "general-hospital"
issuer = "https://ehr.example.org"
algorithms = ["ES384", "RS384"]
jwks_url = "https://ehr.example.org/keys?set=1"
tenants = ["north", "south"]
fhir_servers = ["https://EHR.example.org:443/fhir/R4/", "https://fhir.example.org"]
cors_origins = ["https://ehr.example.org", "https://ehr.example.org:8443"]
mode = "silent"
max_cards = 2
quiet_period_hours = 720
final_reasons = ["patient-ineligible", "action-completed"]

[[clients]]
name = "valley-practices"
issuer = "https://valley.example.org"
algorithms = ["EdDSA"]
jwks_file = "valley.json"
"""


def no_fetch(url: str) -> bytes:
    raise AssertionError("nothing is fetched when the file is read")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a clients file and its key files are."""
    good = [jwk_of(key_for(one), one, one) for one in ALGORITHMS]
    sets: dict[str, Any] = {
        "valley.json": {"keys": good},
        "private.json": {"keys": [private_jwk_of(key_for("ES384"), "ES384", "k")]},
        "weak.json": {"keys": [jwk_of(key_for("RS384", "weak"), "RS384", "k")]},
        "encryption.json": {"keys": [jwk_of(key_for("ES384"), "ES384", "k", use="enc")]},
        "twice.json": {"keys": [good[0], good[0]]},
        "empty.json": {"keys": []},
        "no-set.json": good[0],
        "sandbox.json": json.loads(SANDBOX_KEYS.read_text("utf-8")),
    }
    for name, content in sets.items():
        (tmp_path / name).write_text(json.dumps(content), "utf-8")
    (tmp_path / "pem.json").write_text("-----BEGIN PUBLIC KEY-----", "utf-8")
    return tmp_path


def load(folder: Path, toml: str, *, production: bool = True) -> Registry:
    path = folder / "clients.toml"
    path.write_text(toml, "utf-8")
    return load_registry(path, production=production, fetch=no_fetch)


def faults(folder: Path, toml: str, *, production: bool = True) -> list[str]:
    with pytest.raises(NotReady) as refusal:
        load(folder, toml, production=production)
    assert all("\n" not in reason for reason in refusal.value.reasons)
    return refusal.value.reasons


def test_whole_file_is_read(folder: Path) -> None:
    """In production, with every member there is."""
    registry = load(folder, WHOLE)
    hospital, valley = registry.clients
    assert (hospital.name, hospital.issuer) == ("general-hospital", "https://ehr.example.org")
    assert hospital.algorithms == {"ES384", "RS384"}
    assert hospital.tenants == frozenset({"north", "south"})
    assert isinstance(hospital.keys, FetchedKeys)
    assert hospital.fhir_servers == (
        parse_base("https://ehr.example.org/fhir/R4"),
        parse_base("https://fhir.example.org"),
    )
    assert hospital.cors_origins == ("https://ehr.example.org", "https://ehr.example.org:8443")
    assert hospital.mode is Mode.SILENT
    assert hospital.card_limits == CardLimits(2, 720, frozenset({"patient-ineligible", "action-completed"}))
    assert (valley.tenants, valley.fhir_servers, valley.cors_origins) == (None, (), ())
    assert (valley.mode, valley.card_limits) == (Mode.VISIBLE, CardLimits())
    assert isinstance(valley.keys, KeySet)
    assert valley.keys.find("EdDSA", "EdDSA")
    assert registry.cors_origins == ["https://ehr.example.org", "https://ehr.example.org:8443"]


def test_client_is_found_by_issuer_and_tenant(folder: Path) -> None:
    registry = load(folder, WHOLE)
    hospital, valley = registry.clients
    assert registry.find("https://ehr.example.org", "north") is hospital
    assert registry.find("https://ehr.example.org", "west") is None
    assert registry.find("https://ehr.example.org", None) is None
    assert registry.find("https://valley.example.org", None) is valley
    assert registry.find("https://valley.example.org", "any") is valley
    assert registry.find("https://ehr.example.org/", "north") is None
    assert (registry.knows("https://ehr.example.org"), registry.knows("https://EHR.example.org")) == (True, False)


def test_several_clients_may_share_an_issuer(folder: Path) -> None:
    """As all sites of Oracle Health do: their tenants tell them apart."""
    shared = "".join(entry(name=name, tenants=[name]) for name in ("north", "south"))
    registry = load(folder, shared)
    issuer = "https://ehr.example.org"
    assert [registry.find(issuer, one) for one in ("north", "south", "x")] == [*registry.clients, None]


def test_keys_do_not_show_in_the_repr_of_a_client(folder: Path) -> None:
    assert "keys" not in repr(load(folder, WHOLE).clients[0])


def entry(**members: Any) -> str:
    """A table that is good in production, but for these members; None leaves one out."""
    good = {
        "name": "clinic",
        "issuer": "https://ehr.example.org",
        "algorithms": ["ES384"],
        "jwks_file": "valley.json",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in (good | members).items() if value is not None]
    return "\n".join(["[[clients]]", *lines, ""])


URL = {"jwks_file": None, "jwks_url": "https://ehr.example.org/jwks"}
FAULTS = [
    pytest.param({"name": "Clinic"}, "name must be lowercase letters", id="a name in capitals"),
    pytest.param({"name": "a\nb"}, "name must be lowercase letters", id="a name of two lines"),
    pytest.param({"name": ""}, "name must be lowercase letters", id="an empty name"),
    pytest.param({"name": "-x"}, "name must be lowercase letters", id="a name that begins with a dash"),
    pytest.param({"name": "x" * 101}, "name must be lowercase letters", id="a name too long for reports"),
    pytest.param({"issuer": " "}, "issuer must be the iss", id="a blank issuer"),
    pytest.param({"algorithms": []}, "not none at all", id="no algorithm"),
    pytest.param({"algorithms": ["HS256"]}, "not HS256", id="a symmetric algorithm"),
    pytest.param({"algorithms": ["ES384", "none"]}, "not none", id="no signature at all"),
    pytest.param({"algorithms": ["es384", "RS1"]}, "not RS1, es384", id="two that are none"),
    pytest.param({"jwks_file": None}, "give either jwks_url or jwks_file", id="no keys"),
    pytest.param({"jwks_url": "https://x.example.org"}, "give either jwks_url or jwks_file", id="keys from two places"),
    pytest.param({"jwks_file": "none.json"}, "jwks_file none.json cannot be read", id="a key file that is not there"),
    pytest.param({"jwks_file": ""}, "cannot be read", id="a key file without a name"),
    pytest.param({"jwks_file": "pem.json"}, "jwks_file pem.json is not JSON", id="a key in PEM"),
    pytest.param({"jwks_file": "no-set.json"}, "is not a JSON Web Key Set", id="one key, no set"),
    pytest.param({"jwks_file": "empty.json"}, "has no key", id="an empty set"),
    pytest.param({"jwks_file": "private.json"}, "holds a private or symmetric key", id="a private key"),
    pytest.param({"jwks_file": "weak.json"}, "an RSA key of fewer than 2048 bits", id="an RSA key of 1024 bits"),
    pytest.param({"jwks_file": "encryption.json"}, "holds a key that is not for signatures", id="a key for encryption"),
    pytest.param({"jwks_file": "twice.json"}, "holds a kid that is listed twice", id="a kid twice"),
    pytest.param(URL | {"jwks_url": "ehr.example.org"}, "jwks_url must be a plain", id="a jwks_url without a scheme"),
    pytest.param(URL | {"jwks_url": ""}, "jwks_url must be a plain", id="an empty jwks_url"),
    pytest.param(URL | {"jwks_url": "file:///etc/passwd"}, "jwks_url must be a plain", id="a jwks_url of a file"),
    pytest.param(
        URL | {"jwks_url": "https://u:p@x.org/k"}, "jwks_url must be a plain", id="a jwks_url with a password"
    ),
    pytest.param(URL | {"jwks_url": "https://x.org/k#a"}, "jwks_url must be a plain", id="a jwks_url with a fragment"),
    pytest.param({"tenants": []}, "tenants must be a list of names", id="an empty list of tenants"),
    pytest.param({"tenants": ["north", " "]}, "tenants must be a list of names", id="a blank tenant"),
    pytest.param({"tenants": ["t" * 201]}, "tenants must be a list of names", id="a tenant too long for the ledger"),
    pytest.param({"tenants": ["a\tb"]}, "tenants must be a list of names", id="a tenant with a tab"),
    pytest.param({"fhir_servers": ["ehr"]}, "fhir_servers must be plain https", id="a FHIR server that is no address"),
    pytest.param({"fhir_servers": ["https://x.org/a?b"]}, "fhir_servers must", id="a FHIR server with a query"),
    pytest.param({"cors_origins": ["*"]}, "cors_origins must be https origins", id="any origin"),
    pytest.param({"cors_origins": ["https://*.org"]}, "cors_origins must", id="an origin with a wildcard"),
    pytest.param({"cors_origins": ["https://x.org/"]}, "cors_origins must", id="an origin with a slash"),
    pytest.param({"cors_origins": ["null"]}, "cors_origins must", id="the origin of a local file"),
    pytest.param({"mode": "loud"}, "mode must be visible or silent, not 'loud'", id="an invalid mode"),
    pytest.param({"mode": ""}, "mode must be visible or silent, not ''", id="an empty mode"),
    pytest.param({"mode": True}, "Expected str, got bool", id="a mode that is no text"),
    pytest.param({"max_cards": 0}, "max_cards must be 1 or more", id="no card at all"),
    pytest.param({"quiet_period_hours": 0, "final_reasons": ["x"]}, "from 1 to 8784", id="a quiet period of nothing"),
    pytest.param({"quiet_period_hours": 9_999, "final_reasons": ["x"]}, "from 1 to 8784", id="over a year"),
    pytest.param({"quiet_period_hours": 24}, "belong together", id="a quiet period after no reason"),
    pytest.param({"final_reasons": ["x"]}, "belong together", id="final reasons without a quiet period"),
    pytest.param({"issuer": None}, "Object missing required field issuer", id="no issuer"),
    pytest.param({"jwks-url": "https://x.org"}, "unknown field jwks-url", id="a name that is written wrongly"),
    pytest.param({"algorithms": "ES384"}, "Expected array, got str - at $.algorithms", id="an algorithm in no list"),
    pytest.param({"tenants": [1]}, "Expected str, got int - at $.tenants[0]", id="a tenant that is a number"),
    pytest.param({"max_cards": "2"}, "at $.max_cards", id="a number in quotes"),
]
ONLY_PRODUCTION = [
    pytest.param({"issuer": "https://sandbox.cds-hooks.org"}, "the CDS Hooks Sandbox cannot be", id="the Sandbox"),
    pytest.param({"jwks_file": "sandbox.json"}, "holds the key of the CDS Hooks Sandbox", id="the Sandbox's key"),
    pytest.param(URL | {"jwks_url": "http://127.0.0.1/k"}, "jwks_url must be https", id="keys without TLS"),
    pytest.param({"fhir_servers": ["http://x.org"]}, "plain https addresses", id="a FHIR server without TLS"),
    pytest.param({"cors_origins": ["http://x.org"]}, "https origins", id="an origin without TLS"),
]


@pytest.mark.parametrize("production", [True, False], ids=["production", "development"])
@pytest.mark.parametrize(("members", "says"), FAULTS)
def test_fault_is_said_in_one_line_that_names_the_client(
    folder: Path, members: dict[str, Any], says: str, production: bool
) -> None:
    (reason,) = faults(folder, entry(**members), production=production)
    name = members.get("name", "clinic")
    assert reason.startswith("clients.toml: client 1" + (f" ({name})" if re.fullmatch("[a-z]{1,100}", name) else ""))
    assert says in reason.replace("http or https", "https").replace("must be origins", "must be https origins")


@pytest.mark.parametrize(("members", "says"), ONLY_PRODUCTION)
def test_what_development_may_do_production_may_not(folder: Path, members: dict[str, Any], says: str) -> None:
    (reason,) = faults(folder, entry(**members))
    assert reason.startswith("clients.toml: client 1 (clinic): ")
    assert says in reason
    assert len(load(folder, entry(**members), production=False).clients) == 1


def test_keys_without_tls_come_from_this_machine_only_even_in_development(folder: Path) -> None:
    (reason,) = faults(folder, entry(**URL | {"jwks_url": "http://x.example.org/k"}), production=False)
    assert "jwks_url must be https, or on loopback" in reason


def test_all_faults_of_all_clients_are_said_at_once(folder: Path) -> None:
    said = faults(folder, entry(name="a", algorithms=[], max_cards=0) + entry(name="b", nope=1) + entry(name="c"))
    assert [reason.partition(": ")[2].partition(":")[0] for reason in said] == [
        "client 1 (a)",
        "client 1 (a)",
        "client 2 (b)",
        "a, c share the issuer https",
    ]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        pytest.param(entry(tenants=["x"]) + entry(tenants=["y"]), "two clients are named clinic", id="a name twice"),
        pytest.param(entry(name="a") + entry(name="b"), "each of them needs tenants", id="one issuer, no tenants"),
        pytest.param(
            entry(name="a") + entry(name="b", tenants=["x"]), "each of them needs tenants", id="one of them without"
        ),
        pytest.param(
            entry(name="a", tenants=["x", "y"]) + entry(name="b", tenants=["y"]),
            "and the tenant y: give each its own",
            id="one issuer and one tenant",
        ),
        pytest.param("", "has no client", id="an empty file"),
        pytest.param("clients = []", "has no client", id="an empty list"),
        pytest.param("clients = 1", "Expected array, got int", id="a number of clients"),
        pytest.param('clients = ["x"]', "Expected object, got str", id="a client that is a text"),
        pytest.param("[[client]]\n", "unknown field client", id="a table that is named wrongly"),
        pytest.param("[clients]\n", "Expected array, got object", id="one table in single brackets"),
        pytest.param("name = ", "Invalid value", id="no TOML"),
    ],
)
def test_fault_of_the_file_as_a_whole_is_said_in_one_line(folder: Path, toml: str, says: str) -> None:
    (reason,) = faults(folder, toml)
    assert reason.startswith("clients.toml: ")
    assert says in reason


def test_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    for path in (tmp_path, tmp_path / "none.toml", tmp_path / "latin.toml"):
        with pytest.raises(NotReady) as refusal:
            load_registry(path, production=True, fetch=no_fetch)
        (reason,) = refusal.value.reasons
        assert reason.startswith(f"{path.name}: ")


def test_development_without_a_file_knows_the_sandbox_and_production_nobody() -> None:
    sandbox = registry_of(Settings(), no_fetch)
    assert [one.name for one in sandbox.clients] == ["cds-hooks-sandbox"]
    assert sandbox.clients[0].issuer == "https://sandbox.cds-hooks.org"
    assert registry_of(Settings(profile="production"), no_fetch).clients == ()


def test_sandbox_is_no_client_of_a_file_that_does_not_name_it(folder: Path) -> None:
    (folder / "clients.toml").write_text(WHOLE, "utf-8")
    settings = Settings(clients_file=folder / "clients.toml", patient_hash_key="k" * 32)
    assert not registry_of(settings, no_fetch).knows("https://sandbox.cds-hooks.org")


def test_quiet_period_needs_a_key_to_hash_with(folder: Path) -> None:
    (folder / "clients.toml").write_text(WHOLE, "utf-8")
    with pytest.raises(NotReady) as refusal:
        registry_of(Settings(clients_file=folder / "clients.toml"), no_fetch)
    (reason,) = refusal.value.reasons
    assert reason.startswith("CDS_PATIENT_HASH_KEY must be set: general-hospital has a quiet period")


def documented() -> list[Any]:
    """The TOML blocks of docs/clients.md, each with the heading it stands under."""
    sections = re.split(r"^## ", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)
    return [
        pytest.param(section.partition("\n")[0], block, id=section.partition("\n")[0])
        for section in sections
        for block in re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    ]


@pytest.mark.parametrize(("heading", "toml"), documented())
def test_documented_entry_loads(folder: Path, heading: str, toml: str) -> None:
    """In production, as it claims; the Sandbox in development alone."""
    (folder / "general-hospital.json").write_bytes((folder / "valley.json").read_bytes())
    (folder / "sandbox-jwks.json").write_bytes(SANDBOX_KEYS.read_bytes())
    only_development = "development" in heading.lower()
    registry = load(folder, toml, production=not only_development)
    assert registry.clients
    if only_development:
        assert faults(folder, toml)


def test_document_explains_every_key_of_an_entry() -> None:
    explained = set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    from cds_service.clients.clients_file import ClientEntry

    assert explained == set(ClientEntry.__struct_fields__)


def test_documented_reasons_are_those_of_the_log() -> None:
    """An operator looks a reason up as it stands in the log."""
    source = (Path(SANDBOX_FILE).parent / "token_check.py").read_text("utf-8")
    reasons = re.findall(r"^\| `([^`]+)` \|", DOCUMENT.read_text("utf-8").partition("## What a 401")[2], re.MULTILINE)
    assert len(reasons) > 10
    assert [one for one in reasons if one.rstrip(".…") not in source] == []


def test_keys_of_the_sandbox_verify_in_development_only(folder: Path) -> None:
    client = load(folder, entry(jwks_file="sandbox.json"), production=False).clients[0]
    kid = json.loads(SANDBOX_KEYS.read_text("utf-8"))["keys"][0]["kid"]
    assert client.keys.find(kid, "ES384")
    fetched = FetchedKeys("x", "https://x.example.org", lambda _: SANDBOX_KEYS.read_bytes(), allow_sandbox=False)
    with pytest.raises(KeysUnobtainable):
        fetched.find(kid, "ES384")
