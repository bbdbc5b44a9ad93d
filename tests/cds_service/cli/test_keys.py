"""`cds-service keys`: the files it writes, the entry it prints, the tokens it signs (R-6.4 to R-6.12)."""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cds_service.cli.main import main
from cds_service.clients import key_pair
from cds_service.clients.registry import load_registry

ISSUER = "https://ehr.example.org"
AUDIENCE = "https://cds.example.org/cds-services"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def new(folder: Path, *arguments: str, client: str = "riverside") -> Result:
    return run("new", "--client", client, "--output", str(folder), *arguments)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def never_fetch(url: str) -> bytes:
    raise AssertionError(url)


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("algorithm", "size"), [pytest.param("ES384", 384, id="P-384"), pytest.param("RS384", 3072, id="RSA")]
)
def test_what_it_writes_is_what_call_signs_with_and_the_service_trusts(
    tmp_path: Path, algorithm: str, size: int
) -> None:
    result = new(tmp_path, "--issuer", ISSUER, "--algorithm", algorithm)
    assert result.exit_code == 0, result.stderr
    key = load_pem_private_key((tmp_path / "private/riverside.pem").read_bytes(), password=None)
    assert key.key_size == size  # type: ignore[union-attr]
    (jwk,) = json.loads((tmp_path / "riverside.jwks.json").read_text("utf-8"))["keys"]
    assert jwk["kid"] in result.stderr
    assert jwk.keys() == {"kty", "kid", "use", "alg"} | ({"crv", "x", "y"} if algorithm == "ES384" else {"n", "e"})
    assert (jwk["use"], jwk["alg"]) == ("sig", algorithm)

    (tmp_path / "clients.toml").write_text(result.stdout, "utf-8")
    (client,) = load_registry(tmp_path / "clients.toml", production=True, fetch=never_fetch).clients
    assert (client.name, client.issuer, client.algorithms) == ("riverside", ISSUER, {algorithm})
    assert (client.tenants, client.fhir_servers) == (None, ())
    token = run("token", "--key", str(tmp_path / "private/riverside.pem"), "--issuer", ISSUER, "--audience", AUDIENCE)
    header = jwt.get_unverified_header(token.stdout.strip())
    assert header == {"alg": algorithm, "kid": jwk["kid"], "typ": "JWT"}
    registered = client.keys.find(jwk["kid"], algorithm)
    assert registered
    claims = jwt.decode(token.stdout.strip(), registered.key, [algorithm], audience=AUDIENCE, issuer=ISSUER)
    assert claims.keys() == {"iss", "aud", "iat", "exp", "jti"}


