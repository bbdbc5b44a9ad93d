"""The alert rules and the metrics as Prometheus itself sees them: promtool, of Debian's package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from tests.places import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
LONGEST_S = 600


def promtool(*arguments: str, given: bytes | None = None) -> str:
    """Run it beside the rules; what it says."""
    program = shutil.which("promtool")
    assert program, "not installed: promtool; `bash tests/interop/install` installs it"
    done = subprocess.run(  # noqa: S603 - found by us
        [program, *arguments],
        cwd=FOLDER,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LONGEST_S,
        check=False,
    )
    said = done.stdout.decode()
    assert done.returncode == 0, said
    return said


def test_the_rules_are_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "alerts.yaml")


@pytest.mark.parametrize("stories", ["alerts_test.yaml", "alerts_days_test.yaml"])
def test_every_story_ends_as_it_should(stories: str) -> None:
    """Each alert in a story in which it fires, and in one that is close to it and in which it does not."""
    assert "SUCCESS" in promtool("test", "rules", stories)


def test_a_story_can_end_otherwise(tmp_path: Path) -> None:
    for path in FOLDER.glob("alerts*.yaml"):
        shutil.copy(path, tmp_path)
    rules = tmp_path / "alerts.yaml"
    rules.write_text(rules.read_text("utf-8").replace("> 0.01", "> 0.1"), "utf-8")
    with pytest.raises(AssertionError, match="two calls in a hundred are faults"):
        promtool("test", "rules", str(tmp_path / "alerts_test.yaml"))


def test_what_a_server_says_is_an_exposition_without_a_fault(served: str) -> None:
    response = requests.get(f"{served}/metrics", timeout=30)
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"cds_hooks_calls_total" in response.content
    assert promtool("check", "metrics", given=response.content) == ""
