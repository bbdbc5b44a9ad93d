"""What `python -m deploy.trial` writes: a client whose calls production takes, and a certificate for both names."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from cds_service.app import create_app
from cds_service.ehr_simulator.token import Signer
from cds_service.settings.settings import Settings
from cds_service.storage.database import Database
from cds_service.storage.database_url import parse_database_url
from deploy import trial
from tests.applications import close
from tests.charts import SERVICE, hook_call

ADDRESS = "https://cds.example.org"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("trial") / "trial"
    trial.write(written)
    return written


def test_production_takes_a_call_that_its_key_has_signed_once(folder: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    Database(parse_database_url(url), pool_size=1).upgrade()
    clients = folder / "clients/clients.toml"
    settings = Settings(profile="production", public_url=ADDRESS, clients_file=clients, database_url=url)
    app = create_app(settings, clock=lambda: datetime.now(UTC))
    headers = Signer(folder / "secrets/ehr_key", "https://ehr.example.org").headers(ADDRESS + SERVICE)
    sent = [app.test_client().post(SERVICE, json=hook_call(), headers=headers) for _ in range(2)]
    close(app)
    assert [one.status_code for one in sent] == [200, 401]


@pytest.mark.parametrize("name", trial.NAMES)
def test_its_certificate_bears_both_names(folder: Path, name: str) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "tls/cds.example.org.pem", folder / "tls/cds.example.org.key")
    ours, theirs = socket.socketpair()
    answering = Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
    answering.start()
    with context.wrap_socket(ours, server_hostname=name) as spoken:
        assert spoken.version() in ("TLSv1.2", "TLSv1.3")
    answering.join(10)


def test_others_on_this_machine_do_not_get_in(folder: Path) -> None:
    """Its files are for containers, whose users are not ours; the folder around them is not."""
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [one for one in folder.rglob("*") if one.is_file()]
    assert {one.stat().st_mode & 0o777 for one in files} == {0o644}


def test_what_is_there_is_left_alone(folder: Path) -> None:
    before = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    with pytest.raises(FileExistsError):
        trial.write(folder)
    assert {one: one.read_bytes() for one in before} == before


def test_no_two_trials_have_a_secret_in_common(folder: Path, tmp_path: Path) -> None:
    trial.write(tmp_path / "another")
    for file in (folder / "secrets").iterdir():
        assert file.read_bytes() != (tmp_path / "another/secrets" / file.name).read_bytes()
