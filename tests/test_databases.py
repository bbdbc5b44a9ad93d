"""Without PostgreSQL, its tests say so and how to fix it; CI does not let one be skipped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests import databases


@pytest.mark.parametrize(
    ("required", "outcome"),
    [pytest.param(False, pytest.skip.Exception, id="skipped"), pytest.param(True, pytest.fail.Exception, id="failed")],
)
def test_without_postgresql_its_tests_are(
    required: bool, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "server_programs", lambda: None)
    config: Any = SimpleNamespace(getoption={"--require-postgresql": required}.get)
    with pytest.raises(outcome, match="apt-get install postgresql"):
        databases.started_postgresql(config)