def test_the_kid_is_the_thumbprint_of_rfc_7638() -> None:
    """The example of RFC 7638 section 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn"
        "1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = jwt.PyJWK({"kty": "RSA", "n": modulus, "e": "AQAB"}, "RS256").key
    assert key_pair.thumbprint(_Private(key), "RS256") == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


class _Private:
    """A private key of which the example has the public half only."""

    def __init__(self, key: object) -> None:
        self._key = key

    def public_key(self) -> object:
        return self._key


def test_what_is_optional_in_the_entry_is_valid_once_it_is_not_a_comment(tmp_path: Path) -> None:
    entry = new(tmp_path, "--issuer", ISSUER).stdout
    optional = entry.replace("\n# ", "\n")
    assert optional.count("\n# ") == 0
    assert tomllib.loads(optional)["clients"][0].keys() > tomllib.loads(entry)["clients"][0].keys()
    (tmp_path / "clients.toml").write_text(optional, "utf-8")
    (client,) = load_registry(tmp_path / "clients.toml", production=True, fetch=never_fetch).clients
    assert client.tenants
    assert client.fhir_servers
    assert client.mode == "silent"


def test_without_an_issuer_the_service_does_not_start_with_the_entry(tmp_path: Path) -> None:
    entry = new(tmp_path).stdout
    assert 'issuer = ""  # fill in' in entry
    (tmp_path / "clients.toml").write_text(entry, "utf-8")
    with pytest.raises(Exception, match="issuer must be the iss"):
        load_registry(tmp_path / "clients.toml", production=True, fetch=never_fetch)


@pytest.mark.parametrize("umask", [0, 0o022, 0o277], indirect=True, ids=oct)
@pytest.mark.usefixtures("umask")
def test_private_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    assert new(tmp_path).exit_code == 0
    assert mode(tmp_path / "private") == 0o700
    assert {mode(file) for file in (tmp_path / "private").iterdir()} == {0o600}
    assert mode(tmp_path / "riverside.jwks.json") == 0o644
    assert (tmp_path / "private/.gitignore").read_text("ascii") == "*\n"


@pytest.mark.parametrize("existing", ["private/riverside.pem", "riverside.jwks.json"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / "private").mkdir(0o700)
    (tmp_path / existing).symlink_to(tmp_path / "nowhere")  # a link counts, wherever it leads
    result = new(tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{existing} exists, and is not overwritten" in result.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not (tmp_path / "nowhere").exists()


def test_a_second_client_gets_keys_in_the_same_folders(tmp_path: Path) -> None:
    assert [new(tmp_path, client=name).exit_code for name in ("north", "south")] == [0, 0]
    first, second = (json.loads((tmp_path / f"{name}.jwks.json").read_text("utf-8")) for name in ("north", "south"))
    assert first["keys"][0]["kid"] != second["keys"][0]["kid"]


def test_a_folder_that_others_can_read_gets_no_private_key(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private").chmod(0o750)
    result = new(tmp_path)
    assert result.exit_code == 1
    assert f"run chmod 700 {tmp_path / 'private'}" in result.stderr
    assert list((tmp_path / "private").iterdir()) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("", "ascii")
    assert "is not a folder" in new(tmp_path).stderr
    (tmp_path / "file").write_text("", "ascii")
    result = new(tmp_path / "file" / "deeper")
    assert result.exit_code == 1
    assert f"{tmp_path / 'file' / 'deeper'} cannot be written: Not a directory" in result.stderr


def test_a_full_disk_leaves_no_half_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, permissions: int) -> None:
        if permissions == 0o600 and (tmp_path / "riverside.jwks.json").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(key_pair.os, "fchmod", full)
    result = new(tmp_path)
    assert result.exit_code == 1
    assert "private/riverside.pem cannot be written: No space left on device" in result.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".gitignore"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--client", "General Hospital"], "such as general-hospital", id="a name with a space"),
        pytest.param(["--client", "../up"], "such as general-hospital", id="a name that is a path"),
        pytest.param(["--client", "a", "--issuer", " "], "such as https://ehr.example.org", id="an empty issuer"),
        pytest.param(["--client", "a", "--issuer", "x\ny"], "such as https", id="an issuer of two lines"),
        pytest.param(["--client", "a", "--algorithm", "HS256"], "'ES384', 'RS384'", id="a shared secret"),
        pytest.param([], "Missing option '--client'", id="no name"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = run("new", "--output", str(tmp_path), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_token_names_tenant_and_kid_where_they_are_asked_for(tmp_path: Path) -> None:
    new(tmp_path)
    key = ("--key", str(tmp_path / "private/riverside.pem"))
    result = run("token", *key, "--issuer", ISSUER, "--audience", AUDIENCE, "--tenant", "north", "--kid", "key-1")
    assert jwt.get_unverified_header(result.stdout.strip())["kid"] == "key-1"
    assert jwt.decode(result.stdout.strip(), options={"verify_signature": False})["tenant"] == "north"


def test_a_public_key_signs_nothing(tmp_path: Path) -> None:
    new(tmp_path)
    key = ("--key", str(tmp_path / "riverside.jwks.json"))
    result = run("token", *key, "--issuer", ISSUER, "--audience", AUDIENCE)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has 0 private keys" in result.stderr
