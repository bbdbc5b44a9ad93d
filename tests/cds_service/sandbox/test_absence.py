"""Production has no sandbox: no page, no FHIR server, nothing that reads for a page, and none of its code loaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.sandbox import page
from cds_service.sandbox.fhir_server.endpoints import BASES
from cds_service.settings.settings import Settings
from tests.applications import close

STATIC = sorted(f"static/{file.name}" for file in (Path(page.__file__).parent / "static").iterdir())


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    ledger = tmp_path_factory.mktemp("production") / "ledger.sqlite"
    settings = Settings(profile="production", public_url="https://cds.example.org", database_url=f"sqlite:///{ledger}")
    app = create_app(settings)
    yield app.test_client()
    close(app)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sandbox",
        "/sandbox/ehr-view/lab-stenosis",
        *(f"/sandbox/{name}/metadata" for name in BASES),
        *(
            f"/sandbox/{name}"
            for name in ("patients", "chart", "prefetch", "token/call", "details", "explanation", *STATIC)
        ),
    ],
)
def test_production_has_no_sandbox(production: FlaskClient, path: str) -> None:
    query = {"base": "http://127.0.0.1/fhir", "patient": "lab-es"}
    assert production.get(path, query_string=query).status_code == 404
    assert production.post(path, json={}).status_code == 404


@pytest.mark.parametrize("name", STATIC)
def test_development_serves_each_file_that_production_does_not(client: FlaskClient, name: str) -> None:
    response = client.get(f"/sandbox/{name}")
    assert response.status_code == 200
    response.close()


@pytest.mark.slow
def test_production_does_not_even_import_it(tmp_path: Path) -> None:
    program = f"""
import sys
from cds_service.app import create_app
from cds_service.settings.settings import Settings
create_app(Settings(profile="production", public_url="https://a.example", database_url="sqlite:///{tmp_path}/ledger"))
assert not [name for name in sys.modules if name.startswith(("cds_service.sandbox", "nh3"))]
"""
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own words
