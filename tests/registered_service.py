"""The real application as a hospital runs it: the production profile, registered clients, a database, a clock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from requests.adapters import BaseAdapter
from sqlalchemy import func, select
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from cds_service.storage.database import Database
from cds_service.storage.schema import METADATA
from tests.applications import close, write_all
from tests.charts import SERVICE, hook_call
from tests.conftest import NOW
from tests.token_forge import ALGORITHMS, DROP, Forge, Json, jwk_of, key_for

PUBLIC_URL = "https://cds.example.org"
DISCOVERY = "/cds-services"
FEEDBACK = f"{SERVICE}/feedback"
ISSUER = "https://ehr.example.org"
VALLEY = "https://valley.example.org"
ODD_KID = "a/b+c==.. %00'"
CALL = json.dumps(hook_call()).encode()


def client_entry(name: str, issuer: str | None = None, **members: Any) -> str:
    """A client of a clients file, with ES384 keys in `<name>.json` unless `members` say otherwise."""
    keys = {} if "jwks_url" in members else {"jwks_file": f"{name}.json"}
    entry = {"name": name, "issuer": issuer or f"https://{name}.example.org", "algorithms": ["ES384"]} | keys | members
    return "\n".join(["[[clients]]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items()), ""])


def write_clients(folder: Path, registry: str, key_sets: Mapping[str, list[Json]]) -> Path:
    """Write a clients file, and each key set to `<name>.json` beside it."""
    file = folder / "clients.toml"
    file.write_text(registry, "utf-8")
    for name, keys in key_sets.items():
        (folder / f"{name}.json").write_text(json.dumps({"keys": keys}), "utf-8")
    return file


# Two clients that share an issuer, as all sites of Oracle Health do, and one that has no tenants and every algorithm.
REGISTRY = (
    client_entry("general-hospital", ISSUER, algorithms=["ES384", "RS384"], tenants=["north", "south"])
    + client_entry("university-clinic", ISSUER, tenants=["campus"])
    + client_entry("valley-practices", VALLEY, algorithms=ALGORITHMS)
)


def key_files() -> dict[str, list[Json]]:
    """The key sets of the registry, by client."""
    valley = [jwk_of(key_for(one, "valley-practices"), one, one) for one in ALGORITHMS]
    bare = jwk_of(key_for("ES384", "valley-practices"), "ES384", "bare", alg=DROP, use=DROP)
    odd = jwk_of(key_for("ES384", "valley-practices"), "ES384", ODD_KID)
    return {
        "general-hospital": [jwk_of(key_for(one), one, f"{one} of general-hospital") for one in ("ES384", "RS384")],
        "university-clinic": [jwk_of(key_for("ES384", "university-clinic"), "ES384", "ES384 of university-clinic")],
        "valley-practices": [*valley, bare, odd],
    }


class RegisteredService:
    """The application, its log and its database. `advance` moves the clock; the forges make tokens for that time."""

    def __init__(
        self,
        folder: Path,
        empty_ledger: Path,
        *,
        registry: str = REGISTRY,
        key_sets: Mapping[str, list[Json]] | None = None,
        fhir_server: BaseAdapter | None = None,
        **settings: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.now: datetime = NOW
        self.ledger = folder / "ledger.sqlite"
        if not self.ledger.exists():
            shutil.copyfile(empty_ledger, self.ledger)
        clients_file = write_clients(folder, registry, key_files() if key_sets is None else key_sets)
        given: dict[str, Any] = {
            "profile": "production",
            "public_url": PUBLIC_URL,
            "clients_file": clients_file,
            "database_url": f"sqlite:///{self.ledger}",
            "threads": 16,
        }
        self.settings = Settings(**(given | settings))
        self.app = create_app(self.settings, clock=lambda: self.now, fhir_transport=fhir_server)
        self.database: Database = self.app.extensions["database"]
        self.log: list[Any] = []

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def close(self) -> None:
        close(self.app)

    def send(self, path: str, authorization: str | None, body: bytes | None = None, **options: Any) -> TestResponse:
        """A GET, or a POST where there is a body. What was logged of it is in `log`."""
        headers = {"Authorization": authorization} if authorization is not None else {}
        with capture_logs() as self.log:
            return self.app.test_client().open(
                path,
                method="GET" if body is None else "POST",
                headers=headers | options.pop("headers", {}),
                data=body,
                content_type="application/json" if body is not None else None,
                **options,
            )

    def call(self, authorization: str | None, **options: Any) -> TestResponse:
        return self.send(SERVICE, authorization, CALL, **options)

    def discover(self, authorization: str | None) -> TestResponse:
        return self.send(DISCOVERY, authorization)

    def rows(self) -> dict[str, int]:
        """How many rows each table has, once all that waits is written."""
        write_all()  # also what other nodes with the same database have to write
        with self.database.read() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in METADATA.sorted_tables
            }

    def forge(self, algorithm: str = "ES384", *, path: str = SERVICE, tenant: str | None = "north") -> Forge:
        """Tokens of general-hospital."""
        return self._forge("general-hospital", ISSUER, f"{algorithm} of general-hospital", algorithm, path, tenant)

    def forge_clinic(self) -> Forge:
        """Tokens of university-clinic, which has the same issuer."""
        return self._forge("university-clinic", ISSUER, "ES384 of university-clinic", "ES384", SERVICE, "campus")

    def forge_valley(self, algorithm: str = "ES384", *, kid: str | None = None) -> Forge:
        """Tokens of valley-practices, which has no tenants and takes every algorithm."""
        return self._forge("valley-practices", VALLEY, kid or algorithm, algorithm, SERVICE, None)

    def _forge(self, owner: str, issuer: str, kid: str, algorithm: str, path: str, tenant: str | None) -> Forge:
        return Forge(
            self.now.timestamp(),
            issuer=issuer,
            audience=self.settings.base_url + path,
            tenant=tenant,
            kid=kid,
            algorithm=algorithm,
            key=key_for(algorithm, owner),
        )

    def reason(self) -> str:
        """Why the last call was refused, as the log says."""
        (reason,) = [one["cds_hooks.token.refused"] for one in self.log if "cds_hooks.token.refused" in one]
        return str(reason)

    def assert_refused(self, authorization: str | None, reason: str, **options: Any) -> None:
        """Refused without a word that helps an attacker, the reason in the log, and nothing kept (R-6.15, R-6.16)."""
        before = self.rows()
        path = options.pop("path", SERVICE)
        body = options.pop("body", None if path == DISCOVERY else CALL)
        answer = self.send(path, authorization, body, **options)
        said = answer.get_data(as_text=True)
        assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, "Bearer"), said
        assert said == self._plain_refusal()
        assert reason in self.reason()
        assert self.rows() == before
        for secret in secrets_in(authorization):
            assert secret not in repr(self.log)

    def _plain_refusal(self) -> str:
        """What a call without any token is told."""
        log = self.log
        answer = self.send(SERVICE, None, CALL)
        self.log = log
        told = answer.get_json()
        assert (answer.status_code, list(told), "cards" in told) == (401, ["resourceType", "issue"], False)
        return answer.get_data(as_text=True)


def secrets_in(authorization: str | None) -> list[str]:
    """The parts of a token that must stand in no log."""
    return [part for part in (authorization or "").replace(" ", ".").split(".") if len(part) > 12]
