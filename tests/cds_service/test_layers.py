"""The folders of cds_service: imports go one way, a call knows no web framework, and the contracts can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cards.test_law import copied, lint

__all__ = ["copied"]

LAYERS = "The layers of cds_service"
NO_FRAMEWORK = "A call knows no web framework"


def test_the_contracts_are_kept(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout
    assert f"{LAYERS} KEPT" in done.stdout
    assert f"{NO_FRAMEWORK} KEPT" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken", "chain"),
    [
        pytest.param(
            "storage/ledger.py",
            "from cds_service.cds_hooks.hook_request import HookRequest",
            LAYERS,
            "cds_service.storage.ledger -> cds_service.cds_hooks.hook_request",
            id="the ledger imports the protocol",
        ),
        pytest.param(
            "pages/caching.py",
            "from cds_service.operations import health",
            LAYERS,
            "cds_service.pages.caching -> cds_service.operations.health",
            id="a page imports its neighbor",
        ),
        pytest.param(
            "cds_hooks/cors.py",
            "import flask",
            NO_FRAMEWORK,
            "cds_service.cds_hooks.cors -> flask",
            id="Flask in a call",
        ),
        pytest.param(
            "json_depth.py",
            "import werkzeug",
            NO_FRAMEWORK,
            "cds_service.json_depth -> werkzeug",
            id="a web framework in what a call imports",
        ),
        pytest.param(
            "report/counting/calls.py",
            "from cds_service.report.formats import sentences",
            "The layers of the report",
            "cds_service.report.counting.calls -> cds_service.report.formats.sentences",
            id="what counts imports how it is written",
        ),
        pytest.param(
            "backtest/reading/sieve.py",
            "from cds_service.backtest import engine",
            "The layers of the backtest",
            "cds_service.backtest.reading.sieve -> cds_service.backtest.engine",
            id="what reads an export imports the engine",
        ),
        pytest.param(
            "sandbox/fhir_server/search.py",
            "from cds_service.sandbox.page import ehr",
            "The layers of the sandbox",
            "cds_service.sandbox.fhir_server.search -> cds_service.sandbox.page.ehr",
            id="the FHIR server imports the page",
        ),
    ],
)
def test_the_contracts_can_fail(copied: Path, module: str, line: str, broken: str, chain: str) -> None:
    path = copied / "cds_service" / module
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(copied)
    assert done.returncode != 0
    assert f"{broken} BROKEN" in done.stdout
    assert chain in done.stdout


def test_a_new_module_must_be_given_a_place(copied: Path) -> None:
    (copied / "cds_service" / "helpers.py").touch()
    done = lint(copied)
    assert done.returncode != 0
    assert "cds_service.helpers" in done.stdout
