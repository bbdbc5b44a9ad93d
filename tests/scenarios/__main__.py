"""Prints what the application answers to scenarios: `python -m tests.scenarios [FILE ...]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from structlog.testing import capture_logs

from cds_service.app import create_app
from cds_service.settings.settings import Settings
from tests.applications import close
from tests.scenarios.casebook import FOLDER, judge_all, load, noon, table
from tests.scenarios.verdicts import Verdict


def main(paths: list[Path]) -> None:
    """Every answer that is wrong or unsafe, then the table."""
    judged = []
    with tempfile.TemporaryDirectory() as folder, capture_logs():
        for path in paths:
            today, scenarios = load(path)
            settings = Settings(database_url=f"sqlite:///{folder}/ledger.sqlite")
            app = create_app(settings, clock=lambda day=today: noon(day))  # type: ignore[misc]
            app.extensions["database"].upgrade()
            judged += list(judge_all(app, scenarios, today))
            close(app)
    for scenario, answer, verdict in judged:
        if verdict in (Verdict.WRONG, Verdict.UNSAFE):
            print(f"{verdict.upper()} [{scenario['kind']}] {scenario['name']}")
            print(f"    wanted {scenario['right']} {scenario.get('acceptable', '')}")
            print(f"    got    {answer}")
    print(table(judged))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.yaml")))
